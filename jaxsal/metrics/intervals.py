"""How sure a mean over clips is, where clips of one actor, or numbers of one training, resemble each other.

What is resampled is the actor, the *cluster*. With several trainings there are two factors, the training and the actor.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxsal.core.checks import check_positive
from jaxsal.core.types import AnyArray

FEWEST_RESAMPLED = 8
"""Clusters from which on an interval is a bootstrap's; of fewer, Student's t covers the mean far better."""
_BLOCK = 1_000

Factor = Sequence[Hashable]
"""The group of each value: its actor, or its training."""


class MeanError(NamedTuple):
    """How sure a mean is.

    Attributes:
      mean: Of the values.
      error: Its standard error.
      freedom: Degrees of freedom of that error.
    """

    mean: float
    error: float
    freedom: float


def mean_interval(
    values: Float[AnyArray, " n"],
    *factors: Factor,
    level: float = 0.95,
    num_resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The interval of a mean: by the bootstrap from eight clusters on, by Student's t for fewer.

    Bootstrap: clusters are drawn with replacement, whole, and the mean of all their values is taken. Such means spread
    too little if clusters are few: by (G - 1) / G in variance, and as if the standard deviation was known. The
    quantiles Phi(+-sqrt(G / (G - 1)) t(G - 1)) undo both for the mean of a normal variable. With two factors, both are
    drawn, each by itself, and a value counts as often as its two groups together.

    Student's t: mean +- t(df) s, see `mean_error`.

    Args:
      values: One per clip, (n,).
      *factors: None where all values are independent; the actors; or the trainings and the actors.
      level: Coverage, in (0, 1).
      num_resamples: Sets that are drawn.
      seed: Of the draws.

    Returns:
      (low, high), in the unit of `values`; None where there are not two clusters.

    Raises:
      ValueError: If there are no values, one is not finite, a factor has another length, or an option is out of range.

    References:
      Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69(4), 2015,
      https://doi.org/10.1080/00031305.2015.1089789; Owen, "The pigeonhole bootstrap", The Annals of Applied Statistics
      1(2), 2007, https://doi.org/10.1214/07-AOAS122
    """
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1); got {level}.")
    check_positive("num_resamples", num_resamples)
    checked = check_values("values", values)
    groups = group_numbers(len(checked), factors)
    if not groups:
        return None
    from scipy.special import ndtr, stdtrit

    counts = [int(group.max()) + 1 for group in groups]
    if min(counts) < FEWEST_RESAMPLED:
        mean, error, freedom = mean_error(checked, *factors)
        half = float(stdtrit(freedom, (1 + level) / 2)) * error
        return mean - half, mean + half
    tail = float(ndtr(np.sqrt(min(counts) / (min(counts) - 1)) * stdtrit(min(counts) - 1, (1 - level) / 2)))
    if len(groups) == 1:
        return _bootstrap(checked, groups[0], 1 - 2 * tail, num_resamples, seed)
    means = np.concatenate([*_pigeonhole_means(checked, groups, num_resamples, seed)])
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _bootstrap(
    values: Float[np.ndarray, " n"], group: Int[np.ndarray, " n"], level: float, num_resamples: int, seed: int
) -> tuple[float, float]:
    """The percentile interval over resampled clusters."""
    from scipy.stats import bootstrap  # takes half a second, which `jaxsal --help` need not wait for

    found = bootstrap(
        (np.bincount(group, values), np.bincount(group).astype(float)),
        lambda sums, sizes, axis: sums.sum(axis=axis) / sizes.sum(axis=axis),
        paired=True,
        n_resamples=num_resamples,
        batch=_BLOCK,
        confidence_level=level,
        method="percentile",
        rng=seed,
    )
    low, high = found.confidence_interval
    return float(low), float(high)


def _pigeonhole_means(
    values: Float[np.ndarray, " n"], groups: Sequence[Int[np.ndarray, " n"]], num_resamples: int, seed: int
) -> Iterator[Float[np.ndarray, " block"]]:
    """Means over resampled groups of both factors, some at a time; sets without any value are drawn as no mean."""
    rng = np.random.default_rng(seed)
    for start in range(0, num_resamples, _BLOCK):
        weights = np.ones((min(_BLOCK, num_resamples - start), len(values)))
        for group in groups:
            count = int(group.max()) + 1
            weights *= rng.multinomial(count, np.full(count, 1 / count), len(weights))[:, group]
        sums = weights.sum(axis=1)
        yield (weights @ values)[sums > 0] / sums[sums > 0]


def mean_error(values: Float[AnyArray, " n"], *factors: Factor) -> MeanError:
    """The standard error of a mean whose values are alike within the groups of one or two factors.

    V_f = G / (G - 1) sum_g (sum of the deviations in group g)^2 / n^2 for a factor of G groups. Two factors have
    V = V_1 + V_2 - V_12, V_12 that of the groups that both make, and at least V_1 and V_2. Degrees of freedom: G - 1;
    of two factors V^2 / sum_f V_f^2 / (G_f - 1) (Satterthwaite). A factor with a single group is left out.

    Args:
      values: One per clip, (n,).
      *factors: None where all values are independent; the actors; or the trainings and the actors.

    Raises:
      ValueError: If there are no values, one is not finite, or a factor has another length.

    References:
      Cameron, Gelbach, Miller, "Robust Inference With Multiway Clustering", Journal of Business & Economic Statistics
      29(2), 2011, https://doi.org/10.1198/jbes.2010.07136
    """
    checked = check_values("values", values)
    groups = group_numbers(len(checked), factors)
    mean = float(checked.mean())
    if not groups:
        return MeanError(mean, float("inf"), 1.0)
    deviations = checked - mean
    variances = [_cluster_variance(deviations, group) for group in groups]
    freedoms = [int(group.max()) for group in groups]
    if len(groups) == 1:
        return MeanError(mean, float(np.sqrt(variances[0])), freedoms[0])
    _, both = np.unique(np.stack(groups), axis=1, return_inverse=True)
    variance = max(sum(variances) - _cluster_variance(deviations, both.ravel()), *variances)
    spread = sum(own**2 / freedom for own, freedom in zip(variances, freedoms, strict=True))
    return MeanError(mean, float(np.sqrt(variance)), variance**2 / spread if spread else float(min(freedoms)))


def _cluster_variance(deviations: Float[np.ndarray, " n"], group: Int[np.ndarray, " n"]) -> float:
    sums = np.bincount(group, deviations)
    return float(len(sums) / (len(sums) - 1) * np.square(sums).sum() / len(deviations) ** 2)


def check_values(name: str, values: Float[AnyArray, " n"]) -> Float[np.ndarray, " n"]:
    """Values in float64, once there are some and all are finite. Raises ValueError if not."""
    checked = np.asarray(values, np.float64)
    if checked.ndim != 1 or not checked.size:
        raise ValueError(f"`{name}` must hold one value per clip, (n,); got shape {checked.shape}.")
    if not np.isfinite(checked).all():
        raise ValueError(f"`{name}` must be finite; got {checked[~np.isfinite(checked)][0]}.")
    return checked


def group_numbers(count: int, factors: Sequence[Factor]) -> list[Int[np.ndarray, " n"]]:
    """The factors as numbers from 0 on; those of a single group are left out. Without factors a value is a group."""
    groups = [numbered(factor, count) for factor in factors or (range(count),)]
    return [group for group in groups if group.max() > 0]


def numbered(factor: Factor, count: int) -> Int[np.ndarray, " n"]:
    """The groups of a factor as numbers from 0 on, in first-seen order. Raises ValueError if there are not `count`."""
    if len(factor) != count:
        raise ValueError(f"`factors` must have a group for each of {count} values; got {len(factor)}.")
    numbers = {name: number for number, name in enumerate(dict.fromkeys(factor))}
    return np.array([numbers[name] for name in factor])
