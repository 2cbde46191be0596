"""The measures of a run over its clips: means, intervals and tests against the random map, by spectrum and method."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.core.controls import control_order, is_control
from jaxsal.core.types import AnyArray
from jaxsal.datasets.records import SPECTRA
from jaxsal.metrics.intervals import Factor, mean_interval
from jaxsal.metrics.statistics import paired_test

RANDOM = "random"
FLOOR = "floor"
FLOORS = {"deletion": "floor", "insertion": "start"}
"""By measure, the field of `ClipResult` that holds its floor: the target's probability for the fully replaced clip."""
SIGNIFICANT = 0.05


class ClipResult(NamedTuple):
    """The measures of one method's map of one clip.

    Attributes:
      clip: The clip's name.
      spectrum: "IR" or "TV".
      method: "Grad-CAM", "RISE", "SIDU" or any other; "random" is the map that the others are tested against.
      label: The true class.
      target: The explained class.
      deletion: Area under the deletion curve.
      insertion: Area under the insertion curve.
      floor: The target's probability for the fully removed clip, where deletion ends.
      start: The target's probability where insertion starts.
      seconds: Time the map took.
      actor: Who is seen; clips of one actor are one cluster. Every clip by itself if empty.
      measures: Further measures of the map, by name, see `jaxsal.metrics.measures.add_measure`.
    """

    clip: str
    spectrum: str
    method: str
    label: int
    target: int
    deletion: float
    insertion: float
    floor: float
    start: float
    seconds: float
    actor: str = ""
    measures: Mapping[str, float] = {}


class Measure(NamedTuple):
    """One cell of the table.

    Attributes:
      mean: Over clips.
      std: Population standard deviation over clips (ddof 0), as in the study; None for a single clip.
      low: Lower end of the 95 % interval of the mean, see `jaxsal.metrics.intervals`; None for a single actor.
      high: Its upper end.
      difference: Mean of the method minus the random map on the same clips; None without a random map, and for a
        single clip.
      p_value: Of that difference, see `jaxsal.metrics.statistics.paired_test`.
    """

    mean: float
    std: float | None = None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    p_value: float | None = None

    def __str__(self) -> str:
        """Mean ± std with the interval; of a single clip the value alone."""
        text = f"{self.mean:.3f}"
        text += "" if self.std is None else f" ± {self.std:.3f}"
        return text if self.low is None else f"{text} [{self.low:.3f}, {self.high:.3f}]"

    def better(self, good_sign: int) -> bool:
        """Whether the difference from the random map is significant and has the good sign, 1 or -1."""
        significant = self.p_value is not None and self.p_value <= SIGNIFICANT
        return significant and (self.difference or 0) * good_sign > 0


class SummaryRow(NamedTuple):
    """One row of the table; the "floor" row has no further measures."""

    spectrum: str
    method: str
    num_clips: int
    deletion: Measure
    insertion: Measure | None
    measures: Mapping[str, Measure] = {}


def summarise(results: Sequence[ClipResult], *, seed: int = 0) -> list[SummaryRow]:
    """The table's rows: IR then TV; methods in first-seen order, then the random map, then the floor.

    Args:
      results: Of any number of spectra, methods and clips, in any order.
      seed: Of the bootstrap and the tests.

    Returns:
      The rows. Without a random map there are no differences and p-values.

    Raises:
      ValueError: If there are no results, a spectrum is unknown, a value is not finite, a clip is twice under one
        method, or the methods of a spectrum have not measured the same clips.
    """
    _check_results(results)
    rows = []
    for spectrum in SPECTRA:
        methods = _by_method([result for result in results if result.spectrum == spectrum])
        rows += [_method_row(method, methods, seed) for method in methods]
        if methods:
            rows.append(_floor_row(spectrum, next(iter(methods.values())), seed))
    return rows


def _floor_row(spectrum: str, results: Sequence[ClipResult], seed: int) -> SummaryRow:
    """Where deletion ends and insertion starts: the same for every map."""
    floors, starts = (np.array([getattr(result, field) for result in results]) for field in FLOORS.values())
    actors = _actors(results)
    both = (measure_clips(values, actors=actors, seed=seed) for values in (floors, starts))
    return SummaryRow._make((spectrum, FLOOR, len(results), *both, {}))


def _by_method(results: list[ClipResult]) -> dict[str, list[ClipResult]]:
    """The results of one spectrum under each method, sorted by clip, the controls last."""
    methods = list(dict.fromkeys(result.method for result in results))
    methods.sort(key=control_order)
    return {
        method: sorted((result for result in results if result.method == method), key=lambda result: result.clip)
        for method in methods
    }


def _method_row(method: str, methods: dict[str, list[ClipResult]], seed: int) -> SummaryRow:
    results = methods[method]
    chance = None if is_control(method) else methods.get(RANDOM)

    def measure(value_of: Callable[[ClipResult], float]) -> Measure:
        values = [np.array(list(map(value_of, rows)), float) for rows in (results, chance or [])]
        return measure_clips(values[0], values[1] if chance else None, actors=_actors(results), seed=seed)

    both = measure(attrgetter("deletion")), measure(attrgetter("insertion"))
    others = {name: measure(partial(_further, name)) for name in results[0].measures}
    return SummaryRow(results[0].spectrum, method, len(results), *both, others)


def _actors(results: Sequence[ClipResult]) -> list[str]:
    """Who is seen in each clip; the clip itself where that is not known."""
    return [result.actor or result.clip for result in results]


def _further(name: str, result: ClipResult) -> float:
    return result.measures[name]


def measure_clips(
    values: Float[AnyArray, " n"],
    chance: Float[AnyArray, " n"] | None = None,
    *,
    actors: Factor | None = None,
    seed: int = 0,
) -> Measure:
    """The mean of values over clips and how sure it is; of a single clip the value alone.

    Args:
      values: Of one method, one per clip.
      chance: Of the random map on the same clips; nothing is tested if None.
      actors: Who is seen in each clip; every clip by itself if None.
      seed: Of the bootstrap and the test.
    """
    if len(values) < 2:
        return Measure(float(values[0]))
    actors = range(len(values)) if actors is None else actors
    test = (None, None) if chance is None else paired_test(values, chance, clusters=actors, seed=seed)
    interval = mean_interval(values, actors, seed=seed) or (None, None)
    return Measure(float(values.mean()), float(values.std()), *interval, *test)


def measure_finite(values: Sequence[float] | Float[np.ndarray, " n"], *, seed: int = 0) -> Measure | None:
    """As `measure_clips` of the finite values, without a test; None if there are none."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return measure_clips(known, seed=seed) if len(known) else None


def _check_results(results: Sequence[ClipResult]) -> None:
    if not results:
        raise ValueError("`results` must hold at least one clip; got none.")
    clips: dict[str, dict[str, set[str]]] = {}
    for result in results:
        if result.spectrum not in SPECTRA:
            raise ValueError(f"`results` must be of the spectra {SPECTRA}; got {result.spectrum!r}.")
        values = (result.deletion, result.insertion, result.floor, result.start, *result.measures.values())
        if not all(map(math.isfinite, values)):
            raise ValueError(f"`results` must be finite; got {result}.")
        measured = clips.setdefault(result.spectrum, {}).setdefault(result.method, set())
        if result.clip in measured:
            raise ValueError(
                f"`results` must have a clip once per spectrum and method; "
                f"got {result.clip!r} ({result.spectrum}) twice for {result.method}."
            )
        measured.add(result.clip)
    for spectrum, by_method in clips.items():
        for method, measured in by_method.items():
            if missing := set.union(*by_method.values()) - measured:
                raise ValueError(
                    f"`results` must have the same clips for every method of a spectrum; "
                    f"got none of {method} for {min(missing)!r} ({spectrum})."
                )
