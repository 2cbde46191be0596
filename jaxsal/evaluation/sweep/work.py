"""The work of a sweep, a few clips at a time: fill the ledgers that its cells read, then read them out and measure."""

import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.processes import all_agree
from jaxsal.engine.baselines import make_baseline
from jaxsal.engine.inputs import check_clip
from jaxsal.evaluation.sweep import records
from jaxsal.evaluation.sweep.cells import READ_OUT, Cell, Ledger
from jaxsal.evaluation.sweep.config import SweepConfig
from jaxsal.evaluation.sweep.first_pass import FirstPass, Opened, explained_class, first_passes
from jaxsal.evaluation.sweep.plan import Task
from jaxsal.evaluation.sweep.programs import Meter, Scorer
from jaxsal.evaluation.sweep.progress import Progress
from jaxsal.evaluation.sweep.store import Store
from jaxsal.metrics.curves import deletion, insertion
from jaxsal.options import MEASURES
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.saliency.sidu import sidu


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


def do_tasks(tasks: Sequence[Task], tools: Tools) -> None:
    """Does all that is left to do on clips of one network; one that cannot be used is recorded and passed over.

    What takes one pass of a clip is done for all of them at once, laid over the devices of this process; masks are,
    for one clip after the other.
    """
    opened: list[Opened] = []
    for task in tasks:
        with _passed_over(task, tools), tools.meter.stage("reading"):
            opened.append(Opened(task, *_load(task)))
    for _, alike in itertools.groupby(opened, key=lambda one: one.clip.shape):
        together = list(alike)
        with tools.meter.stage("forward"):
            firsts = first_passes(together, tools.scorer, tools.config.curve_steps)
        for one, first in zip(together, firsts, strict=True):
            with _passed_over(one.task, tools):
                _do(one, first, tools)


@contextmanager
def _passed_over(task: Task, tools: Tools) -> Iterator[None]:
    """Records that a clip cannot be used where that is found out, and that its passes are not to be done."""
    before = tools.meter.forward_passes
    try:
        yield
    except UnusableClipError as error:
        tools.store.settle()
        records.note_failure(tools.store, task.group, task.case, str(error))
        tools.progress.skip(task.passes - (tools.meter.forward_passes - before))
        tools.progress.say(f"clip {task.case.name} is passed over: {error}")


def _do(one: Opened, first: FirstPass, tools: Tools) -> None:
    _check_finite(first.logits)
    tools.progress.add(1)
    ledgers = {ledger.path: fill_ledger(ledger, one, first.logits, tools) for ledger in one.task.ledgers}
    for cell in one.task.cells:
        explain_cell(cell, one, first, ledgers, tools)
    with tools.meter.stage("writing"):
        tools.store.settle()
        records.clear_failure(tools.store, one.task.group, one.task.case)


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
    return jax.device_put(clip), digest


def _check_finite(values: Float[np.ndarray, "..."]) -> None:
    if not np.isfinite(values).all():
        raise UnusableClipError("`checkpoint` must give finite numbers; got others")


def fill_ledger(ledger: Ledger, one: Opened, clip_logits: Float[np.ndarray, " K"], tools: Tools) -> RiseLedger:
    """Scores the masks that a ledger lacks of a clip, chunk of the store by chunk, and returns it whole.

    Raises:
      UnusableClipError: If a score is not finite, or the store was damaged since the plan was made.
    """
    store, per_commit, row = tools.store, tools.config.masks_per_commit, one.task.rows[ledger.path]
    missing = one.task.missing.get(ledger.path)
    with tools.meter.stage("reading"):
        logits, _ = records.read_logits(store, ledger, row, per_commit)
    if missing is not None:
        with tools.meter.stage("writing"):
            store.write(f"{ledger.path}/digest", row, records.digest_words(one.digest))
            store.write(f"{ledger.path}/clip_logits", row, clip_logits)
        for start in range(0, ledger.options.num_masks, per_commit):
            ids = missing[(missing >= start) & (missing < start + per_commit)]
            if len(ids):
                logits[ids] = _score(ledger, one, ids, tools)
                with tools.meter.stage("writing"):
                    records.write_logits(store, ledger, row, logits, start, per_commit)
    num_masks = ledger.options.num_masks
    if not all_agree(not np.isnan(logits[:num_masks]).any()):
        raise UnusableClipError(f"{ledger.path} was damaged while the sweep ran; the same command makes it again")
    return dataclasses.replace(
        ledger.empty(len(clip_logits)),
        clip_fingerprint=one.digest,
        clip_logits=clip_logits,
        ids=np.arange(num_masks, dtype=np.int32),
        logits=logits[:num_masks],
    )


def _score(ledger: Ledger, one: Opened, ids: Int[np.ndarray, " M"], tools: Tools) -> Float[np.ndarray, "M K"]:
    """The scores of some masks; forward passes are counted as they are done."""
    clip, group, counted = one.clip, one.task.group, 0
    score_fn = group.network.classifier

    def count(done: int, _: int) -> None:
        nonlocal counted
        tools.progress.add(max(done - counted, 0))  # it begins anew where chunks were halved
        counted = max(done, counted)

    with tools.meter.stage("forward"):
        baseline = jnp.broadcast_to(make_baseline(ledger.options.baseline, clip, score_fn), clip.shape)
        family = group.families[ledger.path]
        scores = np.asarray(tools.scorer(score_fn, clip, family, ids, baseline, count), np.float32)
    _check_finite(scores)
    return scores


def explain_cell(cell: Cell, one: Opened, first: FirstPass, ledgers: dict[str, RiseLedger], tools: Tools) -> None:
    """Makes the map of a clip, measures it and commits both."""
    start = time.perf_counter()
    classifier, target = one.task.group.network.classifier, explained_class(cell, one.task.case, first.logits)
    made = first.made.get(cell.path)
    saliency = _saliency(cell, one, target, ledgers, tools) if made is None else made.saliency
    _check_finite(saliency)
    arrays, measured = dict(saliency=saliency), dict.fromkeys((*MEASURES, "floor"), np.nan)
    if tools.config.curve_steps:
        with tools.meter.stage("forward"):
            for measure in (deletion, insertion):
                curve = None if made is None else made.curves.get(measure.__name__)
                if curve is None:
                    draw = partial(measure, classifier, one.clip, saliency, target, recipe=cell.recipe)
                    draw = partial(draw, num_steps=tools.config.curve_steps)
                    curve = tools.scorer.run(measure.__name__, one.clip, draw)
                arrays[measure.__name__] = np.asarray(curve.scores)
                measured[measure.__name__] = float(curve.auc)
        measured["floor"] = float(arrays["deletion"][-1])
    probability = softmax(first.logits)[target]
    seconds = time.perf_counter() - start + (0.0 if made is None else made.seconds)
    result = dict(target=target, probability=probability, seconds=seconds, **measured)
    with tools.meter.stage("writing"):
        row = one.task.rows[cell.path]
        tools.store.write(f"{cell.path}/digest", row, records.digest_words(one.digest))
        records.write_result(tools.store, cell.path, row, arrays, result)
    tools.progress.add(one.task.group.passes[cell.path])


def _saliency(
    cell: Cell, one: Opened, target: int, ledgers: dict[str, RiseLedger], tools: Tools
) -> Float[np.ndarray, "Tm H W"]:
    """The map of RISE, from its scores, or of SIDU; Grad-CAM's are of the first passes."""
    options = {f.name: getattr(cell.options, f.name) for f in dataclasses.fields(cell.options)}
    if cell.ledger is not None:
        with tools.meter.stage("maps"):
            chosen = {name: options[name] for name in READ_OUT}
            return np.asarray(ledgers[cell.ledger.path].map(target, **chosen))
    explain = partial(sidu, one.task.group.network.classifier, one.clip, target, recipe=cell.recipe, **options)
    with tools.meter.stage("forward"):
        return np.asarray(tools.scorer.run(cell.method, one.clip, explain))
