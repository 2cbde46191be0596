"""The measures of a run over its clips: means, intervals and tests against the controls, by spectrum and method."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.core.controls import CONTROLS, control_order, control_title, is_control
from jaxsal.core.types import AnyArray
from jaxsal.datasets.records import FUSED, SPECTRA
from jaxsal.metrics.contrasts import Contrast, contrast, corrected
from jaxsal.metrics.intervals import Factor, mean_interval
from jaxsal.recipes import MEASURES

RANDOM = "random"
FLOOR = "floor"
FLOORS = {"deletion": "floor", "insertion": "start"}
_SPECTRA = (*SPECTRA, FUSED)
"""By measure, the field of `ClipResult` that holds its floor: the target's probability for the fully replaced clip."""


class ClipResult(NamedTuple):
    """The measures of one method's map of one clip.

    Attributes:
      clip: The clip's name.
      spectrum: "IR" or "TV".
      method: "Grad-CAM", "RISE", "SIDU" or any other, or the title of a control.
      label: The true class.
      target: The explained class.
      deletion: Area under the deletion curve.
      insertion: Area under the insertion curve.
      floor: The target's probability for the fully removed clip, where deletion ends.
      start: The target's probability where insertion starts.
      seconds: Time the map took.
      actor: Who is seen; clips of one actor are one cluster. Every clip by itself if empty.
      measures: Further measures of the map, by name, see `jaxsal.metrics.measures`; NaN where a map has no value.
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
      contrasts: By control, how far the method is from it on the same clips; empty for controls and single clips.
    """

    mean: float
    std: float | None = None
    low: float | None = None
    high: float | None = None
    contrasts: Mapping[str, Contrast] = {}

    def __str__(self) -> str:
        """Mean ± std with the interval; of a single clip the value alone."""
        text = f"{self.mean:.3f}"
        text += "" if self.std is None else f" ± {self.std:.3f}"
        return text if self.low is None else f"{text} [{self.low:.3f}, {self.high:.3f}]"

    def better(self, good_sign: int) -> bool:
        """Whether the method is better than every control; a good value has the sign 1 or -1."""
        return bool(self.contrasts) and all(contrast.better(good_sign) for contrast in self.contrasts.values())


class SummaryRow(NamedTuple):
    """One row of the table; the "floor" row has no further measures."""

    spectrum: str
    method: str
    num_clips: int
    deletion: Measure
    insertion: Measure | None
    measures: Mapping[str, Measure] = {}


def summarise(results: Sequence[ClipResult], *, seed: int = 0) -> list[SummaryRow]:
    """The table's rows: IR then TV; methods in first-seen order, then the controls, then the floor.

    Args:
      results: Of any number of spectra, methods and clips, in any order.
      seed: Of the bootstrap and the tests.

    Returns:
      The rows. Each method is tested against each control; Holm's correction is over all cells of the table against
      the same control.

    Raises:
      ValueError: If there are no results, a spectrum is unknown, a value is not finite, a clip is twice under one
        method, or the methods of a spectrum have not measured the same clips.
    """
    _check_results(results)
    by_spectrum = {
        spectrum: _by_method([result for result in results if result.spectrum == spectrum]) for spectrum in _SPECTRA
    }
    contrasts = corrected(dict(_contrasts(by_spectrum, seed)))
    rows = []
    for spectrum, methods in by_spectrum.items():
        for method, own in methods.items():
            cells = {
                name: _measure(own, name, contrasts.get((spectrum, method, name), {}), seed) for name in _names(own)
            }
            both = cells.pop("deletion"), cells.pop("insertion")
            rows.append(SummaryRow(spectrum, method, len(own), *both, cells))
        if methods:
            rows.append(_floor_row(spectrum, next(iter(methods.values())), seed))
    return rows


def _contrasts(
    by_spectrum: Mapping[str, Mapping[str, list[ClipResult]]], seed: int
) -> Iterator[tuple[tuple[str, str, str], dict[str, Contrast]]]:
    """By spectrum, method and measure: the contrasts with each control that was measured beside the method."""
    for spectrum, methods in by_spectrum.items():
        for method in (method for method in methods if not is_control(method)):
            own = methods[method]
            beside = {name: methods.get(control_title(name, method)) for name in CONTROLS}
            for name in _names(own):
                found = {
                    control: contrast(_values(own, name), _values(other, name), _actors(own), seed=seed)
                    for control, other in beside.items()
                    if other is not None
                }
                yield (spectrum, method, name), {control: one for control, one in found.items() if one is not None}


def _names(results: Sequence[ClipResult]) -> list[str]:
    """The measures of some results."""
    return [*MEASURES, *results[0].measures]


def _values(results: Sequence[ClipResult], name: str) -> Float[np.ndarray, " n"]:
    """A measure of each clip."""
    return np.array([getattr(r, name) if name in MEASURES else r.measures[name] for r in results], np.float64)


def _measure(results: Sequence[ClipResult], name: str, contrasts: Mapping[str, Contrast], seed: int) -> Measure:
    values, actors = _values(results, name), _actors(results)
    known = [number for number, value in enumerate(values) if not math.isnan(value)]
    if not known:
        return Measure(math.nan)
    measured = measure_clips(values[known], actors=[actors[number] for number in known], seed=seed)
    return measured._replace(contrasts=contrasts)


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


def _actors(results: Sequence[ClipResult]) -> list[str]:
    """Who is seen in each clip; the clip itself where that is not known."""
    return [result.actor or result.clip for result in results]


def measure_clips(values: Float[AnyArray, " n"], *, actors: Factor | None = None, seed: int = 0) -> Measure:
    """The mean of values over clips and how sure it is; of a single clip the value alone.

    Args:
      values: One per clip.
      actors: Who is seen in each clip; every clip by itself if None.
      seed: Of the bootstrap.
    """
    if len(values) < 2:
        return Measure(float(values[0]))
    interval = mean_interval(values, range(len(values)) if actors is None else actors, seed=seed)
    return Measure(float(values.mean()), float(values.std()), *(interval or (None, None)))


def _check_results(results: Sequence[ClipResult]) -> None:
    if not results:
        raise ValueError("`results` must hold at least one clip; got none.")
    clips: dict[str, dict[str, set[str]]] = {}
    for result in results:
        if result.spectrum not in _SPECTRA:
            raise ValueError(f"`results` must be of the spectra {_SPECTRA}; got {result.spectrum!r}.")
        values = result.deletion, result.insertion, result.floor, result.start
        if not all(map(math.isfinite, values)) or any(map(math.isinf, result.measures.values())):
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
