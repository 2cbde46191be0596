"""Whether measures agree: with each other on the same maps, and with themselves from clip to clip."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.core.types import AnyArray
from jaxsal.metrics.intervals import Factor, mean_interval
from jaxsal.saliency.settled import stepped_up


class Agreement(NamedTuple):
    """Kendall's tau of two measures.

    Attributes:
      tau: The mean over clips, in [-1, 1].
      low: Lower end of its 95 % interval; None for a single actor.
      high: Its upper end.
    """

    tau: float
    low: float | None
    high: float | None


def kendall(
    first: Float[AnyArray, "n M"], second: Float[AnyArray, "n M"], actors: Factor | None = None, *, seed: int = 0
) -> Agreement:
    """Whether two measures order the same M maps of a clip alike: the mean over clips of Kendall's tau-b.

    tau = (concordant - discordant pairs) / sqrt(pairs that differ in the first, times those that differ in the second).

    Args:
      first: A measure of every map of every clip, its sign turned so that high is good.
      second: The other measure of the same maps.
      actors: Who is seen in each clip, which intervals resample; every clip by itself if None.
      seed: Of the bootstrap.

    Returns:
      The mean over clips that have a tau; NaN where none has, since a measure says the same of all maps.

    Raises:
      ValueError: If the shapes differ.

    References:
      Kendall, "The treatment of ties in ranking problems", Biometrika 33(3), 1945
    """
    from scipy.stats import kendalltau

    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != other.shape or one.ndim != 2:
        raise ValueError(f"`second` must have the shape of `first`, (n, M); got {other.shape} and {one.shape}.")
    known = np.isfinite(one) & np.isfinite(other)
    taus = np.array([kendalltau(a[use], b[use]).statistic for a, b, use in zip(one, other, known, strict=True)])
    clips = np.flatnonzero(np.isfinite(taus)).tolist()
    if not clips:
        return Agreement(np.nan, None, None)
    groups = [clip if actors is None else actors[clip] for clip in clips]
    low, high = (mean_interval(taus[clips], groups, seed=seed) if len(clips) > 1 else None) or (None, None)
    return Agreement(float(taus[clips].mean()), low, high)


def krippendorff_alpha(ratings: Float[AnyArray, "R U"], *, level: str = "ordinal") -> float:
    """How far R raters agree on U units, Krippendorff's alpha: 1 for perfect agreement, 0 for what chance gives.

    alpha = 1 - D_observed / D_expected, D_o = sum_u sum_{i != j} d(r_ui, r_uj) / (m_u - 1) over units with m_u >= 2
    ratings, D_e = sum_{v, w} n_v n_w d(v, w) / (n - 1). d(v, w) is (v - w)^2 ("interval"), or of the numbers of ratings
    from v to w, those at v and w counted by half, the square ("ordinal").

    Here units are methods, raters are clips, and a rating is a method's rank by a measure: a low alpha says that the
    measure ranks the methods anew for every clip.

    Args:
      ratings: One row a rater; NaN where there is none.
      level: "ordinal" or "interval".

    Returns:
      At most 1; NaN where all ratings are equal.

    Raises:
      ValueError: If `level` is another one, or no unit has two ratings.

    References:
      Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011; for saliency measures Tomsett et al., "Sanity
      Checks for Saliency Metrics", AAAI 2020, https://arxiv.org/abs/1912.01451
    """
    if level not in ("ordinal", "interval"):
        raise ValueError(f"`level` must be 'ordinal' or 'interval'; got {level!r}.")
    table = np.asarray(ratings, np.float64)
    table = table[:, np.isfinite(table).sum(axis=0) >= 2]
    if not table.size:
        raise ValueError("`ratings` must have a unit with two ratings; got none.")
    values, places = np.unique(table[np.isfinite(table)], return_inverse=True)
    units = np.nonzero(np.isfinite(table))[1]
    counts = np.zeros((table.shape[1], len(values)))
    np.add.at(counts, (units, places.ravel()), 1)
    totals = counts.sum(axis=0)
    if level == "interval":
        distances = (values[:, None] - values) ** 2
    else:
        middles = np.cumsum(totals) - totals / 2
        distances = (middles[:, None] - middles) ** 2
    pairs = np.einsum("uv,vw,uw->u", counts, distances, counts, optimize=True)
    observed = (pairs / (counts.sum(axis=1) - 1)).sum()
    expected = totals @ distances @ totals / (totals.sum() - 1)
    return float(1 - observed / expected) if expected > 0 else np.nan


def split_half(
    ratings: Float[AnyArray, "R U"], actors: Factor | None = None, *, num_splits: int = 100, seed: int = 0
) -> float:
    """How well half of the raters foretell the mean ratings of U units by the other half, for all raters.

    r is Pearson's correlation of the units' means over either half of the actors, its mean over random halves, stepped
    up from half to all of them by Spearman and Brown: 2 r / (1 + r).

    Here units are methods, raters are clips, and a rating is a method's rank by a measure: near 1 other clips would
    rank the methods alike, near 0 the ranking is chance.

    Args:
      ratings: One row a rater; NaN where there is none.
      actors: Who is seen in each clip, whose clips stay together; every clip by itself if None.
      num_splits: Random halves.
      seed: Of the halves.

    Returns:
      In [0, 1], 0 where halves contradict each other; NaN for a single actor, or where all means are equal.

    References:
      Brown, "Some experimental results in the correlation of mental abilities", 1910; Spearman, "Correlation calculated
      from faulty data", 1910
    """
    table = np.asarray(ratings, np.float64)
    names = range(len(table)) if actors is None else list(actors)
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    groups, count, rng = np.array([places[name] for name in names]), len(places), np.random.default_rng(seed)
    found = []
    for _ in range(num_splits if count > 1 else 0):
        chosen = (rng.permutation(count) < count // 2)[groups]
        halves = [_means(table[rows]) for rows in (chosen, ~chosen)]
        known = np.isfinite(halves).all(axis=0)
        one, other = (half[known] for half in halves)
        if known.any() and np.ptp(one) > 0 and np.ptp(other) > 0:
            found.append(np.corrcoef(one, other)[0, 1])
    if not found:
        return np.nan
    return stepped_up(float(np.mean(found)))


def _means(table: Float[np.ndarray, "R U"]) -> Float[np.ndarray, " U"]:
    """The mean rating of every unit; NaN where it has none."""
    known = np.isfinite(table)
    return np.divide(
        np.where(known, table, 0).sum(axis=0),
        known.sum(axis=0),
        where=known.any(axis=0),
        out=np.full(table.shape[1], np.nan),
    )
