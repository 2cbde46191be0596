"""The maps of a cell from its scores, and what the measures say of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxsal.core.types import AnyArray, OneTarget
from jaxsal.engine.batch import Batch
from jaxsal.engine.requests import Scores
from jaxsal.evaluation.cells import Cell
from jaxsal.metrics.measures import MEASURES, Measured
from jaxsal.saliency.methods import Method

Map = Float[AnyArray, "*S Tm H W"]


def cell_maps(
    batch: Batch,
    cell: Cell,
    classes: Sequence[OneTarget],
    scores: Mapping[int, Scores] | None,
    clips: Sequence[int],
) -> dict[int, np.ndarray]:
    """A method's maps of some clips of a batch.

    Args:
      batch: The clips.
      cell: The cell, not of a control.
      classes: The explained class of every clip of the batch.
      scores: By clip, for a method that reads them.
      clips: Numbers of the clips.
    """
    method: Method = cell.kind
    if method.maps is not None:
        maps = np.asarray(method.maps(batch, classes, cell.options, cell.seed))
        return {clip: maps[clip] for clip in clips}
    assert method.read_out is not None
    assert scores is not None
    return {clip: np.asarray(method.read_out(scores[clip], classes[clip], cell.options)) for clip in clips}


class Owner(NamedTuple):
    """Whose map it is: the number of the clip and of the cell, and the explained class."""

    clip: int
    cell: int
    label: OneTarget


def measure_maps(
    batch: Batch,
    measures: Mapping[str, Any],
    maps: Mapping[Owner, Map],
    *,
    filled: int,
    run: Callable[[str, Callable[..., Any]], Any],
) -> dict[Owner, dict[str, Measured]]:
    """What measures say of maps of one shape, by name.

    Args:
      batch: The clips.
      measures: By name, the options of each measure.
      maps: The maps.
      filled: How many maps programs are made for; fewer are filled up with copies of the last one.
      run: Runs a function that takes `chunk_size`, perturbed clips in memory at once.
    """
    owners = list(maps)
    stacked = np.stack([np.asarray(maps[owner], np.float32) for owner in owners])
    stacked = np.concatenate([stacked, np.repeat(stacked[-1:], max(filled - len(owners), 0), axis=0)])
    found: dict[Owner, dict[str, Measured]] = {owner: {} for owner in owners}
    clips, labels = [owner.clip for owner in owners], [owner.label for owner in owners]
    shared: dict[Any, Sequence[Any]] = {}  # measures that read the same share it
    for name, options in measures.items():
        kind = MEASURES[name]
        if (same := kind.shares(options)) not in shared:
            measure = partial(kind.measure, batch, clips, stacked, labels, options)
            shared[same] = run(name, lambda chunk_size, measure=measure: measure(chunk_size))
        for owner, own in zip(owners, shared[same], strict=True):
            found[owner][name] = kind.read(own)
    return found


def seconds_of(action: Callable[[], Any]) -> tuple[Any, float]:
    """What an action gives, and the seconds it took until its arrays were there."""
    start = time.perf_counter()
    result = jax.block_until_ready(action())
    return result, time.perf_counter() - start
