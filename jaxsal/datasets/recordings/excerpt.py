"""Where the frames of a clip come from: the recording, their numbers in it, and the part of each that is seen."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxsal.core.types import AnyArray
from jaxsal.datasets.clips import cut_box, resize_and_crop
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.datasets.recordings.recording import Reading, Recording

_TOLERANCE = 2 / 255


class Cut(NamedTuple):
    """How frames become a clip: resized by their shorter side, their middle square cut out; see `resize_and_crop`."""

    short_side: int
    crop: int
    antialias: bool = False


class Box(NamedTuple):
    """A part of a frame, in pixels of the recording, not rounded."""

    top: float
    left: float
    height: float
    width: float


@dataclass(frozen=True)
class Excerpt:
    """The frames of a recording that a clip consists of.

    Attributes:
      path: The recording's file or folder.
      frames: Their numbers in the recording, counted from 0, T; repeated where a recording is too short.
      times: When each was taken, in seconds from the recording's first frame, T; None where that is not known.
      rate: Frames per second of the recording; None where that is not known.
      size: Height and width of the recording's frames, as they are shown: turned as the file says.
      cut: What the network sees of each frame; None for the whole at its own size.
      reading: How the recording is read; the value range is one of numbers, or None.
      notes: What was decided for the user, in sentences.
    """

    path: str
    frames: tuple[int, ...]
    times: tuple[float, ...] | None
    rate: float | None
    size: tuple[int, int]
    cut: Cut | None = None
    reading: Reading = field(default_factory=Reading)
    notes: tuple[str, ...] = ()

    @property
    def box(self) -> Box:
        """The part of each frame that the network sees."""
        if self.cut is None:
            return Box(0, 0, *self.size)
        return Box(*cut_box(self.size, short_side=self.cut.short_side, crop=self.cut.crop))

    def read(self) -> UInt8[np.ndarray, "T H W 3"]:
        """The frames in colour at the recording's own size, turned as the file says; grey is repeated.

        Raises:
          FileNotFoundError: If the recording is no longer there.
          ValueError: If it cannot be read.
        """
        return open_recording(self.path, self.reading).read(self.frames, self.reading.value_range)

    def clip(self) -> Float[np.ndarray, "T S S2 3"]:
        """The clip, values in [0, 1]; errors as `read`."""
        return self.seen_of(self.read())

    def seen_of(self, frames: UInt8[np.ndarray, "T H W 3"]) -> Float[np.ndarray, "T S S2 3"]:
        """What the network sees of frames as `read` gives them, values in [0, 1]."""
        if self.cut is None:
            return frames.astype(np.float32) / 255
        short_side, crop, antialias = self.cut
        return resize_and_crop(frames, short_side=short_side, crop=crop, antialias=antialias)

    def shows(self, clip: Float[AnyArray, "T S S2 C"], frames: UInt8[np.ndarray, "T H W 3"]) -> bool:
        """Whether frames, as `read` gives them, are still those of a clip.

        They are if every value of the clip lies between the least and the greatest channel of its pixel, so that a clip
        of one channel may have any of the recording's or their brightness; or at most 2/255 outside: decoders differ.

        Args:
          clip: What a network took, values in [0, 1].
          frames: Read now.
        """
        if frames.shape[1:3] != self.size:
            return False
        seen, values = self.seen_of(frames), np.asarray(clip)
        if values.shape[:3] != seen.shape[:3]:
            return False
        low, high = seen.min(axis=-1, keepdims=True), seen.max(axis=-1, keepdims=True)
        return bool(np.maximum(low - values, values - high).max() <= _TOLERANCE)

    def to_json(self) -> dict[str, Any]:
        """The excerpt, of kinds that JSON has."""
        return dataclasses.asdict(self) | dict(cut=self.cut and list(self.cut))

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Excerpt":
        """The excerpt from what `to_json` and JSON made of it."""
        reading = dict(values["reading"])
        if isinstance(reading["value_range"], list):
            reading["value_range"] = tuple(reading["value_range"])
        return cls(
            path=values["path"],
            frames=tuple(values["frames"]),
            times=None if values["times"] is None else tuple(values["times"]),
            rate=values["rate"],
            size=(values["size"][0], values["size"][1]),
            cut=None if values["cut"] is None else Cut(*values["cut"]),
            reading=Reading(**reading),
            notes=tuple(values["notes"]),
        )


def take(
    recording: Recording, frames: Int[np.ndarray, " T"], reading: Reading | None = None, cut: Cut | None = None
) -> Excerpt:
    """Some frames of a recording as an excerpt; the value range "auto" is worked out here.

    Args:
      recording: Of `open_recording`.
      frames: Their numbers.
      reading: As the recording was opened.
      cut: What the network sees of each frame.

    Raises:
      ValueError: If the frames must be read for their percentiles and cannot be.
    """
    reading, notes = reading or Reading(), recording.notes
    if reading.value_range == "auto":
        low, high = recording.percentiles(frames.tolist())
        reading = dataclasses.replace(reading, value_range=(low, high))
        notes += (f"Black is {low:g} and white {high:g}, percentiles of the frames taken of {recording.path}.",)
    return Excerpt(
        path=str(Path(recording.path)),
        frames=tuple(frames.tolist()),
        times=None if recording.times is None else tuple(recording.times[frames].tolist()),
        rate=recording.rate,
        size=recording.size,
        cut=cut,
        reading=reading,
        notes=notes,
    )
