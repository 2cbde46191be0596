"""Brings stores of the same sweep together, as when machines without a common disk each ran a part."""

from collections.abc import Sequence

import numpy as np

from jaxsal.evaluation.sweep import records
from jaxsal.evaluation.sweep.cells import Cell, Group, Ledger
from jaxsal.evaluation.sweep.config import SweepConfig
from jaxsal.evaluation.sweep.run import check_store, open_groups
from jaxsal.evaluation.sweep.store import DamagedError, Store
from jaxsal.options import MEASURES


def merge_stores(config: SweepConfig, others: Sequence[str], groups: Sequence[Group] | None = None) -> dict[str, int]:
    """Takes over the scores and results that other stores hold and the config's store lacks.

    Chunk by chunk, each whole or not at all: a merge that was interrupted is finished by doing it again.

    Args:
      config: The sweep; its store takes.
      others: The stores to take from.
      groups: The cells of the sweep, if they are open already.

    Returns:
      How many masks and results were taken.

    Raises:
      FileNotFoundError: If one of the others is no store.
      ValueError: If the two are of other chunk sizes or clips.
    """
    groups = open_groups(config) if groups is None else groups
    store = Store(config.store, create=True)
    sources = [Store(other) for other in others]
    for source in sources:
        check_store(source, config)
    if store.attributes("") is None:
        about = sources[0].attributes("") or {}
        store.update_group("", lambda before: about if before is None else before)
    check_store(store, config)
    records.prepare(store, groups, masks_per_commit=config.masks_per_commit, curve_steps=config.curve_steps)
    masks = results = 0
    for source in sources:
        for group in groups:
            for ledger in group.ledgers.values():
                masks += _merge_ledger(store, source, ledger, group, config.masks_per_commit)
            for cell in group.cells:
                results += _merge_cell(store, source, cell, group)
    store.settle()
    return dict(masks=masks, results=results)


def _merge_ledger(store: Store, source: Store, ledger: Ledger, group: Group, per_commit: int) -> int:
    mine, theirs = records.rows(store, ledger.path), records.rows(source, ledger.path)
    taken = 0
    for name in (case.name for case in group.cases if case.name in theirs):
        row, other = mine[name], theirs[name]
        if not _same_clip(store, source, ledger.path, name, row, other):
            continue
        logits, _ = records.read_logits(store, ledger, row, per_commit)
        found, _ = records.read_logits(source, ledger, other, per_commit)
        found = np.pad(found, [(0, max(len(logits) - len(found), 0)), (0, 0)], constant_values=np.nan)[: len(logits)]
        wanted = np.isnan(logits).any(axis=1) & ~np.isnan(found).any(axis=1)
        logits[wanted] = found[wanted]
        if wanted.any():
            for array in ("digest", "clip_logits"):
                store.write(f"{ledger.path}/{array}", row, source.read(f"{ledger.path}/{array}", other))
        for start in range(0, len(logits), per_commit):
            if wanted[start : start + per_commit].any():
                records.write_logits(store, ledger, row, logits, start, per_commit)
        taken += int(wanted.sum())
    return taken


def _same_clip(store: Store, source: Store, path: str, name: str, row: int, other: int) -> bool:
    """Whether the source says which clip its results are of; an error if it is another one than the store's."""
    try:
        theirs = source.read(f"{path}/digest", other)
        mine = store.read(f"{path}/digest", row)
    except DamagedError:
        return False
    if mine.any() and theirs.any() and not np.array_equal(mine, theirs):
        raise ValueError(f"`merge` must name stores of the same clips; got another {name} in {source.url}.")
    return bool(theirs.any())


def _merge_cell(store: Store, source: Store, cell: Cell, group: Group) -> int:
    mine, theirs = records.rows(store, cell.path), records.rows(source, cell.path)
    taken = 0
    for name in (case.name for case in group.cases if case.name in theirs):
        row, other = mine[name], theirs[name]
        result = records.read_result(source, cell.path, other, verify=True)
        if result is None or records.read_result(store, cell.path, row) is not None:
            continue
        if _same_clip(store, source, cell.path, name, row, other):
            names = ["digest", "saliency", *(MEASURES if cell.identity["curves"] else ())]
            arrays = {array: source.read(f"{cell.path}/{array}", other) for array in names}
            records.write_result(store, cell.path, row, arrays, result)
            taken += 1
    return taken
