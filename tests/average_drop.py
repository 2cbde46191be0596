"""A measure of one's own in one file: how much of a probability is lost where only the salient half is kept."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal.engine.baselines import Baseline
from jaxsal.engine.masks import DenseMasks, Families
from jaxsal.engine.scoring import score
from jaxsal.metrics.measures import Measure, Measured, add_measure


@dataclass(frozen=True)
class DropOptions:
    """What stands in for the other half."""

    baseline: str = "mean"


def average_drop(batch, owners, maps, classes, options, chunk_size):
    """max(0, p_c(clip) - p_c(kept half)) / p_c(clip); low is good."""
    halves = maps >= np.median(maps, axis=(1, 2, 3), keepdims=True)
    families = Families.of([DenseMasks(jnp.asarray(half[None], jnp.float32)) for half in halves])
    pairs = np.array([(owner, number) for number, owner in enumerate(owners)], np.int32)
    ids, baseline = np.zeros(len(owners), np.int32), Baseline.of(options.baseline)
    kept = jax.nn.softmax(score(batch, families, pairs, ids, baseline=baseline, chunk_size=chunk_size))
    whole = jax.nn.softmax(batch.logits)
    drops = [1 - kept[n, k] / whole[owner, k] for n, (owner, k) in enumerate(zip(owners, classes, strict=True))]
    return [Measured(max(float(drop), 0.0)) for drop in drops]


MEASURE = Measure("average_drop", -1, average_drop, num_passes=lambda clip_shape, num_slices, options: 1)


def register():
    add_measure(MEASURE, DropOptions())
