"""What a sweep's store holds of each clip: scores in ledgers, maps and measures in cells, and what is damaged."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from jaxsal.evaluation.evaluate import Case
from jaxsal.evaluation.sweep.cells import Cell, Group, Ledger
from jaxsal.evaluation.sweep.store import DamagedError, Store
from jaxsal.options import MEASURES

FIELDS = ("target", "probability", *MEASURES, "floor", "seconds")
_AT_ONCE = 16


def at_once(function: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
    """`map` with several calls waiting for the store at the same time."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(function, *arguments))


def prepare(store: Store, groups: Sequence[Group], *, masks_per_commit: int, curve_steps: int) -> None:
    """Makes the groups and arrays of all cells and ledgers, or lengthens those that are there."""
    for name in ("ledgers", "cells", "failures"):
        store.update_group(name, lambda before: {})
    ledgers = [(ledger, group) for group in groups for ledger in group.ledgers.values()]
    cells = [(cell, group) for group in groups for cell in group.cells]
    at_once(lambda pair: _prepare_ledger(store, pair[0], pair[1], masks_per_commit), ledgers)
    at_once(lambda pair: _prepare_cell(store, pair[0], pair[1], curve_steps), cells)


def _prepare_ledger(store: Store, ledger: Ledger, group: Group, masks_per_commit: int) -> None:
    path, num_classes = ledger.path, len(group.network.spec.classes)
    count = _prepare_group(store, path, group, identity=ledger.identity)
    chunk = (1, masks_per_commit, num_classes)
    store.make_array(f"{path}/logits", (count, ledger.options.num_masks, num_classes), chunk, ("clip", "mask", "class"))
    store.make_array(f"{path}/clip_logits", (count, num_classes), (1, num_classes), ("clip", "class"))
    store.make_array(f"{path}/digest", (count, 8), (1, 8), ("clip", "word"), "int32")


def _prepare_cell(store: Store, cell: Cell, group: Group, curve_steps: int) -> None:
    path, shape = cell.path, map_shape(cell, group)
    ledger = None if cell.ledger is None else cell.ledger.path
    count = _prepare_group(store, path, group, identity=cell.identity, ledger=ledger)
    store.make_array(f"{path}/saliency", (count, *shape), (1, *shape), ("clip", "time", "row", "column"))
    for measure in MEASURES if curve_steps else ():
        store.make_array(f"{path}/{measure}", (count, curve_steps), (1, curve_steps), ("clip", "step"))
    store.make_array(f"{path}/digest", (count, 8), (1, 8), ("clip", "word"), "int32")
    store.make_array(f"{path}/results", (count, len(FIELDS)), (1, len(FIELDS)), ("clip", "field"), "float64")
    store.write_names(f"{path}/field", FIELDS)


def map_shape(cell: Cell, group: Group) -> tuple[int, int, int]:
    """(T', H, W) of a cell's maps."""
    if cell.ledger is not None:
        return cell.ledger.shape
    num_frames, height, width, _ = group.network.spec.clip_shape
    return num_frames // group.network.classifier.frames_per_mask, height, width


def _prepare_group(store: Store, path: str, group: Group, **about: Any) -> int:
    """Notes what a group is of; its clips stay in the order in which they came. Returns how many there are."""

    def change(before: dict[str, Any] | None) -> dict[str, Any]:
        clips, labels = ([], {}) if before is None else (before["clips"], before["labels"])
        return about | dict(
            checkpoint=group.network.folder,
            clips=list(dict.fromkeys([*clips, *(case.name for case in group.cases)])),
            labels=labels | {case.name: case.label for case in group.cases},
            classes=group.network.spec.classes,
        )

    attributes = store.update_group(path, change)
    store.write_names(f"{path}/clip", attributes["clips"])
    store.write_names(f"{path}/class", attributes["classes"])
    return len(attributes["clips"])


def rows(store: Store, path: str) -> dict[str, int]:
    """The row of every clip in a ledger or cell."""
    attributes = store.attributes(path) or {"clips": []}
    return {name: row for row, name in enumerate(attributes["clips"])}


def read_rows(
    store: Store, path: str, shape: tuple[int, int], fill: float = np.nan
) -> Shaped[np.ndarray, "rows width"]:
    """A whole array of one row per clip; `fill` in rows that are missing or damaged."""
    found = np.full(shape, fill)
    if not store.has(path):
        return found
    count = min(store.shape(path)[0], shape[0])
    try:
        found[:count] = store.read(path)[:count]
    except DamagedError:
        for row in range(count):
            try:
                found[row] = store.read(path, row)
            except DamagedError:
                continue
    return found


def read_logits(store: Store, ledger: Ledger, row: int, per_commit: int) -> tuple[Float[np.ndarray, "N K"], list[str]]:
    """The scores of a clip, NaN where they are missing or damaged, and what was damaged."""
    path = f"{ledger.path}/logits"
    num_masks, num_classes = store.shape(path)[1:]
    try:
        return np.array(store.read(path, row)), []
    except DamagedError:
        pass
    logits, damaged = np.full((num_masks, num_classes), np.nan, np.float32), []
    for start in range(0, num_masks, per_commit):
        part = slice(start, min(start + per_commit, num_masks))
        try:
            logits[part] = store.read(path, (row, part))
        except DamagedError as error:
            damaged.append(str(error))
    return logits, damaged


def write_logits(
    store: Store, ledger: Ledger, row: int, logits: Float[np.ndarray, "N K"], start: int, per_commit: int
) -> None:
    """Commits the chunk of scores that begins at mask `start`."""
    part = slice(start, min(start + per_commit, len(logits)))
    store.write(f"{ledger.path}/logits", (row, part), logits[part])


def read_result(store: Store, path: str, row: int, *, verify: bool = False) -> dict[str, float] | None:
    """What a cell found of a clip; None unless it is there, which it is once its map and its curves are.

    Args:
      store: The store.
      path: Of the cell.
      row: Of the clip.
      verify: Whether to read the map and the curves too, and return None if they are not whole.
    """
    try:
        found = store.read(f"{path}/results", row)
        if np.isnan(found[0]):
            return None
        names = [name for name in ("saliency", *MEASURES) if verify and store.has(f"{path}/{name}")]
        if any(np.isnan(store.read(f"{path}/{name}", row)).any() for name in names):
            return None
    except DamagedError:
        return None
    return dict(zip(FIELDS, found.tolist(), strict=True))


def write_result(store: Store, path: str, row: int, arrays: dict[str, Any], result: dict[str, float]) -> None:
    """Commits what a cell found of a clip: the map and the curves, and last the row that says it is done."""
    for name, values in arrays.items():
        store.write(f"{path}/{name}", row, values)
    store.write(f"{path}/results", row, np.array([result[name] for name in FIELDS]))


def digest_words(digest: str) -> Shaped[np.ndarray, "8"]:
    """A SHA-256 as the store has it."""
    return np.frombuffer(bytes.fromhex(digest), "<i4").astype(np.int32)


def note_failure(store: Store, group: Group, case: Case, reason: str) -> None:
    """Records a clip that could not be used."""
    about = {name: group.identity[name] for name in ("data", "split", "spectrum")}
    note = dict(clip=case.name, reason=reason, checkpoint=group.network.folder, **about)
    store.update_group(group.failure_path(case), lambda before: note)


def failures(store: Store) -> list[dict[str, Any]]:
    """The clips that could not be used: clip, reason, checkpoint, data, split, spectrum."""
    notes = [store.attributes(f"failures/{name}") for name in store.groups("failures")]
    return [note for note in notes if note is not None]


def clear_failure(store: Store, group: Group, case: Case) -> None:
    """Takes the record back, once the clip could be used."""
    store.delete_group(group.failure_path(case))
