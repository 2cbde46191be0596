"""Maps on the frames of the recording of a clip: crop and resize undone, the part that was seen outlined."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from jaxsal.core.resize import linear_weights
from jaxsal.core.types import AnyArray
from jaxsal.datasets.recordings.excerpt import Box, Excerpt
from jaxsal.drawing.colours import Bar, to_bytes
from jaxsal.drawing.outline import draw_outline

On = Literal["recording", "input"]
Excerpts = Mapping[str, Excerpt]
DEFAULT_FPS = 8.0
OUTLINE = (255, 255, 255)
_INNER_OUTLINE, _TWO_LINES = (0, 0, 0), 144
_STRIP_WIDTH = 2400


class Ground(NamedTuple):
    """The frames that maps of a clip are drawn on: the clip's own, or those of its recording.

    Attributes:
      frames: (T, H, W, 3).
      box: The part of each frame that the network saw.
      labels: The number of each frame, and its seconds where they are known, (T,).
      fps: Frames per second of the recording at its own speed; None where that is not known.
      name: What the frames are, "input" or "recording".
      note: Why they are not those of the recording though these were asked for, as a sentence; else empty.
    """

    frames: UInt8[np.ndarray, "T H W 3"]
    box: Box
    labels: Sequence[str]
    fps: float | None = None
    name: str = "input"
    note: str = ""

    @property
    def columns(self) -> int:
        """Frames of a strip that is not too wide to be looked at, from 2 to 8."""
        return max(2, min(8, _STRIP_WIDTH // self.size[1]))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.frames.shape[1], self.frames.shape[2]

    def overlay(self, saliency: Float[AnyArray, "Tm h w"], bar: Bar) -> UInt8[np.ndarray, "T H W 3"]:
        """Draws a map over the part that the network saw, in the colours of a bar; see `overlay` of pictures.

        Args:
          saliency: The map of what the network saw; T' divides T.
          bar: Limits and colours.

        Raises:
          ValueError: If T' does not divide T.
        """
        if len(self.frames) % len(saliency):
            raise ValueError(f"`saliency` must divide the {len(self.frames)} frames; got {len(saliency)}.")
        drawn, (rows, columns) = self.frames.copy(), box_pixels(self.box, self.size)
        maps = on_frames(saliency, self.box, self.size)
        for values, own in zip(maps, np.split(drawn, len(saliency)), strict=True):
            for frame in own:
                part = frame[rows, columns]
                part[:] = to_bytes(bar.blend(values, part / np.float32(255)))
        return drawn

    def outlined(self, frames: UInt8[np.ndarray, "T H W 3"]) -> UInt8[np.ndarray, "T H W 3"]:
        """Frames of the same size with the edge of the box drawn on them, where the box is not the whole frame.

        The edge is white, and in frames of 144 pixels or more black within, to be seen on a bright sky too.
        """
        rows, columns = box_pixels(self.box, self.size)
        if min(self.size) >= _TWO_LINES:
            inner = _without_edge(rows, self.size[0]), _without_edge(columns, self.size[1])
            frames = _draw_box(frames, inner, _INNER_OUTLINE)
        return _draw_box(frames, (rows, columns), OUTLINE)

    @property
    def edge(self) -> tuple[Bool[np.ndarray, "H W"], UInt8[np.ndarray, "n 3"]]:
        """The pixels of a frame that `outlined` draws, and their colours, for frames that come one by one."""
        black, white = (self.outlined(np.full((1, *self.size, 3), value, np.uint8))[0] for value in (0, 255))
        pixels = (black > 0).any(axis=-1) | (white < 255).any(axis=-1)
        return pixels, black[pixels]

    def mask(self, mask: Bool[AnyArray, "T h w"]) -> Bool[np.ndarray, "T H W"]:
        """The pixels of the frames that a mask of what the network saw covers by half or more."""
        covered = np.zeros(self.frames.shape[:3], bool)
        rows, columns = box_pixels(self.box, self.size)
        covered[:, rows, columns] = on_frames(np.asarray(mask, np.float32), self.box, self.size) >= 0.5
        return covered


def input_ground(clip: Float[AnyArray, "T H W C"], excerpt: Excerpt | None = None) -> Ground:
    """A clip itself as the ground of its maps, as the network takes it; a single channel is grey.

    Args:
      clip: The clip, values in [0, 1].
      excerpt: Where its frames come from; frames are numbered from 0 if None.
    """
    frames = to_bytes(np.broadcast_to(np.asarray(clip), (*np.shape(clip)[:3], 3)))
    box = Box(0, 0, *frames.shape[1:3])
    if excerpt is None:
        return Ground(frames, box, [str(number) for number in range(len(frames))])
    return Ground(frames, box, frame_labels(excerpt), frame_rate(excerpt))


def ground_of(clip: Float[AnyArray, "T H W C"], excerpt: Excerpt | None, on: On = "recording") -> Ground:
    """What the maps of a clip are drawn on.

    The recording is read again, and its frames compared with the clip. Where they cannot be read any more, or are
    others, the ground is the clip, and its note says why.

    Args:
      clip: The clip, values in [0, 1].
      excerpt: Where its frames come from; None where it is of no recording.
      on: "recording" for the recording's own frames, where there is one; "input" for the clip as the network takes it.
    """
    if excerpt is None or on == "input":
        return input_ground(clip, excerpt)
    try:
        frames = excerpt.read()
    except FileNotFoundError:
        why = "is no longer there"
    except (OSError, ValueError, IndexError, ImportError) as error:
        why = f"cannot be read any more ({error})"
    else:
        if excerpt.shows(clip, frames):
            return Ground(frames, excerpt.box, frame_labels(excerpt), frame_rate(excerpt), "recording")
        why = "has changed since it was explained"
    return input_ground(clip, excerpt)._replace(note=f"{excerpt.path} {why}: maps are drawn on the network's input.")


def frame_labels(excerpt: Excerpt) -> list[str]:
    """The number of each frame in its recording, and its seconds where they are known: "127, 4.23 s"."""
    return moment_labels(excerpt.frames, excerpt.times)


def moment_labels(frames: Sequence[int], times: Sequence[float] | None) -> list[str]:
    """Numbers of frames, and their seconds where they are known: "127, 4.23 s"."""
    if times is None:
        return [str(number) for number in frames]
    return [f"{number}, {time:.2f} s" for number, time in zip(frames, times, strict=True)]


def frame_rate(excerpt: Excerpt) -> float | None:
    """At how many frames per second the frames of an excerpt play at the recording's own speed, where it is known."""
    steps = np.diff(excerpt.frames)
    if excerpt.rate is None or not (steps > 0).any():
        return None
    return excerpt.rate / float(np.median(steps[steps > 0]))


def box_pixels(box: Box, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a frame of (H, W) whose middles lie in a box; pixel i reaches from i to i + 1."""
    return _within(box.top, box.height, size[0]), _within(box.left, box.width, size[1])


def on_frames(
    saliency: Float[AnyArray, "Tm h w"], box: Box, size: tuple[int, int]
) -> Float[np.ndarray, "Tm rows columns"]:
    """A map at the pixels of the recording: crop and resize undone, linear between the map's values.

    A value of the map stands for the middle of its share of the box; beyond the outermost middles it stays the same.

    Args:
      saliency: The map of what the network saw.
      box: Where that lies in the frame.
      size: (H, W) of the frame.

    Returns:
      The map at the pixels `box_pixels(box, size)`.
    """
    values = np.asarray(saliency, np.float32)
    rows, columns = box_pixels(box, size)
    down = _weights(rows, box.top, box.height, values.shape[1])
    across = _weights(columns, box.left, box.width, values.shape[2])
    return down @ values @ across.T


def _draw_box(
    frames: UInt8[np.ndarray, "T H W 3"], pixels: tuple[slice, slice], colour: tuple[int, int, int]
) -> UInt8[np.ndarray, "T H W 3"]:
    inside = np.zeros(frames.shape[:3], bool)
    inside[:, *pixels] = True
    return draw_outline(frames, inside, colour=colour)


def _without_edge(pixels: slice, size: int) -> slice:
    """Pixels of an axis without the first and the last one, except those that end the frame."""
    return slice(pixels.start + (pixels.start > 0), pixels.stop - (pixels.stop < size))


def _within(start: float, length: float, size: int) -> slice:
    """The pixels of an axis whose middles lie between two places."""
    first, last = (int(np.ceil(place - 0.5)) for place in (start, start + length))
    return slice(max(first, 0), min(last, size))


def _weights(pixels: slice, start: float, length: float, count: int) -> Float[np.ndarray, "n count"]:
    """The matrix that reads `count` values, evenly spread over a part of an axis, at the middles of pixels."""
    scale = count / length
    middles = (np.arange(pixels.start, pixels.stop) + 0.5 - start) * scale - 0.5
    return linear_weights(middles.clip(0, count - 1), count, support=max(scale, 1.0)).astype(np.float32)
