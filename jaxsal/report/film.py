"""A whole recording as a film, the maps of its windows merged on its own frames; few frames are held at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxsal.core.files import write_atomically
from jaxsal.core.types import AnyArray
from jaxsal.datasets.recordings.excerpt import Excerpt
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.drawing.canvas import write_animation
from jaxsal.drawing.colours import Bar
from jaxsal.drawing.pictures import drawn_size, sheet
from jaxsal.drawing.recording import DEFAULT_FPS, Ground, moment_labels
from jaxsal.evaluation.timeline import WindowResult, taper
from jaxsal.training.windows import Windows

if TYPE_CHECKING:
    from PIL.Image import Image

Maps = Mapping[str, Float[AnyArray, "Tm h w"]]
Picture = UInt8[np.ndarray, "H W 3"]


def save_film(
    path: Path,
    windows: Windows,
    results: Sequence[WindowResult],
    spectrum: str,
    read_maps: Callable[[WindowResult], Maps],
) -> None:
    """Saves the frames of a recording, from the first window to the last, and beside them every method's maps.

    A frame has the mean of the maps of the windows that hold it, weighted by `taper`; each counts from its median, so
    that a step of colour is the same amount in all windows. The last colour is where a quarter of the windows reach it
    at their 99.5th percentile. Frames that no window holds have no colours.

    Args:
      path: Where to, ending in .mp4.
      windows: All windows.
      results: What was found in them, of this spectrum or of scenes in both.
      spectrum: Of the recording.
      read_maps: Gives the maps of a window by method; they are read when the film comes to the window.

    Raises:
      ValueError: If the recording can no longer be read.
    """
    excerpt = results[0].window.excerpts[spectrum]
    bars = {method: Bar(0.0, _span(results, method), unit, beyond=True) for method, unit in results[0].units.items()}
    ground = Ground(np.zeros((1, *excerpt.size, 3), np.uint8), excerpt.box, [""])
    times = windows.times[spectrum]
    labels = moment_labels(windows.frames[spectrum].tolist(), None if times is None else times.tolist())
    names = [results[0].explanation.class_name(k) for k in range(len(results[0].explanation.probabilities))]
    texts = [(f"{max(names, key=len)} 0.00", f"frame {max(labels, key=len)}")]
    edge, colours = ground.edge
    draw = sheet(["recording", *bars], bars, drawn_size(excerpt.size), texts)

    frames = _frames(excerpt, windows.frames[spectrum])
    moments = merged_maps(results, read_maps, len(labels))

    def picture(frame: Picture, label: str, moment: Moment) -> "Image":
        own = ground._replace(frames=frame[None])
        rows = {"recording": frame.copy()}
        for name, bar in bars.items():
            rows[name] = own.overlay(moment.maps[name][None], bar)[0] if moment.maps else frame.copy()
        for row in rows.values():
            row[edge] = colours
        title = "" if moment.best is None else f"{names[moment.best]} {moment.probability:.2f}"
        return draw(rows, title, f"frame {label}").image

    with write_atomically(path) as file:
        write_animation(file, map(picture, frames, labels, moments), windows.rate(spectrum) or DEFAULT_FPS, "mp4")


def _span(results: Sequence[WindowResult], method: str) -> float:
    """From the first colour to the last: no single window makes all others pale."""
    return float(np.quantile([high - low for low, high in (result.limits[method] for result in results)], 0.75))


class Moment(NamedTuple):
    """What the windows that hold a moment say of it, averaged; nothing where there are none.

    Attributes:
      maps: By method, (h, w), above the windows' medians.
      best: The most probable class.
      probability: Of this class.
    """

    maps: Maps
    best: int | None = None
    probability: float = 0.0


class _Held(NamedTuple):
    """A window whose maps are held: the weight and the slice of each of its moments."""

    result: WindowResult
    maps: Maps
    weights: Float[np.ndarray, " n"]
    slices: Mapping[str, Int[np.ndarray, " n"]]


def merged_maps(
    results: Sequence[WindowResult], read_maps: Callable[[WindowResult], Maps], length: int
) -> Iterator[Moment]:
    """Each moment of a recording with the averages of the windows that hold it; only these windows' maps are held."""
    waiting = sorted(results, key=lambda result: result.window.span, reverse=True)
    held: list[_Held] = []
    for number in range(length):
        held = [one for one in held if one.result.window.span.stop > number]
        while waiting and waiting[-1].window.span.start <= number:
            held.append(_hold(waiting.pop(), read_maps))
        yield _average(held, number) if held else Moment({})


def _hold(result: WindowResult, read_maps: Callable[[WindowResult], Maps]) -> _Held:
    maps = read_maps(result)
    slices = {method: result.window.slices(len(own)) for method, own in maps.items()}
    return _Held(result, maps, taper(result.window.span), slices)


def _average(held: Sequence[_Held], number: int) -> Moment:
    places = [number - one.result.window.span.start for one in held]
    weights = np.array([one.weights[place] for one, place in zip(held, places, strict=True)])
    weights /= weights.sum()
    maps = {
        method: sum(
            weight * (one.maps[method][one.slices[method][place]] - one.result.limits[method][0])
            for weight, one, place in zip(weights, held, places, strict=True)
        )
        for method in held[0].maps
    }
    shares = weights @ np.stack([one.result.explanation.probabilities for one in held])
    best = int(shares.argmax())
    return Moment(maps, best, float(shares[best]))


def _frames(excerpt: Excerpt, numbers: Int[np.ndarray, " L"]) -> Iterator[Picture]:
    """The frames of all moments one by one; a frame of several moments is decoded once."""
    recording = open_recording(excerpt.path, excerpt.reading)
    own, counts = np.unique(numbers, return_counts=True)
    value_range = excerpt.reading.value_range
    assert value_range != "auto"
    for frame, count in zip(recording.stream(own.tolist(), value_range), counts.tolist(), strict=True):
        yield from repeat(frame, count)
