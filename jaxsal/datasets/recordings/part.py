"""A part of a recording, of which a set of clips has one."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from jaxsal.datasets.recordings.excerpt import Cut, Excerpt, take
from jaxsal.datasets.recordings.moments import Moment
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.datasets.recordings.recording import Reading
from jaxsal.datasets.recordings.values import RangeChoice

Choose = Callable[[Mapping[str, int]], Mapping[str, Int[np.ndarray, " T"]]]
"""Takes the lengths of parts by spectrum, and returns numbers of frames, counted from the start of the part."""


@dataclass(frozen=True)
class Part:
    """Some consecutive frames of a recording.

    Attributes:
      path: The recording's file or folder.
      start: First frame, or seconds such as "12.5s".
      stop: One past the last frame, or seconds; None for the end.
      value_range: Raw samples of black and white, or "auto": percentiles of all frames of the part.
    """

    path: Path
    start: Moment = 0
    stop: Moment | None = None
    value_range: RangeChoice = None

    def read(self) -> UInt8[np.ndarray, "L H W 3"]:
        """All frames, as of `read_frames`."""
        recording = open_recording(self.path)
        return recording.read(range(*recording.part(self.start, self.stop)), self.value_range)


def excerpts_of(parts: Mapping[str, Part], choose: Choose, cut: Cut) -> dict[str, Excerpt]:
    """By spectrum, where the frames of a clip come from that was chosen out of parts of recordings.

    Args:
      parts: By spectrum, the parts; none for a clip that is of no recording, which has no excerpts.
      choose: Which of their frames are the clip's.
      cut: What a network sees of each frame.

    Raises:
      FileNotFoundError: If a recording is not there.
      ValueError: If it cannot be read.
    """
    if not parts:
        return {}
    opened = {spectrum: open_recording(part.path) for spectrum, part in parts.items()}
    spans = {spectrum: opened[spectrum].part(part.start, part.stop) for spectrum, part in parts.items()}
    chosen = choose({spectrum: last - first for spectrum, (first, last) in spans.items()})
    found = {}
    for spectrum, part in parts.items():
        reading = Reading(part.value_range)
        if part.value_range == "auto":
            whole = opened[spectrum].percentiles(range(*spans[spectrum]))
            reading = dataclasses.replace(reading, value_range=whole)
        found[spectrum] = take(opened[spectrum], spans[spectrum][0] + chosen[spectrum], reading, cut)
    return found
