"""The work of a sweep, one clip at a time: fill the ledgers that its cells read, then read them out and measure."""

import dataclasses
import time
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxsal.baselines import make_baseline
from jaxsal.callables import call, call_parts, split_callable
from jaxsal.evaluate import Case
from jaxsal.fingerprints import fingerprint
from jaxsal.inputs import check_clip
from jaxsal.ledger import RiseLedger
from jaxsal.metrics.curves import deletion, insertion
from jaxsal.padded_masks import Padding, common_padding, pad_masks
from jaxsal.processes import all_agree
from jaxsal.saliency.gradcam import gradcam
from jaxsal.saliency.sidu import sidu
from jaxsal.sweep import records
from jaxsal.sweep.cells import READ_OUT, Cell, Group, Ledger
from jaxsal.sweep.config import SweepConfig
from jaxsal.sweep.programs import Meter, Scorer
from jaxsal.sweep.progress import Progress
from jaxsal.sweep.store import Store


class Task(NamedTuple):
    """What is still to do on one clip.

    Attributes:
      group: What the clip is of.
      case: The clip.
      cells: Those without a result.
      ledgers: Those that these cells read, or that lack masks.
      passes: Forward passes, as the store's counts say.
    """

    group: Group
    case: Case
    cells: tuple[Cell, ...]
    ledgers: tuple[Ledger, ...]
    passes: int


@dataclasses.dataclass(frozen=True)
class Tools:
    """What all tasks of a sweep share."""

    config: SweepConfig
    store: Store
    scorer: Scorer
    meter: Meter
    progress: Progress


def do_task(task: Task, tools: Tools) -> None:
    """Does all that is left to do on a clip; one that cannot be read is recorded and passed over."""
    clip, reason = None, "another process could not read it"
    with tools.meter.stage("reading"):
        try:
            clip = check_clip(task.case.load(), task.group.network.classifier)
        except (ValueError, TypeError, OSError) as error:
            reason = str(error)
    if not all_agree(clip is not None):
        records.note_failure(tools.store, task.case.name, reason)
        tools.progress.say(f"clip {task.case.name} is passed over: {reason}")
        return
    clip = jnp.asarray(clip)
    digest = fingerprint(clip)
    with tools.meter.stage("forward"):
        arrays, static = split_callable(task.group.network.classifier)
        clip_logits = np.asarray(call(arrays, clip, static), np.float32)
    tools.progress.add(1)
    padding = _padding(task.group)
    ledgers = {
        ledger.path: fill_ledger(ledger, task, clip, digest, clip_logits, padding, tools) for ledger in task.ledgers
    }
    for cell in task.cells:
        explain_cell(cell, task, clip, clip_logits, ledgers, tools)
    records.clear_failure(tools.store, task.case.name)


def fill_ledger(
    ledger: Ledger,
    task: Task,
    clip: Float[jax.Array, "T H W C"],
    digest: str,
    clip_logits: Float[np.ndarray, " K"],
    padding: Padding,
    tools: Tools,
) -> RiseLedger:
    """Scores the masks that a ledger lacks of a clip, chunk of the store by chunk, and returns it whole.

    Raises:
      ValueError: If the store's scores are of another clip, or a score is not finite.
    """
    store, per_commit = tools.store, tools.config.masks_per_commit
    row = records.rows(store, ledger.path)[task.case.name]
    with tools.meter.stage("reading"):
        _check_digest(store, ledger, row, task.case.name, digest)
        logits, damaged = records.read_logits(store, ledger, row, per_commit)
    for message in damaged:
        tools.progress.say(f"damaged scores are made again: {message}")
    options = ledger.options
    whole = dataclasses.replace(
        ledger.empty(len(clip_logits)),
        clip_fingerprint=digest,
        clip_logits=clip_logits,
        ids=np.arange(options.num_masks, dtype=np.int32),
        logits=logits[: options.num_masks],
    )
    missing = np.flatnonzero(np.isnan(whole.logits).any(axis=1)).astype(np.int32)
    if len(missing) == 0:
        return whole
    score_fn = task.group.network.classifier
    masks = pad_masks(whole.masks, clip.shape[0], padding, options.frame_slices)
    baseline = jnp.broadcast_to(make_baseline(options.baseline, clip, score_fn), clip.shape)
    with tools.meter.stage("writing"):
        store.write(f"{ledger.path}/digest", row, _words(digest))
        store.write(f"{ledger.path}/clip_logits", row, clip_logits)
    for start in range(0, options.num_masks, per_commit):
        ids = missing[(missing >= start) & (missing < start + per_commit)]
        if len(ids) == 0:
            continue
        with tools.meter.stage("forward"):
            scores = np.asarray(tools.scorer(score_fn, clip, masks, ids, baseline), np.float32)
        if not np.isfinite(scores).all():
            raise ValueError(f"`checkpoint` must give finite scores; got others for {task.case.name}.")
        logits[ids] = scores
        with tools.meter.stage("writing"):
            records.write_logits(store, ledger, row, logits, start, per_commit)
        tools.progress.add(len(ids))
    return dataclasses.replace(whole, logits=logits[: options.num_masks])


def explain_cell(
    cell: Cell,
    task: Task,
    clip: Float[jax.Array, "T H W C"],
    clip_logits: Float[np.ndarray, " K"],
    ledgers: dict[str, RiseLedger],
    tools: Tools,
) -> None:
    """Makes the map of a clip, measures it and commits both."""
    start, classifier = time.perf_counter(), task.group.network.classifier
    target = _target(cell, task.case, clip_logits)
    options = {f.name: getattr(cell.options, f.name) for f in dataclasses.fields(cell.options)}
    if cell.ledger is not None:
        with tools.meter.stage("maps"):
            chosen = {name: options[name] for name in READ_OUT}
            saliency = np.asarray(ledgers[cell.ledger.path].map(target, **chosen))
    else:
        method = {"gradcam": gradcam, "sidu": sidu}[cell.method]
        explain = partial(method, classifier, clip, target, recipe=cell.recipe, **options)
        with tools.meter.stage("forward"):
            made = explain() if cell.method == "gradcam" else tools.scorer.run(cell.method, clip, explain)
            saliency = np.asarray(made)
    arrays = dict(saliency=saliency)
    exponentials = np.exp(clip_logits - clip_logits.max())
    result = dict.fromkeys(records.FIELDS, 0.0) | dict(
        target=target, probability=exponentials[target] / exponentials.sum(), deletion=np.nan, insertion=np.nan
    )
    result["floor"] = np.nan
    if tools.config.curve_steps:
        with tools.meter.stage("forward"):
            for measure in (deletion, insertion):
                draw = partial(measure, classifier, clip, saliency, target, recipe=cell.recipe)
                draw = partial(draw, num_steps=tools.config.curve_steps)
                curve = tools.scorer.run(measure.__name__, clip, draw)
                arrays[measure.__name__] = np.asarray(curve.scores)
                result[measure.__name__] = float(curve.auc)
        result["floor"] = float(arrays["deletion"][-1])
    result["seconds"] = time.perf_counter() - start
    with tools.meter.stage("writing"):
        row = records.rows(tools.store, cell.path)[task.case.name]
        records.write_result(tools.store, cell.path, row, arrays, result)
    tools.progress.add(passes_of_cell(cell, task.group, tools.config))


def passes_of_cell(cell: Cell, group: Group, config: SweepConfig) -> int:
    """Forward passes of a cell on a clip, those of its ledger left out."""
    own = {"rise": 0, "gradcam": 1}.get(cell.method)
    if own is None:
        arrays, static = split_callable(group.network.classifier)
        clip = jax.ShapeDtypeStruct(group.network.spec.clip_shape, jnp.float32)
        own = call_parts.eval_shape(arrays, clip, static)[0].shape[-1] + 1
    return own + 2 * config.curve_steps


def _padding(group: Group) -> Padding:
    """One padding for all ledgers of a group, so that they share a program."""
    families = [ledger.empty(1).masks for ledger in group.ledgers.values()]
    return common_padding(families) if families else Padding((1, 1, 1), (1, 1, 1))


def _target(cell: Cell, case: Case, clip_logits: Float[np.ndarray, " K"]) -> int:
    if cell.target == "label" and case.label < 0:
        raise ValueError(f"`target` must be known for every clip; got no label for {case.name}.")
    target = {"predicted": int(clip_logits.argmax()), "label": case.label}.get(str(cell.target), cell.target)
    if not 0 <= int(target) < len(clip_logits):
        raise ValueError(f"`target` must be a class from 0 to {len(clip_logits) - 1}; got {target}.")
    return int(target)


def _words(digest: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(digest), "<i4").astype(np.int32)


def _check_digest(store: Store, ledger: Ledger, row: int, name: str, digest: str) -> None:
    try:
        found = store.read(f"{ledger.path}/digest", row)
    except ValueError:
        return  # damaged: it is written again
    if found.any() and not np.array_equal(found, _words(digest)):
        raise ValueError(f"`clips` must be those of the store; got another clip under the name {name}.")
