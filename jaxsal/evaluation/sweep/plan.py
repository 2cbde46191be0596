"""What a sweep has still to do: found out once, from the store, and the same in every process."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from jaxsal.evaluation.evaluate import Case
from jaxsal.evaluation.sweep import records
from jaxsal.evaluation.sweep.cells import Cell, Group, Ledger
from jaxsal.evaluation.sweep.config import SweepConfig
from jaxsal.evaluation.sweep.progress import Plan
from jaxsal.evaluation.sweep.store import Store


class Task(NamedTuple):
    """What is still to do on one clip.

    Attributes:
      group: What the clip is of.
      case: The clip.
      cells: Those without a result.
      ledgers: Those that lack something of the clip, or that these cells read.
      missing: Numbers of the masks that each ledger lacks, by path; none where the clip's logits or digest are bad.
      rows: The row of the clip in each cell and ledger, by path.
      digest: SHA-256 of the clip that the store's results are of; None if there is none yet.
      passes: Forward passes.
    """

    group: Group
    case: Case
    cells: tuple[Cell, ...]
    ledgers: tuple[Ledger, ...]
    missing: dict[str, Int[np.ndarray, " M"]]
    rows: dict[str, int]
    digest: str | None
    passes: int


def survey(store: Store, groups: Sequence[Group], config: SweepConfig, *, verify: bool = False) -> dict[str, Any]:
    """Reads what the store holds of a sweep, as JSON has it; what is damaged counts as missing.

    Every score is read. Of a cell, the row that says that it is done is; the maps too with `verify`.
    """
    damaged: list[str] = []
    found = [_survey_group(store, group, config, verify, damaged) for group in groups]
    return dict(groups=found, damaged=damaged)


def _survey_group(store: Store, group: Group, config: SweepConfig, verify: bool, damaged: list[str]) -> dict[str, Any]:
    """Of a group: the rows by path, and per clip the missing cells, the missing masks and the digest."""
    ledgers = list(group.ledgers.values())
    paths = [*(ledger.path for ledger in ledgers), *(cell.path for cell in group.cells)]
    rows = dict(zip(paths, records.at_once(lambda path: records.rows(store, path), paths), strict=True))
    digests = dict(zip(paths, records.at_once(lambda path: _digests(store, path, rows[path]), paths), strict=True))
    done = records.at_once(lambda cell: _done(store, cell, rows[cell.path], verify), group.cells)
    missing = {
        ledger.path: _missing(store, ledger, group, rows[ledger.path], digests[ledger.path], config, damaged)
        for ledger in ledgers
    }
    clips = []
    for case in group.cases:
        known = [found[case.name] for found in digests.values() if case.name in found]
        clips.append(
            dict(
                cells=[
                    number
                    for number, cell in enumerate(group.cells)
                    if case.name not in done[number] or case.name not in digests[cell.path]
                ],
                missing={path: found[case.name] for path, found in missing.items() if case.name in found},
                digest=known[0] if known else None,
                rows=[rows[path].get(case.name, -1) for path in paths],
            )
        )
    return dict(paths=paths, clips=clips)


def _digests(store: Store, path: str, rows: dict[str, int]) -> dict[str, str]:
    """SHA-256 of the clips that results are of, where there is one."""
    words = records.read_rows(store, f"{path}/digest", (len(rows), 8), 0).astype("<i4")
    return {name: words[row].tobytes().hex() for name, row in rows.items() if words[row].any()}


def _done(store: Store, cell: Cell, rows: dict[str, int], verify: bool) -> set[str]:
    """The clips of which a cell has its result."""
    results = records.read_rows(store, f"{cell.path}/results", (len(rows), len(records.FIELDS)))
    done = {name: row for name, row in rows.items() if not np.isnan(results[row, 0])}
    if verify:
        whole = records.at_once(lambda row: records.read_result(store, cell.path, row, verify=True), done.values())
        done = {name: row for (name, row), result in zip(done.items(), whole, strict=True) if result is not None}
    return set(done)


def _missing(
    store: Store,
    ledger: Ledger,
    group: Group,
    rows: dict[str, int],
    digests: dict[str, str],
    config: SweepConfig,
    damaged: list[str],
) -> dict[str, list[list[int]]]:
    """By clip, the masks that a ledger lacks, as ranges; [] if only what the scores are of is bad."""
    num_masks, num_classes = ledger.options.num_masks, len(group.network.spec.classes)
    if not rows or not store.has(f"{ledger.path}/logits"):
        return {case.name: [[0, num_masks]] for case in group.cases}
    clip_logits = records.read_rows(store, f"{ledger.path}/clip_logits", (len(rows), num_classes))
    count = store.shape(f"{ledger.path}/logits")[0]

    def look(case: Case) -> tuple[list[list[int]], bool, list[str]]:
        row = rows.get(case.name, count)
        if row >= count:
            return [[0, num_masks]], False, []
        logits, found = records.read_logits(store, ledger, row, config.masks_per_commit)
        absent = np.ones(num_masks, bool)
        absent[: len(logits)] = np.isnan(logits[:num_masks]).any(axis=1)
        known = case.name in digests and not np.isnan(clip_logits[row]).any()
        return _ranges(absent), known, found

    missing = {}
    for case, (ranges, known, found) in zip(group.cases, records.at_once(look, group.cases), strict=True):
        damaged += found
        if ranges or not known:
            missing[case.name] = ranges
    return missing


def _ranges(flags: np.ndarray) -> list[list[int]]:
    """Where flags are set, as pairs of a start and an end."""
    edges = np.flatnonzero(np.diff(np.pad(flags.astype(np.int8), 1)))
    return edges.reshape(-1, 2).tolist()


def make_plan(found: dict[str, Any], groups: Sequence[Group]) -> tuple[Plan, list[Task]]:
    """What there is to do, in all and clip by clip, from what `survey` found."""
    tasks = [
        _task(group, case, clip, about["paths"])
        for group, about in zip(groups, found["groups"], strict=True)
        for case, clip in zip(group.cases, about["clips"], strict=True)
    ]
    results = sum(len(group.cells) * len(group.cases) for group in groups)
    masks = sum(ledger.options.num_masks * len(g.cases) for g in groups for ledger in g.ledgers.values())
    missing = sum(len(ids) for task in tasks for ids in task.missing.values())
    tasks = [task for task in tasks if task.cells or task.ledgers]
    plan = Plan(
        cells=sum(len(group.cells) for group in groups),
        ledgers=sum(len(group.ledgers) for group in groups),
        clips=sum(len(group.cases) for group in groups),
        results=results,
        results_held=results - sum(len(task.cells) for task in tasks),
        masks=masks,
        masks_held=masks - missing,
        other_passes=sum(task.passes for task in tasks) - missing,
        processes=jax.process_count(),
    )
    return plan, tasks


def _task(group: Group, case: Case, clip: dict[str, Any], paths: list[str]) -> Task:
    cells = tuple(group.cells[number] for number in clip["cells"])
    parts = {path: [np.arange(*pair, dtype=np.int32) for pair in pairs] for path, pairs in clip["missing"].items()}
    missing = {path: np.concatenate([np.zeros(0, np.int32), *ids]) for path, ids in parts.items()}
    read = {cell.ledger.path for cell in cells if cell.ledger is not None}
    ledgers = tuple(ledger for path, ledger in group.ledgers.items() if path in missing or path in read)
    passes = 1 + sum(map(len, missing.values())) + sum(group.passes[cell.path] for cell in cells)
    rows = dict(zip(paths, clip["rows"], strict=True))
    return Task(group, case, cells, ledgers, missing, rows, clip["digest"], passes)
