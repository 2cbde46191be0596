"""Rows whose masks keep all or nothing: a batch knows their logits, or learns them once."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxsal.core.types import AnyArray
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import REPLACED, UNTOUCHED, Batch, End


def _end(kind: int, baseline: Baseline) -> End:
    """What a batch keeps an end's logits by."""
    return UNTOUCHED if kind == UNTOUCHED else (REPLACED, baseline)


def unknown_rows(batch: Batch, pairs: np.ndarray, ends: np.ndarray, baseline: Baseline) -> Int[np.ndarray, " n"]:
    """The rows to score: all but ends whose logits the batch knows, or that an earlier row finds out."""
    wanted = ends == 0
    for kind in (UNTOUCHED, REPLACED):
        rows = np.flatnonzero(ends == kind)
        rows = rows[~batch.knows(_end(kind, baseline))[pairs[rows, 0]]]
        _, first = np.unique(pairs[rows, 0], return_index=True)
        wanted[rows[first]] = True
    return np.flatnonzero(wanted)


def with_ends(
    batch: Batch, logits: AnyArray, todo: np.ndarray, pairs: np.ndarray, ends: np.ndarray, baseline: Baseline
) -> Float[AnyArray, "N K"]:
    """The logits of all rows: the scored ones, and the ones that the batch knows."""
    found = _set(np.zeros((len(ends), batch.num_classes), np.float32), todo, logits)
    for kind in (UNTOUCHED, REPLACED):
        rows, end = np.flatnonzero(ends == kind), _end(kind, baseline)
        scored = np.intersect1d(rows, todo)
        if len(scored):
            batch.learn(end, pairs[scored, 0], found[scored])
        if len(rows):
            found = _set(found, rows, batch.end(end)[pairs[rows, 0]])
    return found


def _set(array: AnyArray, rows: Int[np.ndarray, " n"], values: AnyArray) -> AnyArray:
    """array[rows] = values, where either may be traced."""
    if isinstance(values, jax.core.Tracer) or isinstance(array, jax.core.Tracer):
        return jnp.asarray(array).at[rows].set(values)
    array[rows] = values
    return array
