"""Mu-fidelity and infidelity: whether the credit of removed cells says how much the score falls without them.

Both read the same scores: random sets of cells are removed, the same sets for every map of a clip, so that they take
one pass a set whatever the number of maps.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxsal.core.types import AnyArray, OneTarget
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.class_scores import target_scores
from jaxsal.engine.coalitions import Coalitions, cells_of
from jaxsal.engine.requests import Request, score_requests
from jaxsal.metrics.measure import Measure, Measured
from jaxsal.recipes import measure_sign
from jaxsal.recipes.measuring import FidelityOptions as FidelityOptions


class Removal(NamedTuple):
    """What the removal of each set of cells should take from the score by the map, and what it takes.

    Attributes:
      credits: The map's credit on the removed cells, sum over v in S_n of S(v), (N,).
      drops: w(clip) - w(clip without S_n), (N,).
      options: How both are compared.
    """

    credits: Float[np.ndarray, " N"]
    drops: Float[np.ndarray, " N"]
    options: FidelityOptions


def mu_fidelity(credits: Float[AnyArray, " N"], drops: Float[AnyArray, " N"], correlation: str = "pearson") -> float:
    """The correlation of what the map says is lost with what is lost.

    corr_n(sum_{v in S_n} S(v), w(x) - w(x without S_n)), w the score of the class, S_n random sets of one size.

    Args:
      credits: The map's credit on each removed set.
      drops: What the score lost without each.
      correlation: "pearson", as in the paper, or "spearman".

    Returns:
      In [-1, 1]; 0 where the map has the same credit on every set; NaN where every set loses the same.

    References:
      Bhatt et al., "Evaluating and Aggregating Feature-based Model Explanations", 2020,
      https://arxiv.org/abs/2005.00631
    """
    from scipy.stats import rankdata

    one, other = (np.asarray(values, np.float64) for values in (credits, drops))
    if correlation == "spearman":
        one, other = rankdata(one), rankdata(other)
    if np.ptp(other) == 0:
        return np.nan
    return float(np.corrcoef(one, other)[0, 1]) if np.ptp(one) > 0 else 0.0


def infidelity(credits: Float[AnyArray, " N"], drops: Float[AnyArray, " N"], *, scaled: bool = True) -> float:
    """The mean squared error of what the map says is lost.

    mean_n (b sum_{v in S_n} S(v) - (w(x) - w(x without S_n)))^2, w the score of the class, S_n random sets. Here the
    perturbation I of the source removes S_n, and the map's credit on S_n stands for I^T Phi.

    Args:
      credits: The map's credit on each removed set.
      drops: What the score lost without each.
      scaled: b = mean(credit drop) / mean(credit^2), the best scale of the map; 1 if False.

    Returns:
      At least 0, in the score's unit squared.

    References:
      Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019, https://arxiv.org/abs/1901.09392
    """
    one, other = (np.asarray(values, np.float64) for values in (credits, drops))
    power = float(np.mean(one**2))
    scale = (float(np.mean(one * other)) / power if power > 0 else 0.0) if scaled else 1.0
    return float(np.mean((scale * one - other) ** 2))


def draw_subsets(options: FidelityOptions, num_cells: int) -> Bool[np.ndarray, "N P"]:
    """Which cells each set removes: max(1, round(share P)) of P; set n depends on (seed, n) alone."""
    size = min(max(round(options.share * num_cells), 1), num_cells - 1)
    numbers = range(options.num_subsets)
    return np.stack([np.random.default_rng([options.seed, n]).permutation(num_cells) < size for n in numbers])


def _removals(
    batch: Batch,
    owners: Sequence[int],
    maps: Float[AnyArray, "F *S Tm H W"],
    classes: Sequence[OneTarget],
    options: FidelityOptions,
    chunk_size: int,
) -> list[Removal]:
    """The removals of each map; each clip is scored once."""
    cells = cells_of(tuple(maps.shape[1:]), options.grid_shape)
    num_cells = math.prod(options.grid_shape) * (maps.shape[1] if maps.ndim == 5 else 1)
    removed = draw_subsets(options, num_cells)
    ids, clips = np.arange(len(removed), dtype=np.int32), sorted(set(owners))
    requests = [Request(clip, 0, ids) for clip in clips]
    baseline = Baseline.of(options.baseline)
    scores = score_requests(batch, [Coalitions(cells, ~removed)], requests, baseline=baseline, chunk_size=chunk_size)
    of_clip = dict(zip(clips, scores, strict=True))
    found = []
    for owner, label, saliency in zip(owners, classes, np.asarray(maps, np.float64), strict=False):
        own = of_clip[owner]
        rows = np.concatenate([np.asarray(own.clip_logits)[None], np.asarray(own.logits)])
        whole, *without = np.asarray(target_scores(rows, label, options.scores), np.float64)
        credits = removed @ np.bincount(cells.ravel(), saliency.ravel(), num_cells)
        found.append(Removal(credits, whole - np.array(without), options))
    return found


def _correlation(found: Removal) -> Measured:
    return Measured(mu_fidelity(found.credits, found.drops, found.options.correlation))


def _error(found: Removal) -> Measured:
    return Measured(infidelity(found.credits, found.drops, scaled=found.options.scaled))


def _num_passes(clip_shape: tuple[int, ...], num_slices: int, options: FidelityOptions) -> int:
    return options.num_subsets


MU_FIDELITY = Measure("mu_fidelity", measure_sign("mu_fidelity"), _removals, _num_passes, read=_correlation)
INFIDELITY = Measure("infidelity", measure_sign("infidelity"), _removals, _num_passes, read=_error)
