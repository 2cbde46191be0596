"""Which methods are better by which measures, and which of these differences are real."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.metrics.contrasts import SIGNIFICANT, Contrast, contrast
from jaxsal.metrics.statistics import holm
from jaxsal.metrics.summary import Measure, measure_clips

Values = Mapping[str, Mapping[str, Float[np.ndarray, " n"]]]
"""By measure and method: the value of each clip; NaN where a map has none."""


class Difference(NamedTuple):
    """One method against another, or against a control, by one measure.

    Attributes:
      measure: The measure.
      first: A method.
      second: Another method, or a control.
      contrast: The first one's mean minus the second one's on the same clips, with Holm's correction over all pairs of
        methods of the measure; of controls over all methods that have the control.
      good: The sign of a good difference, -1 or 1.
    """

    measure: str
    first: str
    second: str
    contrast: Contrast
    good: int

    @property
    def winner(self) -> str:
        """The method that is really better; empty if the difference may be chance."""
        if not self.contrast.p_holm <= SIGNIFICANT or self.contrast.difference == 0:
            return ""
        return self.first if self.contrast.difference * self.good > 0 else self.second


class Standing(NamedTuple):
    """Where a method stands by a measure.

    Attributes:
      mean: Over clips, with its interval.
      rank: 1 for the best mean; methods with the same mean share theirs.
      better_than: How many methods it is really better than.
      worse_than: How many methods are really better.
      lost_to: Controls that it is not shown to be better than.
    """

    mean: Measure
    rank: float
    better_than: int
    worse_than: int
    lost_to: tuple[str, ...]


def differences(
    values: Values, methods: Sequence[str], actors: Sequence[str], good: Mapping[str, int]
) -> list[Difference]:
    """Every pair of methods by every measure, paired over clips and clustered by actors.

    Args:
      values: By measure and method.
      methods: Those to compare.
      actors: Who is seen in each clip.
      good: By measure, the sign of a good difference.
    """
    return [
        difference
        for measure in values
        for difference in _tested(values, measure, list(combinations(methods, 2)), actors, good[measure])
    ]


def against_controls(
    values: Values, controls: Mapping[str, Sequence[str]], actors: Sequence[str], good: Mapping[str, int]
) -> list[Difference]:
    """Every method against its controls by every measure.

    Args:
      values: By measure and method, controls among them.
      controls: By method, its controls.
      actors: Who is seen in each clip.
      good: By measure, the sign of a good difference.
    """
    kinds = range(max(map(len, controls.values()), default=0))
    return [
        difference
        for measure in values
        for kind in kinds
        for difference in _tested(
            values, measure, [(m, own[kind]) for m, own in controls.items() if kind < len(own)], actors, good[measure]
        )
    ]


def _tested(
    values: Values, measure: str, pairs: Sequence[tuple[str, str]], actors: Sequence[str], good: int
) -> Iterator[Difference]:
    own = values[measure]
    known = [pair for pair in pairs if pair[0] in own and pair[1] in own]
    tests = [(pair, contrast(own[pair[0]], own[pair[1]], list(actors))) for pair in known]
    found = [(pair, test) for pair, test in tests if test is not None]
    for (pair, test), p_holm in zip(found, holm([test.p_value for _, test in found]), strict=True):
        yield Difference(measure, *pair, test._replace(p_holm=p_holm), good)


def standings(
    values: Values,
    methods: Sequence[str],
    actors: Sequence[str],
    good: Mapping[str, int],
    pairs: Sequence[Difference],
    controlled: Sequence[Difference],
) -> dict[tuple[str, str], Standing]:
    """By method and measure, where the method stands.

    Args:
      values: By measure and method.
      methods: Those that are compared.
      actors: Who is seen in each clip.
      good: By measure, the sign of a good difference.
      pairs: Of `differences`.
      controlled: Of `against_controls`.
    """
    from scipy.stats import rankdata

    found = {}
    for measure, own in values.items():
        means = {method: _mean(own[method], actors) for method in methods}
        ranks = rankdata([-good[measure] * round(mean.mean, 6) for mean in means.values()], nan_policy="omit")
        won = [one for one in pairs if one.measure == measure and one.winner]
        lost = [one for one in controlled if one.measure == measure and one.winner != one.first]
        for (method, mean), rank in zip(means.items(), ranks, strict=True):
            better = sum(one.winner == method for one in won)
            worse = sum(one.winner != method and method in (one.first, one.second) for one in won)
            lost_to = tuple(one.second for one in lost if one.first == method)
            found[method, measure] = Standing(mean, float(rank), better, worse, lost_to)
    return found


def _mean(values: Float[np.ndarray, " n"], actors: Sequence[str]) -> Measure:
    known = np.flatnonzero(np.isfinite(values)).tolist()
    if not known:
        return Measure(np.nan)
    return measure_clips(values[known], actors=[actors[number] for number in known])
