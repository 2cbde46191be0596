"""Maps and results of a store, cell by cell: stored maps, and maps that are read out of scores without a pass."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxsal.core.files import DamagedError
from jaxsal.core.types import ClipTree, Contrast
from jaxsal.engine.requests import Scores
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.clips import Held
from jaxsal.evaluation.groups import Group
from jaxsal.evaluation.parts import merge_spans
from jaxsal.evaluation.store import Record, Store
from jaxsal.metrics.summary import ClipResult
from jaxsal.saliency.controls import Subjects


def read_whole(store: Store, kind: str, series: str, clip: str) -> list[Record]:
    """The records that a series has of a clip. Raises DamagedError if there is none, or one of them is damaged."""
    held = store.spans(kind, series, clip)
    records = store.read(kind, series, clip)
    if not records or merge_spans(record.span for record in records) != held:
        raise _lacking(store, kind, clip)
    return records


def _lacking(store: Store, kind: str, clip: str) -> DamagedError:
    what = "set of scores" if kind == "scores" else kind
    return DamagedError(f"{store.url} lacks a whole {what} of {clip}: run the command that made it again.")


def read_record(store: Store, kind: str, series: str, clip: str, digest: str | None = None) -> Record:
    """The one record that a series has of a clip.

    Args:
      store: The store.
      kind: "clip" or "result".
      series: The series.
      clip: Name of the clip.
      digest: Fingerprint that the clip must have, if any.

    Raises:
      DamagedError: If it is missing or damaged, or is of another clip.
    """
    record = read_whole(store, kind, series, clip)[0]
    if digest not in (None, record.note["digest"]):
        raise _lacking(store, kind, clip)
    return record


def whole_scores(store: Store, series: str, clip: str) -> Held:
    """The scores of a clip. Raises DamagedError if they are missing or damaged."""
    return held_scores(read_whole(store, "scores", series, clip))


def read_map(store: Store, group: Group, number: int, case: Case) -> Float[np.ndarray, "*S Tm H W"]:
    """The map of a cell of a group; read out of the scores where it is not stored.

    Raises:
      ValueError: If it is missing or damaged.
    """
    record = read_record(store, "result", group.series[number], case.name)
    if "saliency" in record.arrays:
        return record.arrays["saliency"]
    cell, series = group.cells[number], group.reads[number]
    method = cell.kind
    if series is None:
        return control_maps(store, group, number, [case.name], [case.load()])[0]
    assert method.restored is not None
    assert method.read_out is not None
    held = whole_scores(store, series, case.name)
    family = method.restored(held.arrays, cell.options, cell.shape, cell.seed)
    scores = Scores(family, held.ids, held.logits, held.arrays["clip_logits"])
    return np.asarray(method.read_out(scores, noted_target(record.note), cell.options))


def noted_target(note: Mapping[str, Any]) -> int | Contrast:
    """What a result explains, from its note: a class, or what tells it from another."""
    return Contrast(note["target"], note["against"]) if "against" in note else note["target"]


def control_maps(
    store: Store, group: Group, number: int, names: Sequence[str], clips: Sequence[ClipTree]
) -> Float[np.ndarray, "B *S Tm H W"]:
    """The maps of a control's cell of some clips, under their names; those of `other` are maps that the store holds.

    Raises:
      ValueError: If one of those is missing or damaged.
    """
    cell, others = group.cells[number], []
    assert cell.kind.control is not None
    if (own := group.own.get(number)) is not None:
        others = [read_map(store, group, own, group.partners[number][name]) for name in names]
    subjects = Subjects(names, clips, cell.shape, cell.seed, others)
    return np.asarray(cell.kind.control(subjects))


def held_scores(records: Sequence[Record]) -> Held:
    """The scores of a clip from its records."""
    ids = np.concatenate([np.arange(*record.span, dtype=np.int32) for record in records])
    logits = np.concatenate([record.arrays["logits"] for record in records])
    return Held(ids, logits, records[0].arrays)


def clip_results(store: Store, group: Group, number: int, cases: Sequence[Case] | None = None) -> list[ClipResult]:
    """The values of a cell, clip by clip; clips without a result are left out.

    Raises:
      ValueError: If one is damaged.
    """
    series, title = group.series[number], group.cells[number].kind.title
    notes = store.notes("result", series)
    fields = ("target", "deletion", "insertion", "floor", "start", "seconds")
    return [
        ClipResult(
            clip=c.name,
            spectrum=c.spectrum,
            method=title,
            label=c.label,
            actor=c.actor,
            **{f: notes[c.name][f] for f in fields},
        )
        for c in (group.cases if cases is None else cases)
        if c.name in notes
    ]
