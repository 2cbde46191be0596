"""How far a sweep is, and sweeps that several machines ran, taken together."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxsal.core.origin import origin
from jaxsal.evaluation.cells import Cell
from jaxsal.evaluation.config import SweepConfig
from jaxsal.evaluation.grid import open_groups
from jaxsal.evaluation.groups import Group
from jaxsal.evaluation.maps import clip_results
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.store import Store
from jaxsal.metrics.floor import floor_note, mean_floors
from jaxsal.metrics.summary import ClipResult
from jaxsal.recipes import MEASURES, resolve_options


class Status(NamedTuple):
    """How far a sweep is.

    Attributes:
      text: For people: every cell and ledger, then `ending`.
      ending: What is left, where the store is, and what went wrong.
      data: For machines.
    """

    text: str
    ending: str
    data: dict[str, Any]


def status(config: SweepConfig, groups: Sequence[Group] | None = None, *, new: bool = False) -> Status:
    """What the store holds of a sweep and what is left to do; reads no score, computes and writes nothing.

    Args:
      config: The sweep.
      groups: Its cells, if they are open already.
      new: Whether the store may be missing.

    Raises:
      FileNotFoundError: If there is no store and it may not be new, or a checkpoint or a set of clips is missing.
      ValueError: If the config does not fit the checkpoints or the clips.
    """
    store = Store(config.store, create=new)
    groups = open_groups(config) if groups is None else groups
    plan, tasks = make_plan(groups, store)
    left = Counter((id(task.group), number) for task in tasks for number in task.cells)
    missing: Counter[str] = Counter()
    for task in tasks:
        missing.update(task.scores)
    cells, scores = [], []
    for group in groups:
        count = len(group.cases)
        for number, cell in enumerate(group.cells):
            what = describe(group, cell)
            clips = len(group.cases_of(number))
            cells.append(dict(cell=group.series[number], what=what, done=clips - left[id(group), number], clips=clips))
        for series, found in group.score_sets.items():
            masks = found.num_masks * count
            scores.append(dict(scores=series, held=masks - missing[series], masks=masks))
    failures = [note for series in store.descriptions("failure") for note in store.notes("failure", series).values()]
    lines = [f"{cell['done']:6,} of {cell['clips']:,} clips  {cell['what']}" for cell in cells]
    lines += [f"{one['held']:,} of {one['masks']:,} masks held in scores {one['scores']}" for one in scores]
    ending = [str(plan), f"store: {store.url}"]
    notes = _floor_notes(groups, store)
    ending += [*notes, *(f"damaged: {message}" for message in store.damaged)]
    ending += [f"not used: {failure['clip']}: {failure['reason']}" for failure in failures]
    data: dict[str, Any] = dict(store=store.url, cells=cells, ledgers=scores, plan=plan._asdict(), notes=notes)
    data |= dict(damaged=store.damaged, forward_passes=plan.passes, failures=failures)
    return Status("\n".join([*lines, *ending]), "\n".join(ending), data)


def describe(group: Group, cell: Cell) -> str:
    """A cell in one line, with the options that are not those of the default recipe."""
    method = cell.kind.of or cell.method
    usual = dict(frames_per_mask=1) | (vars(resolve_options(method, "default", {})) if cell.options else {})
    options = (vars(cell.options) if cell.options else {}) | dict(frames_per_mask=group.clip_shape[0] // cell.shape[-3])
    changed = ", ".join(f"{name} {value}" for name, value in options.items() if repr(value) != repr(usual[name]))
    place = f"{group.identity['data']} {group.identity['spectrum']}"
    curves = dict.fromkeys(str(cell.measures[name].baseline) for name in MEASURES if name in cell.measures)
    against = f", curves to {' and '.join(curves)}" if curves else ""
    return f"{group.source}, {place}, {cell.method} of the {cell.target} class ({changed or 'all by default'}){against}"


def _floor_notes(groups: Sequence[Group], store: Store) -> list[str]:
    """A line for each choice of baselines that leaves the answer in place, over all results that the store holds."""
    found: dict[tuple[str, ...], list[ClipResult]] = {}
    for group in groups:
        for number, cell in enumerate(group.cells):
            if set(MEASURES) <= cell.measures.keys():
                baselines = tuple(str(cell.measures[name].baseline) for name in MEASURES)
                found.setdefault(baselines, []).extend(clip_results(store, group, number))
    notes = [floor_note(mean_floors(own), dict(zip(MEASURES, names, strict=True))) for names, own in found.items()]
    return [note for note in notes if note]


def merge_stores(config: SweepConfig, others: Sequence[str]) -> dict[str, int]:
    """Takes over the scores and results that other stores of a sweep hold and the config's store lacks.

    Each part of a store is copied whole or not at all: a merge that was interrupted is finished by doing it again.

    Returns:
      How many masks and results were taken.

    Raises:
      FileNotFoundError: If one of the others is no store.
      ValueError: If the two have different clips of one name.
    """
    store, taken = Store(config.store, create=True), Counter[str]()
    for other in others:
        for (kind, _), count in store.merge(Store(other)).items():
            taken[kind] += count
    if store.about() is None:
        store.write_about(dict(config=dataclasses.asdict(config), **origin()))
    return dict(masks=taken["scores"], results=taken["result"])
