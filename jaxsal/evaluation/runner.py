"""The one runner: what a store lacks of a plan is done, a few clips at a time, and committed as it comes.

`explain`, `evaluate`, `sweep` and `paper` differ in their plans and in what they make of the store afterwards.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.processes import all_agree
from jaxsal.engine.batch import prepare
from jaxsal.engine.requests import Scores
from jaxsal.engine.spectra import form_of
from jaxsal.evaluation.groups import Group
from jaxsal.evaluation.plan import Task
from jaxsal.evaluation.precision import check_precision
from jaxsal.evaluation.run import Opened, Place, Run
from jaxsal.evaluation.store import Store
from jaxsal.evaluation.work import Work

CELLS_AT_ONCE = 16
"""Cells whose maps of a few clips are in memory together."""


class UnusableClipError(ValueError):
    """A clip of which a run can get no results; the others are not concerned."""


def run_tasks(tasks: Sequence[Task], run: Run) -> None:
    """Does all tasks; what is done is committed, also at an exception.

    Raises:
      ValueError: If a clip or a checkpoint cannot be used and is not to be passed over.
      OSError: If the store cannot be written.
    """
    try:
        for (_, later), alike in itertools.groupby(tasks, key=lambda task: (id(task.group), task.later)):
            of_group = list(alike)
            of_group = _with_partners(of_group, run) if later else of_group
            opened = (one for task in of_group if (one := _open(task, run)) is not None)
            for batch in _of_one_shape(opened, run.clips_at_once):
                check_precision(batch[0], run)
                do_batch(batch, run)
    finally:
        run.store.commit()


def _with_partners(tasks: Iterable[Task], run: Run) -> list[Task]:
    """Tasks of the control `other` whose maps, those of other clips, are there by now; says how many are not."""
    run.store.refresh()
    ready: list[Task] = []
    missing = 0
    for task in tasks:
        cells = tuple(number for number in task.cells if _partner_is_done(task, number, run.store))
        missing += len(task.cells) - len(cells)
        if cells:
            ready.append(task._replace(cells=cells))
        else:
            run.progress.skip(task.passes)
    if missing:
        run.progress.say(
            f"{missing} maps of other clips, which the control `other` needs, are not there yet: run the same "
            "command again when all clips are explained."
        )
    return ready


def _partner_is_done(task: Task, number: int, store: Store) -> bool:
    group = task.group
    partner = group.partners[number][task.case.name]
    return store.note("result", group.series[group.own[number]], partner.name) is not None


def _of_one_shape(opened: Iterator[Opened], most: int) -> Iterator[list[Opened]]:
    """Up to `most` clips at a time, all of one shape, in their order."""
    batch: list[Opened] = []
    for one in opened:
        if batch and form_of(batch[0].clip) != form_of(one.clip):
            yield batch
            batch = []
        batch.append(one)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch


def _open(task: Task, run: Run) -> Opened | None:
    """The clip of a task, None if it is passed over."""
    clip, digest, known, failure = None, "", dict[Place, str](), None
    with run.progress.stage("reading"):
        try:
            clip = task.case.load()
            digest = fingerprint(clip)
            known = _known_digests(task.group, task.case.name, run.store)
            if set(known.values()) - {digest}:
                raise ValueError("`clips` must be those of the store; got another clip under this name")
        except Exception as error:  # whatever a reader of clips raises
            if not run.pass_over:
                raise
            failure = str(error) or type(error).__name__
        if not all_agree(failure is None):  # processes that work together pass it over together
            _pass_over(task, run, failure or "another process could not use it")
            return None
    assert clip is not None
    return Opened(task, clip, digest, list(known))


def _places(group: Group) -> Iterator[Place]:
    """The kinds and series of all records that a store may have of a clip of a group."""
    yield "clip", group.clip_series
    yield from (("scores", series) for series in group.score_sets)
    yield from (("result", series) for series in group.series)


def _known_digests(group: Group, name: str, store: Store) -> dict[Place, str]:
    """Fingerprints of the clips under a name that the store has anything of, by kind and series."""
    notes = {place: store.note(*place, name) for place in _places(group)}
    return {place: note["digest"] for place, note in notes.items() if note is not None}


def forget_changed_clips(groups: Sequence[Group], store: Store) -> None:
    """Removes what a store has of other clips under the names of a plan's; what it has nothing of is not read.

    Results of the control `other` go with the clip whose map they are of.
    """
    for group in groups:
        changed = set()
        for case in group.cases:
            if known := _known_digests(group, case.name, store):
                digest = fingerprint(case.load())
                for place in [place for place, other in known.items() if other != digest]:
                    store.delete(*place, case.name)
                    changed.add(case.name)
        for number, partners in group.partners.items():
            for name in [name for name, partner in partners.items() if partner.name in changed]:
                store.delete("result", group.series[number], name)


def _pass_over(task: Task, run: Run, reason: str) -> None:
    group = task.group
    note = dict(clip=task.case.name, reason=reason, checkpoint=group.source)
    about = {name: group.identity[name] for name in ("data", "split", "spectrum") if name in group.identity}
    run.store.describe(group.id, group.identity)
    run.store.put("failure", group.id, task.case.name, {}, note=note | about)
    run.store.commit()
    run.progress.skip(task.passes)
    run.progress.say(f"clip {task.case.name} is passed over: {reason}")


def do_batch(opened: Sequence[Opened], run: Run) -> None:
    """All that is left of some clips of one group and shape."""
    group, count = opened[0].task.group, run.progress.add
    batch = prepare(group.classifier, [one.clip for one in opened], size=run.clips_at_once, count=count)
    work = Work(batch, opened, run)
    work.recall()
    with run.progress.stage("forward"):
        logits = batch.logits
    usable = [n for n in range(len(opened)) if _check_finite(bool(np.isfinite(logits[n]).all()), opened[n].task, run)]
    cells = sorted({n for clip in usable for n in opened[clip].task.cells}, key=lambda n: group.reads[n] or "")
    steps = [cells[start : start + CELLS_AT_ONCE] for start in range(0, len(cells), CELLS_AT_ONCE)]
    unread = {series for clip in usable for series in opened[clip].task.scores} - _read(group, cells)
    scores: dict[str, dict[int, Scores]] = {}
    for some, wanted in [*((some, _read(group, some)) for some in steps), ([], unread)]:
        scores = {series: own for series, own in scores.items() if series in wanted}
        for series in sorted(wanted - scores.keys()):
            scores[series] = work.scores(group.score_sets[series], usable)
            finite = {clip: bool(np.isfinite(own.logits).all()) for clip, own in scores[series].items()}
            usable = [clip for clip in usable if _check_finite(finite.get(clip, True), opened[clip].task, run)]
        finite = work.explain(some, scores, usable)
        usable = [clip for clip in usable if _check_finite(finite[clip], opened[clip].task, run)]
    if run.keep_clips:
        work.keep_clips(usable)
    for clip in usable:
        if run.store.note("failure", group.id, work.name(clip)) is not None:
            run.store.delete("failure", group.id, work.name(clip))
        if not opened[clip].task.later:
            run.progress.clip_done()
    if run.keep_maps:
        run.store.commit()  # a killed run loses no finished clip


def _read(group: Group, cells: Sequence[int]) -> set[str]:
    """The scores that cells read, by series."""
    return {series for series in map(group.reads.__getitem__, cells) if series is not None}


def _check_finite(finite: bool, task: Task, run: Run) -> bool:
    """Whether all numbers of a clip are finite; a clip with others is passed over, or an error."""
    if finite:
        return True
    reason = "`checkpoint` must give finite numbers; got others"
    if not run.pass_over:
        raise UnusableClipError(f"{reason} for clip {task.case.name}.")
    _pass_over(task, run, reason)
    return False
