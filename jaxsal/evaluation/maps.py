"""Maps and results of a store, cell by cell: stored maps, and those that scores give again without a pass."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxsal.engine.requests import Scores
from jaxsal.evaluation.cells import Case, Cell
from jaxsal.evaluation.clips import Held
from jaxsal.evaluation.groups import Group
from jaxsal.evaluation.store import Record, Store
from jaxsal.evaluation.work import read_scores
from jaxsal.metrics.summary import ClipResult
from jaxsal.saliency.methods import Subjects


def read_record(store: Store, kind: str, series: str, clip: str, digest: str | None = None) -> Record:
    """The one record that a series has of a clip.

    Args:
      store: The store.
      kind: "clip" or "result".
      series: The series.
      clip: Name of the clip.
      digest: Fingerprint that the clip must have, if any.

    Raises:
      ValueError: If it is missing or damaged, or is of another clip.
    """
    records = store.read(kind, series, clip)
    if not records or digest not in (None, records[0].note["digest"]):
        raise ValueError(f"{store.url} lacks a whole {kind} of {clip}: run the command that made it again.")
    return records[0]


def whole_scores(store: Store, series: str, clip: str) -> Held:
    """The scores of a clip. Raises ValueError if they are missing or damaged."""
    held = read_scores(store, series, clip)
    if held is None:
        raise ValueError(f"{store.url} lacks whole scores of {clip}: run the command that made them again.")
    return held


def read_map(store: Store, group: Group, number: int, case: Case) -> Float[np.ndarray, "Tm H W"]:
    """The map of a cell of a group; read out of the scores where it is not stored.

    Raises:
      ValueError: If it is missing or damaged.
    """
    record = read_record(store, "result", group.series[number], case.name)
    if "saliency" in record.arrays:
        return record.arrays["saliency"]
    return map_of(store, group.cells[number], group.reads[number], case.name, record.note["target"])


def map_of(store: Store, cell: Cell, series: str | None, clip: str, target: int) -> Float[np.ndarray, "Tm H W"]:
    """The map of a class from scores, or of a method that knows nothing of the clip."""
    method: Any = cell.kind
    if series is None:
        return np.asarray(method.control(Subjects([clip], cell.shape, cell.seed)))[0]
    held = whole_scores(store, series, clip)
    family = method.restored(held.arrays, cell.options, cell.shape, cell.seed)
    scores = Scores(family, held.ids, held.logits, held.arrays["clip_logits"])
    return np.asarray(method.read_out(scores, target, cell.options))


def clip_results(store: Store, group: Group, number: int, cases: Sequence[Case] | None = None) -> list[ClipResult]:
    """The values of a cell, clip by clip; clips without a result are left out.

    Raises:
      ValueError: If one is damaged.
    """
    series, title = group.series[number], group.cells[number].kind.title
    notes: Mapping[str, Any] = store.notes("result", series)
    fields = ("target", "deletion", "insertion", "floor", "start", "seconds")
    return [
        ClipResult(
            clip=c.name, spectrum=c.spectrum, method=title, label=c.label, **{f: notes[c.name][f] for f in fields}
        )
        for c in (group.cases if cases is None else cases)
        if c.name in notes
    ]
