"""Frames of a recording as bytes, and their resizing to the size a classifier takes."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from jaxsal.core.resize import linear_weights
from jaxsal.datasets.recordings.moments import Moment
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.datasets.recordings.recording import Reading
from jaxsal.datasets.recordings.values import RangeChoice

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def read_frames(
    path: str | Path,
    *,
    start: Moment = 0,
    stop: Moment | None = None,
    value_range: RangeChoice = None,
    pattern: str | None = None,
    stream: int | None = None,
) -> UInt8[np.ndarray, "L H W 3"]:
    """Reads frames `start` to `stop` (exclusive) of one recording.

    A recording is a video file (whatever PyAV opens, GIF too; one frame per picture it shows, whatever its timing), a
    folder of images (in the order of the numbers in their names), a TIFF of several pages, an animated WebP or PNG, or
    an array file: .npy, or .npz with one array of 3 or 4 axes, (L, H, W), (L, H, W, 1) or (L, H, W, 3). Frames are
    turned as the file says. Grey is repeated to three channels, an alpha channel is dropped.

    A video that is cut off raises, unless `stop` is among its whole frames; a container that says neither how many
    frames it has nor where they lie (mkv, webm, gif) can end early unnoticed.

    Values become uint8 by `value_range`: 255 (v - low) / (high - low), rounded and clipped to 0..255.
    Without it 8-bit values stay as they are, and deeper ones use the full range of their depth, such as (0, 65535).
    Grey and RGB keep their samples up to this step at any depth; other deep video (YUV of 10 bits) cannot be given a
    range.

    Args:
      path: The file or the folder.
      start: First frame, or seconds such as "12.5s"; earlier ones are not read, or no more of them than decoding needs.
      stop: One past the last frame, or seconds; None reads to the end.
      value_range: (low, high) in raw units, such as the counts of a thermal camera, or "auto": the 1st and the 99th
        percentile of the frames that are read. Must be given for signed, wider and floating-point values.
      pattern: Which files of a folder are the frames, such as "*_T.JPG"; which array of an .npz file.
      stream: Number of the video stream, counted from 0; the first if None.

    Raises:
      FileNotFoundError: If there is nothing at `path`.
      ValueError: If the file cannot be read, is cut off or of an unknown kind, the folder has no image or several
        series, the frames differ in size or hold NaN or dead pixels, or an argument does not fit the recording.
    """
    recording = open_recording(path, Reading(value_range, pattern, stream))
    return recording.read(range(*recording.part(start, stop)), value_range)


def resize_and_crop(
    frames: UInt8[np.ndarray, "L H W C"],
    *,
    short_side: int = 256,
    crop: int = 224,
    antialias: bool = False,
) -> Float[np.ndarray, "L S S C"]:
    """Resizes frames by their shorter side, cuts the centre square out and scales values to [0, 1].

    Bilinear with half-pixel centres; the longer side becomes int(short_side * long / short). A pixel of
    the output is a weighted mean of input pixels, w(j) ~ max(0, 1 - |j - centre| / support) per axis.

    Args:
      frames: Frames of any size, values 0 to 255.
      short_side: Shorter side after resizing, in pixels.
      crop: Side of the square, in pixels.
      antialias: Widens `support` from 1 to the reduction factor, as PIL does. The study's 3D network goes
        without, its PAN with; better with wherever frames shrink to less than half.

    Returns:
      float32 clips in [0, 1].

    Raises:
      ValueError: If `crop` is not in 1..`short_side`, or a side of the frames is 0.
    """
    if not 1 <= crop <= short_side:
        raise ValueError(f"`crop` must be in 1..`short_side`, {short_side}; got {crop}.")
    length, height, width, channels = frames.shape
    short = min(height, width)
    if short == 0:
        raise ValueError(f"`frames` must not be empty; got shape {frames.shape}.")
    rows = _resize_weights(height, int(short_side * height / short), crop, antialias)
    columns = _resize_weights(width, int(short_side * width / short), crop, antialias)
    clip = np.empty((length, crop, crop, channels), np.float32)
    for frame, out in zip(frames, clip, strict=True):
        wide = (rows @ frame.reshape(height, -1)).reshape(crop, width, channels)
        turned = columns @ wide.swapaxes(0, 1).reshape(width, -1)
        out[:] = turned.reshape(crop, crop, channels).swapaxes(0, 1)
    return np.clip(clip / np.float32(255), 0, 1)


def cut_box(size: tuple[int, int], *, short_side: int, crop: int) -> tuple[float, float, float, float]:
    """The part of a frame that `resize_and_crop` keeps: top, left, height, width, in pixels of the frame."""
    sides = []
    for side in size:
        first, scale = _first_and_scale(side, int(short_side * side / min(size)), crop)
        sides.append((first * scale, crop * scale))
    (top, height), (left, width) = sides
    return top, left, height, width


def square_frames(
    frames: UInt8[np.ndarray, "L H W C"], size: int, *, antialias: bool = False
) -> UInt8[np.ndarray, "L S S C"]:
    """Resizes frames by their shorter side and cuts the middle square out, rounded to bytes; see `resize_and_crop`."""
    if frames.shape[1:3] == (size, size):
        return frames
    square = resize_and_crop(frames, short_side=size, crop=size, antialias=antialias)
    return np.rint(255 * square).astype(np.uint8)


def _resize_weights(size: int, new_size: int, crop: int, antialias: bool) -> "csr_array":
    """Sparse (crop, size) float32 matrix that resizes one axis to `new_size` and keeps its centre."""
    from scipy.sparse import csr_array

    first, scale = _first_and_scale(size, new_size, crop)
    centres = (np.arange(first, first + crop) + 0.5) * scale - 0.5
    return csr_array(linear_weights(centres, size, support=max(scale, 1.0) if antialias else 1.0).astype(np.float32))


def _first_and_scale(size: int, new_size: int, crop: int) -> tuple[int, float]:
    """Of an axis that is resized: where its middle begins, and the pixels of the frame per pixel of the clip."""
    return round((new_size - crop) / 2), size / new_size
