"""A recording that is open: its length, its times, and its frames by number; no others are decoded."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from jaxsal.core.spread import spread
from jaxsal.datasets.recordings.moments import Moment, frame_at
from jaxsal.datasets.recordings.values import (
    FULL_RANGES,
    PERCENTILES,
    DeadPixels,
    RangeChoice,
    ValueRange,
    check_numbers,
    check_value_range,
    to_bytes,
)

MOST_RANGED = 64  # frames whose samples say what is black and white
RawFrame = Shaped[np.ndarray, "H W *C"]
"""Samples as stored, grey (H, W) or colour (H, W, 3)."""


@dataclass(frozen=True)
class Reading:
    """What a user decides where a file leaves a choice.

    Attributes:
      value_range: Raw samples of black and white; "auto" for percentiles of the frames that are read, at most 64 of
        them; the full range of the samples' depth if None.
      pattern: Which files of a folder are the frames, such as "*_T.JPG"; or which array of an .npz file.
      stream: Number of the video stream, counted from 0; the first if None.
      fps: Frames per second; goes before what the file says.
    """

    value_range: RangeChoice = None
    pattern: str | None = None
    stream: int | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        check_value_range(self.value_range)
        if not (self.value_range is None or isinstance(self.value_range, str)):
            object.__setattr__(self, "value_range", tuple(self.value_range))
        if self.fps is not None and not 0 < self.fps < np.inf:
            raise ValueError(f"`fps` must be above 0; got {self.fps}.")
        if self.pattern == "":
            raise ValueError("`pattern` must be a pattern such as '*_T.JPG', or None; got ''.")
        if self.stream is not None and self.stream < 0:
            raise ValueError(f"`stream` must be at least 0; got {self.stream}.")


@dataclass(frozen=True)
class Recording:
    """A recording.

    Attributes:
      path: Its file or folder.
      size: Height and width of its frames, as they are shown.
      length: How many frames it has.
      raw: Yields frames as stored, by their numbers, which increase.
      times: When each frame was taken, in seconds from the first, (L,); None where the file does not say.
      full_range: Black and white of the samples' depth; None where the depth does not tell.
      is_converted: Whether samples are not those of the camera but computed from them, as those of deep colour video.
      notes: What was decided for the user, in sentences.
      end: Why the recording ends early; empty if it is whole.
    """

    path: Path
    size: tuple[int, int]
    length: int
    raw: Callable[[Sequence[int]], Iterator[RawFrame]]
    times: Float[np.ndarray, " L"] | None = None
    full_range: ValueRange | None = None
    is_converted: bool = False
    notes: tuple[str, ...] = ()
    end: str = ""

    @property
    def rate(self) -> float | None:
        """Frames per second, on the whole; None where it is not known."""
        if self.times is None or len(self.times) < 2 or self.times[-1] <= self.times[0]:
            return None
        return float((len(self.times) - 1) / (self.times[-1] - self.times[0]))

    def with_rate(self, fps: float | None) -> "Recording":
        """The same with frames at a given rate instead of the times that its file says; None keeps those."""
        if fps is None:
            return self
        return dataclasses.replace(self, times=np.arange(self.length) / fps)

    def part(self, start: Moment = 0, stop: Moment | None = None) -> tuple[int, int]:
        """The first frame of a part and the frame after its last.

        Args:
          start: First frame, or the seconds from which to take frames.
          stop: Frame or seconds before which to stop; None for the end.

        Raises:
          ValueError: If the recording has no such part, or it is cut off and `stop` is None.
        """
        if stop is None and self.end:
            raise ValueError(f"`path` must be a whole, readable video; got {self.path}, {self.end}.")
        first = frame_at("start", start, self.times, self.length)
        last = self.length if stop is None else frame_at("stop", stop, self.times, self.length)
        if stop is not None and last <= first:
            raise ValueError(f"`stop` must be greater than `start`, {start}; got {stop}.")
        if first >= self.length:
            raise ValueError(f"`start` must be below {self.length}, the frames of {self.path}; got {start}.")
        if last > self.length:
            raise ValueError(f"`stop` must be at most {self.length}, the frames of {self.path}; got {stop}.")
        return first, last

    def read(
        self, indices: Sequence[int] | np.ndarray, value_range: RangeChoice = None
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Frames as bytes; see `to_bytes`.

        Args:
          indices: Their numbers, counted from 0, in any order; a number may come twice.
          value_range: As of `Reading`.

        Raises:
          ValueError: If a frame cannot be read, differs in size, or has samples that are no numbers.
        """
        wanted = sorted({int(index) for index in indices})
        if value_range == "auto":
            value_range = self.percentiles(wanted)
        frames = dict(zip(wanted, self.stream(wanted, value_range), strict=True))
        return np.stack([frames[int(index)] for index in indices])

    def stream(
        self, indices: Sequence[int], value_range: ValueRange | None = None
    ) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        """Frames as bytes one by one, by their numbers, which increase; errors as `read`."""
        black_and_white = self._black_and_white(value_range)
        return (to_bytes(raw, black_and_white) for _, raw in self._checked(indices))

    def percentiles(self, indices: Sequence[int]) -> ValueRange:
        """Black and white of the range "auto": `PERCENTILES` of the samples of some frames.

        Of more than `MOST_RANGED` frames, as many evenly spread ones are read.

        Raises:
          ValueError: If all samples are alike.
        """
        self._check_samples_kept()
        wanted = sorted(set(map(int, indices)))
        read = [wanted[place] for place in spread(len(wanted), MOST_RANGED)]
        samples = np.concatenate([raw.ravel() for _, raw in self._checked(read)])
        low, high = (float(value) for value in np.percentile(samples, PERCENTILES))
        if low == high:
            low, high = float(samples.min()), float(samples.max())
        if low == high:
            raise ValueError(f"`value_range` must be given for frames of one value; got 'auto' for {self.path}.")
        return low, high

    def _checked(self, indices: Sequence[int]) -> Iterator[tuple[int, RawFrame]]:
        dead = DeadPixels()
        for index, raw in zip(indices, self.raw(indices), strict=True):
            check_numbers(raw, self.path, index)
            if raw.shape[:2] != self.size:
                raise ValueError(
                    f"`path` must hold frames of one size; got {self.path}, where frame {index} has {raw.shape[:2]} "
                    f"and the first {self.size}."
                )
            dead.add(raw)
            yield index, raw
        if (place := dead.place()) is not None:
            raise ValueError(
                f"`path` must hold frames without dead pixels; got {self.path}, where row {place[0]}, column "
                f"{place[1]} is {dead.low[place]} in all frames. Replace such pixels, for example by the median of "
                "their neighbours."
            )

    def _black_and_white(self, value_range: ValueRange | None) -> ValueRange:
        if value_range is None:
            if self.full_range is None:
                kind = next(self.raw([0])).dtype
                raise ValueError(
                    f"`value_range` must be given for {kind} values; got None for {self.path}: the raw values of black "
                    "and white, or 'auto'."
                )
            return self.full_range
        if tuple(value_range) != FULL_RANGES["uint8"]:
            self._check_samples_kept()
        return value_range

    def _check_samples_kept(self) -> None:
        if self.is_converted:
            raise ValueError(
                f"`value_range` must be left out for colour video of more than 8 bits, whose samples are not kept; got "
                f"{self.path}. Grey video keeps them: ffmpeg -i {self.path.name} -vf extractplanes=y grey.mkv"
            )
