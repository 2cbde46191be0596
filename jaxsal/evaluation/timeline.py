"""A long recording over time, from the results of its windows: class probabilities and how much the maps show."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxsal.core.controls import is_control
from jaxsal.core.shown import rounded
from jaxsal.datasets.recordings.windows import Span
from jaxsal.drawing.colours import map_limits
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.reading import Place, without_arrays
from jaxsal.evaluation.views import map_unit, scene_limits
from jaxsal.training.windows import Window, Windows

MOST_CLASSES = 5
_DIGITS = 6


class WindowResult(NamedTuple):
    """What was found in a window, its large arrays let go.

    Attributes:
      window: The window.
      place: Where the store has its results.
      explanation: Without clip, maps, baselines and scores.
      units: By method, the unit of its map.
      limits: By method, the median and the 99.5th percentile of its map.
      energies: By spectrum and method, how far each slice of the map lies above its median, mean over pixels, (T',).
    """

    window: Window
    place: Place
    explanation: Explanation
    units: Mapping[str, str]
    limits: Mapping[str, tuple[float, float]]
    energies: Mapping[str, Mapping[str, Float[np.ndarray, " _"]]]


class Timeline(NamedTuple):
    """A recording over time; NaN where no window is.

    Attributes:
      spectrum: Of the recording.
      frames: Number of the frame of each moment, (L,).
      times: Its seconds in the recording, (L,); None where they are not known.
      probabilities: By class, (L,); the classes that are most probable in any window.
      energies: By method, (L,).
    """

    spectrum: str
    frames: Int[np.ndarray, " L"]
    times: Float[np.ndarray, " L"] | None
    probabilities: Mapping[str, Float[np.ndarray, " L"]]
    energies: Mapping[str, Float[np.ndarray, " L"]]

    def rows(self) -> list[list[object]]:
        """The names of the columns, then a row for each moment; empty where no window is."""
        columns = {f"probability of {name}": values for name, values in self.probabilities.items()}
        columns |= {f"energy of {method}": values for method, values in self.energies.items()}
        seconds: dict[str, Any] = {} if self.times is None else dict(seconds=self.times)
        body = zip(
            self.frames.tolist(), *(rounded(values, _DIGITS) for values in (seconds | columns).values()), strict=True
        )
        return [["frame", *seconds, *columns], *map(list, body)]


def window_result(window: Window, place: Place, explanation: Explanation) -> WindowResult:
    """What is kept of a window."""
    units: dict[str, str] = {}
    limits: dict[str, tuple[float, float]] = {}
    energies: dict[str, dict[str, np.ndarray]] = {}
    for method, maps in explanation.maps.items():
        if not is_control(method):
            units[method] = map_unit(method, explanation.ledger)
            limits[method] = scene_limits(maps) if isinstance(maps, Mapping) else map_limits(maps)
            parts = maps if isinstance(maps, Mapping) else {explanation.spectrum: maps}
            for spectrum, own in parts.items():
                above = np.maximum(np.asarray(own, np.float32) - limits[method][0], 0)
                energies.setdefault(spectrum, {})[method] = above.mean(axis=(1, 2))
    return WindowResult(window, place, without_arrays(explanation), units, limits, energies)


def make_timeline(windows: Windows, results: Sequence[WindowResult], spectrum: str) -> Timeline:
    """The timeline of a recording.

    A moment has the mean of the windows that hold it, weighted by `taper`. The energy of a method at a moment is that
    of the slice of its map whose frame is nearest: the mean over pixels of how far the map lies above its median over
    the window, in the map's unit.

    Args:
      windows: All windows.
      results: What was found in them, of this spectrum or of scenes in both.
      spectrum: Of the recording.
    """
    length, spans = len(windows.frames[spectrum]), [result.window.span for result in results]
    shares = np.stack([np.asarray(result.explanation.probabilities, np.float64) for result in results])
    probabilities = {
        results[0].explanation.class_name(k): average(
            [(span, np.full(span.stop - span.start, share)) for span, share in zip(spans, shares[:, k], strict=True)],
            length,
        )
        for k in shown_classes(shares, {result.explanation.target for result in results})
    }
    energies = {}
    for method in results[0].energies[spectrum]:
        own = [result.energies[spectrum][method] for result in results]
        slices = [result.window.slices(len(values)) for result, values in zip(results, own, strict=True)]
        parts = [(span, values[at]) for span, values, at in zip(spans, own, slices, strict=True)]
        energies[method] = average(parts, length)
    return Timeline(spectrum, windows.frames[spectrum], windows.times[spectrum], probabilities, energies)


def shown_classes(probabilities: Float[np.ndarray, "N K"], targets: Iterable[int]) -> list[int]:
    """The classes that are most probable in any of N windows, and the explained class where there is a single one."""
    most = probabilities.max(axis=0)
    chosen = np.argsort(-most, kind="stable")[:MOST_CLASSES].tolist()
    explained = set(targets)
    return chosen + (sorted(explained - set(chosen)) if len(explained) == 1 else [])


def taper(span: Span) -> Float[np.ndarray, " n"]:
    """The weight of each moment of a window: highest in its middle, falling evenly to its ends, never 0."""
    places = np.arange(span.stop - span.start) + 0.5
    return np.minimum(places, places[::-1]) / len(places)


def average(parts: Iterable[tuple[Span, Float[np.ndarray, " _"]]], length: int) -> Float[np.ndarray, " L"]:
    """Values over time from those of overlapping windows: the mean weighted by `taper`, NaN where no window is."""
    total, weight = np.zeros(length), np.zeros(length)
    for span, values in parts:
        own = taper(span)
        total[slice(*span)] += own * values
        weight[slice(*span)] += own
    return np.divide(total, weight, out=np.full(length, np.nan), where=weight > 0)
