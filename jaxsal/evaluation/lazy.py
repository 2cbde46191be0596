"""A series of a store as an xarray dataset, whose arrays are read clip by clip where they are used."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray
from xarray.backends import BackendArray
from xarray.core.indexing import ExplicitIndexer, IndexingSupport, LazilyIndexedArray, explicit_indexing_adapter

from jaxsal.core.files import DamagedError
from jaxsal.evaluation.parts import PER_MASK, Record, Span, merge_spans
from jaxsal.evaluation.reader import Reader
from jaxsal.recipes import ALONE, MEASURES

_DIMENSIONS: dict[str, tuple[str, ...]] = dict(
    logits=("mask", "class"), clip_logits=("class",), saliency=("time", "row", "column")
)
_CURVES = (*MEASURES, *ALONE)
_DIMENSIONS |= dict.fromkeys(_CURVES, ("step",)) | {f"{name}_fractions": ("step",) for name in _CURVES}
_DIMENSIONS |= {f"{name}_logits": ("step", "class") for name in _CURVES}
_DIMENSIONS |= {f"{name}_replaced": ("class",) for name in _CURVES}


class _ByClip(BackendArray):
    """An array whose first axis is clips, each of which is read when it is indexed."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, load: Callable[[int], np.ndarray]):
        self.shape, self.dtype, self._load = shape, dtype, load

    def __getitem__(self, key: ExplicitIndexer) -> np.ndarray:
        return explicit_indexing_adapter(key, self.shape, IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> np.ndarray:
        clip, *rest = key
        if not isinstance(clip, slice):
            return self._load(int(clip))[tuple(rest)]
        loaded = [self._load(number)[tuple(rest)] for number in range(self.shape[0])[clip]]
        return np.stack(loaded) if loaded else np.zeros((0, *self.shape[1:]), self.dtype)[(slice(None), *rest)]


class _Series:
    """One series, as it was held when it was opened."""

    def __init__(self, store: Reader, kind: str, series: str):
        self.store, self.kind, self.series = store, kind, series
        self.held = store.held(kind, series)
        self.clips, self.num_masks = list(self.held), max(spans[-1][1] for spans in self.held.values())
        self.description = store.description(series) or {}

    def records(self, clip: str) -> list[Record]:
        """The records of a clip; DamagedError if one that was held is missing."""
        records = self.store.read(self.kind, self.series, clip)
        spans: list[Span] = merge_spans(record.span for record in records)
        if spans != self.held[clip]:
            raise DamagedError(f"`dataset` must be whole; got {'; '.join(self.store.damaged)}")
        return records

    def variable(self, name: str, example: np.ndarray) -> xarray.Variable:
        """A variable of all clips, from its array of one record."""
        per_mask = self.kind == "scores" and name in PER_MASK
        shape = (self.num_masks, *example.shape[1:]) if per_mask else example.shape

        def load(number: int) -> np.ndarray:
            whole = np.full(shape, np.nan if example.dtype.kind == "f" else 0, example.dtype)
            for record in self.records(self.clips[number]):
                whole[slice(*record.span) if per_mask else ...] = record.arrays[name]
            return whole

        known = _DIMENSIONS.get(name, tuple(f"{name}_{axis}" for axis in range(len(shape))))
        of_scenes = ("spectrum",) if len(shape) > len(known) else ()
        dimensions = ("clip", *of_scenes, *known)
        array = _ByClip((len(self.clips), *shape), example.dtype, load)
        return xarray.Variable(dimensions, LazilyIndexedArray(array), encoding=dict(chunks=(1, *shape)))


def open_dataset(store: Reader, kind: str, series: str, fields: tuple[str, ...]) -> xarray.Dataset:
    """The dataset of a series that holds something of a kind, see `jaxsal.evaluation.results.Results.dataset`.

    Args:
      store: The store.
      kind: "result" or "scores".
      series: The series.
      fields: Numbers in the notes of results.
    """
    opened = _Series(store, kind, series)
    example = opened.records(opened.clips[0])[0].arrays
    variables: dict[str, Any] = {name: opened.variable(name, array) for name, array in example.items()}
    classes = opened.description["classes"]
    fractions = {name: example[f"{name}_fractions"] for name in _CURVES if f"{name}_fractions" in example}
    for name in fractions:
        del variables[f"{name}_fractions"]
    if kind == "result":
        variables |= _of_each_clip(store.notes(kind, series), opened.clips, classes, fields)
    sizes = xarray.Dataset(variables).sizes
    coordinates: dict[str, Any] = {str(name): np.arange(sizes[name]) for name in sizes if name not in ("clip", "class")}
    coordinates |= {"clip": np.array(opened.clips, object), "class": np.array(classes, object)}
    coordinates |= {f"{name}_fraction": ("step", values) for name, values in fractions.items()}
    return xarray.Dataset(variables, coordinates)


def _of_each_clip(
    notes: dict[str, dict[str, Any]], clips: list[str], classes: list[str], fields: tuple[str, ...]
) -> dict[str, Any]:
    """The values of each clip as a variable each, those that no clip has left out."""
    targets = [classes[notes[clip]["target"]] for clip in clips]
    variables: dict[str, Any] = {"target": ("clip", np.array(targets, object))}
    for field in fields:
        if any(field in notes[clip] for clip in clips):
            values = np.array([notes[clip].get(field, np.nan) for clip in clips], float)
            variables[f"{field}_auc" if field in _CURVES else field] = "clip", values
    return variables
