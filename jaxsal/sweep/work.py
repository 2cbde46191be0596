"""The work of a sweep, one clip at a time: fill the ledgers that its cells read, then read them out and measure."""

import dataclasses
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxsal.baselines import make_baseline
from jaxsal.callables import call, split_callable
from jaxsal.fingerprints import fingerprint
from jaxsal.inputs import check_clip
from jaxsal.ledger import RiseLedger
from jaxsal.metrics.curves import deletion, insertion
from jaxsal.processes import all_agree
from jaxsal.saliency.gradcam import gradcam
from jaxsal.saliency.sidu import sidu
from jaxsal.sweep import records
from jaxsal.sweep.cells import READ_OUT, Cell, Ledger
from jaxsal.sweep.config import SweepConfig
from jaxsal.sweep.plan import Task
from jaxsal.sweep.programs import Meter, Scorer
from jaxsal.sweep.progress import Progress
from jaxsal.sweep.store import Store


class UnusableClipError(ValueError):
    """A clip of which a sweep can get no results; the others are not concerned."""


@dataclasses.dataclass(frozen=True)
class Tools:
    """What all tasks of a sweep share."""

    config: SweepConfig
    store: Store
    scorer: Scorer
    meter: Meter
    progress: Progress


def do_task(task: Task, tools: Tools) -> None:
    """Does all that is left to do on a clip; one that cannot be used is recorded and passed over."""
    before = tools.meter.forward_passes
    try:
        _do(task, tools)
    except UnusableClipError as error:
        tools.store.settle()
        records.note_failure(tools.store, task.group, task.case, str(error))
        tools.progress.skip(task.passes - (tools.meter.forward_passes - before))
        tools.progress.say(f"clip {task.case.name} is passed over: {error}")
        return
    with tools.meter.stage("writing"):
        tools.store.settle()
        records.clear_failure(tools.store, task.group, task.case)


def _do(task: Task, tools: Tools) -> None:
    classifier = task.group.network.classifier
    with tools.meter.stage("reading"):
        clip, digest = _load(task)
    with tools.meter.stage("forward"):
        arrays, static = split_callable(classifier)
        clip_logits = np.asarray(call(arrays, clip, static), np.float32)
    _check_finite(clip_logits)
    tools.progress.add(1)
    ledgers = {ledger.path: fill_ledger(ledger, task, clip, digest, clip_logits, tools) for ledger in task.ledgers}
    for cell in task.cells:
        explain_cell(cell, task, clip, digest, clip_logits, ledgers, tools)


def _load(task: Task) -> tuple[Float[jax.Array, "T H W C"], str]:
    """The clip and its SHA-256, after checking that it is the one that the store has results of."""
    clip, digest, reason = None, "", "another process could not use it"
    try:
        clip = check_clip(task.case.load(), task.group.network.classifier)
        digest = fingerprint(clip)
        if task.digest not in (None, digest):
            clip, reason = None, "`clips` must be those of the store; got another clip under this name"
    except Exception as error:  # whatever a reader of clips raises
        reason = str(error) or type(error).__name__
    if not all_agree(clip is not None) or clip is None:
        raise UnusableClipError(reason)
    return jnp.asarray(clip), digest


def _check_finite(values: Float[np.ndarray, "..."]) -> None:
    if not np.isfinite(values).all():
        raise UnusableClipError("`checkpoint` must give finite numbers; got others")


def fill_ledger(
    ledger: Ledger,
    task: Task,
    clip: Float[jax.Array, "T H W C"],
    digest: str,
    clip_logits: Float[np.ndarray, " K"],
    tools: Tools,
) -> RiseLedger:
    """Scores the masks that a ledger lacks of a clip, chunk of the store by chunk, and returns it whole.

    Raises:
      UnusableClipError: If a score is not finite, or the store was damaged since the plan was made.
    """
    store, per_commit, row = tools.store, tools.config.masks_per_commit, task.rows[ledger.path]
    missing = task.missing.get(ledger.path)
    with tools.meter.stage("reading"):
        logits, _ = records.read_logits(store, ledger, row, per_commit)
    if missing is not None:
        with tools.meter.stage("writing"):
            store.write(f"{ledger.path}/digest", row, records.digest_words(digest))
            store.write(f"{ledger.path}/clip_logits", row, clip_logits)
        for start in range(0, ledger.options.num_masks, per_commit):
            ids = missing[(missing >= start) & (missing < start + per_commit)]
            if len(ids):
                logits[ids] = _score(ledger, task, clip, ids, tools)
                with tools.meter.stage("writing"):
                    records.write_logits(store, ledger, row, logits, start, per_commit)
    num_masks = ledger.options.num_masks
    if not all_agree(not np.isnan(logits[:num_masks]).any()):
        raise UnusableClipError(f"{ledger.path} was damaged while the sweep ran; the same command makes it again")
    return dataclasses.replace(
        ledger.empty(len(clip_logits)),
        clip_fingerprint=digest,
        clip_logits=clip_logits,
        ids=np.arange(num_masks, dtype=np.int32),
        logits=logits[:num_masks],
    )


def _score(
    ledger: Ledger, task: Task, clip: Float[jax.Array, "T H W C"], ids: Int[np.ndarray, " M"], tools: Tools
) -> Float[np.ndarray, "M K"]:
    """The scores of some masks; forward passes are counted as they are done."""
    score_fn, counted = task.group.network.classifier, 0

    def count(done: int, _: int) -> None:
        nonlocal counted
        tools.progress.add(max(done - counted, 0))  # it begins anew where chunks were halved
        counted = max(done, counted)

    with tools.meter.stage("forward"):
        baseline = jnp.broadcast_to(make_baseline(ledger.options.baseline, clip, score_fn), clip.shape)
        family = task.group.families[ledger.path]
        scores = np.asarray(tools.scorer(score_fn, clip, family, ids, baseline, count), np.float32)
    _check_finite(scores)
    return scores


def explain_cell(
    cell: Cell,
    task: Task,
    clip: Float[jax.Array, "T H W C"],
    digest: str,
    clip_logits: Float[np.ndarray, " K"],
    ledgers: dict[str, RiseLedger],
    tools: Tools,
) -> None:
    """Makes the map of a clip, measures it and commits both."""
    start = time.perf_counter()
    target = {"predicted": int(clip_logits.argmax()), "label": task.case.label}.get(str(cell.target), cell.target)
    saliency = _saliency(cell, task, clip, int(target), ledgers, tools)
    _check_finite(saliency)
    arrays, measured = dict(saliency=saliency), dict.fromkeys(("deletion", "insertion", "floor"), np.nan)
    if tools.config.curve_steps:
        with tools.meter.stage("forward"):
            for measure in (deletion, insertion):
                draw = partial(measure, task.group.network.classifier, clip, saliency, int(target), recipe=cell.recipe)
                draw = partial(draw, num_steps=tools.config.curve_steps)
                curve = tools.scorer.run(measure.__name__, clip, draw)
                arrays[measure.__name__] = np.asarray(curve.scores)
                measured[measure.__name__] = float(curve.auc)
        measured["floor"] = float(arrays["deletion"][-1])
    exponentials = np.exp(clip_logits - clip_logits.max())
    probability = exponentials[int(target)] / exponentials.sum()
    result = dict(target=target, probability=probability, seconds=time.perf_counter() - start, **measured)
    with tools.meter.stage("writing"):
        row = task.rows[cell.path]
        tools.store.write(f"{cell.path}/digest", row, records.digest_words(digest))
        records.write_result(tools.store, cell.path, row, arrays, result)
    tools.progress.add(task.group.passes[cell.path])


def _saliency(
    cell: Cell,
    task: Task,
    clip: Float[jax.Array, "T H W C"],
    target: int,
    ledgers: dict[str, RiseLedger],
    tools: Tools,
) -> Float[np.ndarray, "Tm H W"]:
    options = {f.name: getattr(cell.options, f.name) for f in dataclasses.fields(cell.options)}
    if cell.ledger is not None:
        with tools.meter.stage("maps"):
            chosen = {name: options[name] for name in READ_OUT}
            return np.asarray(ledgers[cell.ledger.path].map(target, **chosen))
    method = {"gradcam": gradcam, "sidu": sidu}[cell.method]
    explain = partial(method, task.group.network.classifier, clip, target, recipe=cell.recipe, **options)
    with tools.meter.stage("forward"):
        return np.asarray(explain() if cell.method == "gradcam" else tools.scorer.run(cell.method, clip, explain))
