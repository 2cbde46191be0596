"""Whether two maps differ in mean on the same clips, whether a difference is small, and both of several at once."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.core.types import AnyArray
from jaxsal.metrics.intervals import Factor, check_values, mean_error, numbered

_MAX_EXACT_CLUSTERS = 16
_NUM_FLIPS, _BLOCK = 20_000, 1_000


class PairedTest(NamedTuple):
    """A comparison of two methods on the same clips.

    Attributes:
      mean_difference: Mean of first minus second, in their unit.
      p_value: Two-sided, in (0, 1].
    """

    mean_difference: float
    p_value: float


def paired_test(
    first: Float[AnyArray, " n"], second: Float[AnyArray, " n"], *, clusters: Factor | None = None, seed: int = 0
) -> PairedTest:
    """Tests whether two methods differ in mean on the same clips, by flipping the signs of the differences.

    If neither method is better, each cluster's differences d_i are as likely as -d_i. The p-value is the share of sign
    patterns s whose |mean of s_i d_i| reaches the observed |mean of d_i|; clips of a cluster share their sign. Up to 16
    clusters, all 2^G patterns are taken; beyond, 20,000 random ones and the observed one: p = (1 + reached) / 20,001.

    `scipy.stats.permutation_test` gives the same p-value without clusters, 20 times slower, and refuses a single clip.

    Args:
      first: One value per clip, (n,).
      second: Of the same clips in the same order, (n,).
      clusters: The actor of each clip; every clip by itself if None.
      seed: Of the random patterns.

    Returns:
      The mean difference, first minus second, and the two-sided p-value.

    Raises:
      ValueError: If there are no values, one is not finite, or the lengths differ.

    References:
      Ernst, "Permutation Methods: A Basis for Exact Inference", Statistical Science 19(4), 2004,
      https://doi.org/10.1214/088342304000000396; Phipson, Smyth, "Permutation P-values Should Never Be Zero",
      2010, https://doi.org/10.2202/1544-6115.1585
    """
    one, other = check_values("first", first), check_values("second", second)
    if one.shape != other.shape:
        raise ValueError(f"`second` must have one value for each of {len(one)} clips; got {len(other)}.")
    group = numbered(range(len(one)) if clusters is None else clusters, len(one))
    sums = np.bincount(group, one - other)
    count = len(sums)
    exact = count <= _MAX_EXACT_CLUSTERS
    blocks = [_signed_sums(sums)] if exact else _drawn_sums(sums, seed)
    # sums in another order round differently: equal ones must count as reaching the observed
    threshold = abs(sums.sum()) - 1e-12 * np.abs(sums).sum()
    reached = sum(int((np.abs(block) >= threshold).sum()) for block in blocks)
    p_value = reached / 2**count if exact else (1 + reached) / (1 + _NUM_FLIPS)
    return PairedTest(float((one - other).mean()), p_value)


def _signed_sums(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " patterns"]:
    """The sum of the values under each of the 2^n sign patterns; every value doubles the patterns."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _drawn_sums(values: Float[np.ndarray, " n"], seed: int) -> Iterator[Float[np.ndarray, " block"]]:
    """The same sums for random sign patterns, some at a time."""
    rng = np.random.default_rng(seed)
    for _ in range(_NUM_FLIPS // _BLOCK):
        yield (1 - 2 * rng.integers(2, size=(_BLOCK, len(values)))) @ values


def equivalence_test(
    values: Float[AnyArray, " n"], *factors: Factor, low: float = -float("inf"), high: float = float("inf")
) -> float:
    """The p-value of the statement that a mean lies between two limits: two one-sided t tests, the larger p of both.

    With one limit it is the statement that the mean is above, or below, that limit.

    Args:
      values: One per clip, such as the differences of two methods, (n,).
      *factors: As `mean_interval` takes them.
      low: The mean must be above.
      high: The mean must be below.

    Returns:
      In [0, 1]; 1 where there are not two clusters.

    Raises:
      ValueError: If `low` is not below `high`, or as `mean_error`.

    References:
      Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", Journal of
      Pharmacokinetics and Biopharmaceutics 15, 1987, https://doi.org/10.1007/BF01068419
    """
    if not low < high:
        raise ValueError(f"`low` must be below `high`; got {low} and {high}.")
    from scipy.special import stdtr

    mean, error, freedom = mean_error(values, *factors)
    if np.isinf(error):
        return 1.0
    distances = [distance for distance in (mean - low, high - mean) if np.isfinite(distance)]
    if error == 0:
        return 0.0 if min(distances, default=1.0) > 0 else 1.0
    return max((float(stdtr(freedom, -distance / error)) for distance in distances), default=0.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of several tests, raised so that 5 % of such families have any at or below 0.05 where nothing differs.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none falls below one before it, none exceeds 1.

    Args:
      p_values: Of the tests, in any order.

    Returns:
      The adjusted ones in the same order.

    References:
      Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, number in enumerate(sorted(range(len(p_values)), key=lambda number: p_values[number])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[number]))
        adjusted[number] = highest
    return adjusted
