"""Numbers by training and actor: what several trainings of a network say of the same clips, and how sure that is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.metrics.intervals import mean_interval
from jaxsal.metrics.statistics import equivalence_test, paired_test
from jaxsal.metrics.summary import ClipResult, Measure
from jaxsal.paper.cells import Setting

Results = Mapping[Setting, Sequence[Sequence[ClipResult]]]
"""The values of every cell, training by training, clip by clip."""


class Values(NamedTuple):
    """Numbers with the training and the actor of each.

    Attributes:
      numbers: Finite, (n,).
      trainings: Of each number, which training of the network it is of.
      actors: Of each number, whose clip it is of.
    """

    numbers: Float[np.ndarray, " n"]
    trainings: tuple[int, ...]
    actors: tuple[str, ...]

    @classmethod
    def of(cls, rows: Iterable[tuple[float, int, str]]) -> "Values":
        """Of (number, training, actor), those that are finite."""
        finite = [row for row in rows if np.isfinite(row[0])]
        numbers, trainings, actors = zip(*finite, strict=True) if finite else ((), (), ())
        return cls(np.array(numbers, float), tuple(trainings), tuple(actors))

    @property
    def num_trainings(self) -> int:
        """Trainings that a number is of."""
        return len(set(self.trainings))

    @property
    def num_actors(self) -> int:
        """Actors that a number is of."""
        return len(set(self.actors))


def actor_of(result: ClipResult) -> str:
    """Who is seen in a clip; the clip itself where that is not known."""
    return result.actor or result.clip


def cell_values(trainings: Sequence[Sequence[ClipResult]], field: str) -> Values:
    """One field of the results of a cell."""
    return Values.of(
        (getattr(result, field), number, actor_of(result))
        for number, results in enumerate(trainings)
        for result in results
    )


def measure_values(values: Values, *, seed: int = 0) -> Measure | None:
    """The mean, the standard deviation over all numbers, and the interval of the mean; None if there is no number.

    The interval is of other trainings and of other actors where there are several of both, see
    `jaxsal.metrics.intervals.mean_interval`.
    """
    numbers, *factors = values
    if not len(numbers):
        return None
    interval = mean_interval(numbers, *factors, seed=seed)
    std = float(numbers.std()) if len(numbers) > 1 else None
    return Measure(float(numbers.mean()), std, *(interval or (None, None)))


def one_sided(values: Values, *, positive: bool) -> float:
    """The p-value of the statement that the mean is above 0, or below 0."""
    numbers, *factors = values
    return equivalence_test(numbers, *factors, **({"low": 0.0} if positive else {"high": 0.0}))


def two_sided(values: Values) -> float:
    """The p-value of the statement that the mean is not 0; 1 without a number.

    By flipping the signs of actors where there is one training, else by a t test whose error is of both.
    """
    if not len(values.numbers):
        return 1.0
    if values.num_trainings > 1:
        return min(1.0, 2 * one_sided(values, positive=bool(values.numbers.mean() > 0)))
    return paired_test(values.numbers, np.zeros_like(values.numbers), clusters=values.actors).p_value
