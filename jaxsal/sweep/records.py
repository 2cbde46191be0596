"""What a sweep's store holds of each clip: scores in ledgers, maps and measures in cells, and what is damaged."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxsal.evaluate import file_name
from jaxsal.sweep.cells import Cell, Group, Ledger
from jaxsal.sweep.store import DamagedError, Store

FIELDS = ("target", "probability", "deletion", "insertion", "floor", "seconds")
MEASURES = ("deletion", "insertion")


def prepare(store: Store, groups: Sequence[Group], *, masks_per_commit: int, curve_steps: int) -> None:
    """Makes the groups and arrays of all cells and ledgers, or lengthens those that are there."""
    for name in ("ledgers", "cells"):
        store.write_group(name, {})
    for group in groups:
        num_classes = len(group.network.spec.classes)
        for path, ledger in group.ledgers.items():
            count = _prepare_group(store, path, ledger.identity, group)
            masks = ledger.options.num_masks
            store.make_array(
                f"{path}/logits",
                (count, masks, num_classes),
                (1, masks_per_commit, num_classes),
                ("clip", "mask", "class"),
            )
            store.make_array(f"{path}/clip_logits", (count, num_classes), (1, num_classes), ("clip", "class"))
            store.make_array(f"{path}/scored", (count,), (1,), ("clip",), "int32")
            store.make_array(f"{path}/digest", (count, 8), (1, 8), ("clip", "word"), "int32")
        for cell in group.cells:
            count = _prepare_group(store, cell.path, cell.identity, group)
            shape = map_shape(cell, group)
            store.make_array(f"{cell.path}/saliency", (count, *shape), (1, *shape), ("clip", "time", "row", "column"))
            for measure in MEASURES if curve_steps else ():
                store.make_array(f"{cell.path}/{measure}", (count, curve_steps), (1, curve_steps), ("clip", "step"))
            store.make_array(
                f"{cell.path}/results", (count, len(FIELDS)), (1, len(FIELDS)), ("clip", "field"), "float64"
            )


def map_shape(cell: Cell, group: Group) -> tuple[int, int, int]:
    """(T', H, W) of a cell's maps."""
    if cell.ledger is not None:
        return cell.ledger.shape
    num_frames, height, width, _ = group.network.spec.clip_shape
    return num_frames // group.network.classifier.frames_per_mask, height, width


def _prepare_group(store: Store, path: str, identity: dict[str, Any], group: Group) -> int:
    """Notes what a group is of; its clips stay in the order in which they came. Returns how many there are."""
    before = store.attributes(path)
    clips = [] if before is None else before["clips"]
    clips += [case.name for case in group.cases if case.name not in clips]
    labels = ({} if before is None else before["labels"]) | {case.name: case.label for case in group.cases}
    attributes = dict(
        identity=identity,
        checkpoint=group.network.folder,
        clips=clips,
        labels=labels,
        classes=group.network.spec.classes,
        fields=FIELDS,
    )
    if json.loads(json.dumps(attributes)) != before:
        store.write_group(path, attributes)
    return len(clips)


def rows(store: Store, path: str) -> dict[str, int]:
    """The row of every clip in a ledger or cell."""
    attributes = store.attributes(path) or {"clips": []}
    return {name: row for row, name in enumerate(attributes["clips"])}


def read_logits(store: Store, ledger: Ledger, row: int, per_commit: int) -> tuple[Float[np.ndarray, "N K"], list[str]]:
    """The scores of a clip, NaN where they are missing or damaged, and what was damaged."""
    path = f"{ledger.path}/logits"
    num_masks, num_classes = store.shape(path)[1:]
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
    """Commits the chunk of scores that begins at mask `start`, then how many masks there are."""
    part = slice(start, min(start + per_commit, len(logits)))
    store.write(f"{ledger.path}/logits", (row, part), logits[part])
    store.write(f"{ledger.path}/scored", row, np.int32((~np.isnan(logits).any(axis=1)).sum()))


def num_scored(store: Store, ledger: Ledger, row: int) -> int:
    """How many masks of a clip were committed."""
    try:
        return int(store.read(f"{ledger.path}/scored", row))
    except DamagedError:
        return 0


def read_result(store: Store, cell_path: str, row: int) -> dict[str, float] | None:
    """What a cell found of a clip; None unless it, its map and its curves are all there and whole."""
    try:
        found = store.read(f"{cell_path}/results", row)
        if np.isnan(found[0]):
            return None
        names = ["saliency", *(name for name in MEASURES if store.has(f"{cell_path}/{name}"))]
        if any(np.isnan(store.read(f"{cell_path}/{name}", row)).any() for name in names):
            return None
    except DamagedError:
        return None
    return dict(zip(FIELDS, found.tolist(), strict=True))


def write_result(store: Store, cell_path: str, row: int, arrays: dict[str, Any], result: dict[str, float]) -> None:
    """Commits what a cell found of a clip: the map and the curves, and last the row that says it is done."""
    for name, values in arrays.items():
        store.write(f"{cell_path}/{name}", row, values)
    store.write(f"{cell_path}/results", row, np.array([result[name] for name in FIELDS]))


def note_failure(store: Store, case_name: str, reason: str) -> None:
    """Records a clip that could not be used."""
    store.write_file(f"failures/{file_name(case_name)}.json", dict(clip=case_name, reason=reason))


def clear_failure(store: Store, case_name: str) -> None:
    """Takes the record back, once the clip could be used."""
    store.delete_file(f"failures/{file_name(case_name)}.json")
