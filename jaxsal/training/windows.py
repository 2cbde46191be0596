"""The windows of a long recording, or of two of one scene, as the clips that a network takes."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxsal.datasets.recordings.doubts import doubts_of_pair
from jaxsal.datasets.recordings.excerpt import Excerpt, take
from jaxsal.datasets.recordings.moments import Moment, amount, check_moment, frame_at
from jaxsal.datasets.recordings.pairing import align
from jaxsal.datasets.recordings.recording import Reading, Recording
from jaxsal.datasets.recordings.windows import Span, plan_windows
from jaxsal.training.footage import doubts_of, doubts_of_network, open_recordings, pairing_note
from jaxsal.training.networks import NetworkSpec


class Window(NamedTuple):
    """A window of a recording.

    Attributes:
      start: Its first frame, of the visible recording where there are two.
      stop: The frame after its last.
      times: Seconds of the first and the last frame; None where they are not known.
      span: The moments that it holds.
      chosen: The moments whose frames the network takes, (T,).
      excerpts: By spectrum, these frames.
    """

    start: int
    stop: int
    times: tuple[float, float] | None
    span: Span
    chosen: Int[np.ndarray, " T"]
    excerpts: Mapping[str, Excerpt]

    @property
    def place(self) -> str:
        """Start and stop for names of clips and files; names sort by time up to a million frames."""
        return f"{self.start:06}-{self.stop:06}"

    def slices(self, count: int) -> Int[np.ndarray, " n"]:
        """For each moment of the window, the slice of a map of so many whose frame is nearest in time."""
        moments = np.arange(*self.span)
        nearest = np.abs(self.chosen[:, None] - moments).argmin(axis=0)
        return nearest * count // len(self.chosen)


class Windows(NamedTuple):
    """The windows of a recording, or of two of one scene.

    Attributes:
      frames: By spectrum, the number of the frame of each moment, (L,).
      times: By spectrum, its seconds in the recording, (L,); None where they are not known.
      windows: In order.
      notes: What was taken and decided, and what is doubtful, in sentences.
    """

    frames: Mapping[str, Int[np.ndarray, " L"]]
    times: Mapping[str, Float[np.ndarray, " L"] | None]
    windows: Sequence[Window]
    notes: tuple[str, ...]

    @property
    def main(self) -> str:
        """The spectrum whose frames and seconds say where windows are."""
        return main_spectrum(self.frames)

    def at(self, name: str, moment: Moment) -> int:
        """The number of the window that shows a moment: of those that hold it the one whose middle is nearest.

        Args:
          name: Of the argument, for messages.
          moment: Frame or seconds of the recording, of the visible one where there are two.

        Raises:
          ValueError: If no window holds it, or seconds are not known.
        """
        frames, times = self.frames[self.main], self.times[self.main]
        moment = check_moment(name, moment)
        if isinstance(moment, str):
            place = frame_at(name, moment, times, len(frames))
        else:
            place = int(np.searchsorted(frames, moment))
        first = frames[0] if isinstance(moment, int) or times is None else times[0]
        away = {n: abs(sum(w.span) - 1 - 2 * place) for n, w in enumerate(self.windows) if place in range(*w.span)}
        if not away or amount(moment) < first:
            seconds = "" if times is None else f" ({times[0]:.2f} to {times[-1]:.2f} s)"
            raise ValueError(
                f"`{name}` must lie in a window, in frames {frames[0]} to {frames[-1]}{seconds}; got {moment}."
            )
        return min(away, key=lambda number: away[number])

    def rate(self, spectrum: str) -> float | None:
        """Moments per second; None where that is not known."""
        times = self.times[spectrum]
        if times is None or len(times) < 2 or times[-1] <= times[0]:
            return None
        return float((len(times) - 1) / (times[-1] - times[0]))


def main_spectrum(spectra: Collection[str]) -> str:
    """The spectrum whose frames and seconds are counted: the visible one where there are two."""
    return "TV" if len(spectra) > 1 else next(iter(spectra))


def find_windows(
    spec: NetworkSpec,
    paths: Mapping[str, Path],
    readings: Mapping[str, Reading],
    *,
    window: Moment,
    hop: Moment | None = None,
    start: Moment = 0,
    stop: Moment | None = None,
    infrared_offset: float = 0.0,
) -> Windows:
    """Divides a recording, or two of one scene at the same moments, into windows; see `plan_windows`.

    Frames of a window are chosen as those of a whole recording are. They are not decoded, except those of the middle
    window, to see whether they are doubtful, and a few for the value range "auto", which is of the whole recording.

    Args:
      spec: The network.
      paths: By spectrum, "TV" and "IR", the recordings.
      readings: By spectrum, how they are read.
      window: Frames, of the visible recording where there are two, seconds such as "2.5s", or "auto": as many moments
        as the network takes.
      hop: From the start of one window to the start of the next, in the same unit; `window` if None.
      start: As of `find_footage`.
      stop: As of `find_footage`.
      infrared_offset: As of `find_footage`.

    Raises:
      ValueError: If a recording cannot be read, both are the same or share no moment, or a length is not allowed.
    """
    recordings = open_recordings(paths, readings)
    main = main_spectrum(recordings)
    frames = _moments(recordings, start, stop, infrared_offset)
    every = {name: None if r.times is None else r.times[frames[name]] for name, r in recordings.items()}
    times = every[main]
    spans = plan_windows(frames[main], times, window=window, hop=hop, needed=spec.num_frames * spec.stride)
    asked, readings = readings, {s: _with_range(readings[s], recordings[s], frames[s]) for s in recordings}
    windows = []
    for span in spans:
        chosen = span.start + spec.sampler.test_indices(span.stop - span.start)
        excerpts = {s: take(recordings[s], numbers[chosen], readings[s], spec.cut) for s, numbers in frames.items()}
        first, last = int(frames[main][span.start]), int(frames[main][span.stop - 1])
        seconds = None if times is None else (float(times[span.start]), float(times[span.stop - 1]))
        windows.append(Window(first, last + 1, seconds, span, chosen, excerpts))
    middle = windows[len(windows) // 2].excerpts
    notes = [*doubts_of_network(spec, paths), _planned(spec, windows, recordings[main])]
    notes += _range_notes(asked, readings, paths)
    if len(recordings) > 1:
        notes += [pairing_note(middle, infrared_offset), *doubts_of_pair(recordings["TV"], recordings["IR"])]
    return Windows(frames, every, windows, (*notes, *doubts_of(middle)))


def _moments(
    recordings: Mapping[str, Recording], start: Moment, stop: Moment | None, infrared_offset: float
) -> dict[str, Int[np.ndarray, " L"]]:
    """By spectrum, the number of the frame of each moment."""
    if len(recordings) == 1:
        return {name: np.arange(*recording.part(start, stop)) for name, recording in recordings.items()}
    moments = align(recordings["TV"], recordings["IR"], start=start, stop=stop, infrared_offset=infrared_offset)
    return {"IR": moments.infrared, "TV": moments.visible}


def _with_range(reading: Reading, recording: Recording, frames: Int[np.ndarray, " L"]) -> Reading:
    """A reading whose value range is one of numbers: "auto" is worked out once, for all windows alike."""
    if reading.value_range != "auto":
        return reading
    return dataclasses.replace(reading, value_range=recording.percentiles(frames.tolist()))


def _range_notes(asked: Mapping[str, Reading], readings: Mapping[str, Reading], paths: Mapping[str, Path]) -> list[str]:
    notes = []
    for name, path in paths.items():
        if asked[name].value_range == "auto" and isinstance(found := readings[name].value_range, tuple):
            notes.append(f"Black is {found[0]:g} and white {found[1]:g}, percentiles of frames spread over {path}.")
    return notes


def _planned(spec: NetworkSpec, windows: Sequence[Window], recording: Recording) -> str:
    first, last = windows[0], windows[-1]
    seconds = ""
    if first.times is not None and last.times is not None:
        seconds = f" ({first.times[0]:.2f} to {last.times[1]:.2f} s)"
    count = f"{len(windows)} windows" if len(windows) > 1 else "1 window"
    steps = ", spread evenly" if spec.frames == "spread" else f", {spec.stride} apart" if spec.stride > 1 else ""
    return (
        f"{count} of {first.stop - first.start} frames, of which the network takes {spec.num_frames}{steps}, from "
        f"frame {first.start} to {last.stop - 1}{seconds}, of {recording.path}, which has {recording.length} frames "
        f"of {recording.size[1]}x{recording.size[0]}."
    )
