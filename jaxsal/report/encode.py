"""Clips, maps and orders of removal as text, for a page that carries all it shows."""

import base64
import io
import zlib
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt, UInt8

from jaxsal.core.types import AnyArray
from jaxsal.drawing.colours import map_limits
from jaxsal.drawing.recording import Ground, input_ground

INPUT_SIDE = 224
"""Pixels of the longer side of a clip as the network takes it, at most; of a recording's frames at least."""

_INPUT_QUALITY, _RECORDING_QUALITY = 90, 80


def encode_frames(clip: Float[AnyArray, "T H W C"]) -> list[str]:
    """Every frame as a WebP picture of at most 224 pixels a side, base64; a single channel is grey."""
    return _pictures(input_ground(clip).frames, picture_size(clip), _INPUT_QUALITY)


def encode_recording(ground: Ground, side: int) -> dict[str, Any]:
    """The frames of a recording as WebP pictures, their size, and where in them lies what the network saw.

    Args:
      ground: The recording's frames.
      side: Pixels of the longer side at most; small frames are enlarged to 224, without blending pixels.

    Returns:
      `size` (height, width), `frames` in base64, `box` (top, left, height, width) in shares of the frame.
    """
    height, width = ground.size
    longer = max(height, width)
    scale = min(side, max(longer, INPUT_SIDE)) / longer
    size = max(1, round(scale * height)), max(1, round(scale * width))
    shares = [place / length for place, length in zip(ground.box, (height, width) * 2, strict=True)]
    return {"size": list(size), "frames": _pictures(ground.frames, size, _RECORDING_QUALITY), "box": shares}


def _pictures(frames: UInt8[np.ndarray, "T H W 3"], size: tuple[int, int], quality: int) -> list[str]:
    """Every frame as a WebP picture of (H, W), base64."""
    from PIL import Image

    blended = Image.Resampling.BOX if size[0] <= frames.shape[1] else Image.Resampling.NEAREST
    pictures = []
    for frame in frames:
        image, file = Image.fromarray(frame), io.BytesIO()
        image.resize(size[::-1], blended).save(file, format="WebP", quality=quality)
        pictures.append(_base64(file.getvalue()))
    return pictures


def picture_size(clip: Float[AnyArray, "T H W C"]) -> tuple[int, int]:
    """(H, W) of the frames as pictures, the longer side 224 at most."""
    height, width = np.shape(clip)[1:3]
    scale = min(1, INPUT_SIDE / max(height, width))
    return max(1, round(scale * height)), max(1, round(scale * width))


def encode_baseline(baseline: Float[AnyArray, "..."], clip: Float[AnyArray, "T H W 3"]) -> dict[str, Any]:
    """One colour (0 to 255) where a baseline is that, else its frames."""
    frames = np.broadcast_to(baseline, np.shape(clip))
    colour = frames[0, 0, 0]
    if (frames == colour).all():
        return {"colour": np.broadcast_to(np.rint(255 * colour).astype(int), 3).tolist()}
    return {"frames": encode_frames(frames)}


def encode_map(values: Float[AnyArray, "Tm H W"], *, every: int = 1) -> dict[str, Any]:
    """A map in 256 steps from its least to its greatest value, at every n-th row and column, and limits of colours."""
    values = np.asarray(values, np.float32)
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    limits = {"faded": list(map_limits(values)), "plain": list(map_limits(values, fade=False))}
    return {"low": low, "high": high} | limits | _encode_volume(_thin(np.rint(255 * scaled).astype(np.uint8), every))


def encode_mask(mask: Bool[AnyArray, "Tm H W"], *, every: int = 1) -> dict[str, Any]:
    """The voxels of a map that are marked, at the rows and columns of `encode_map`."""
    return _encode_volume(_thin(np.asarray(mask).astype(np.uint8), every))


def encode_order(changed_at: Int[AnyArray, "..."], *, every: int = 1) -> dict[str, Any]:
    """Steps as bytes, or as pairs of bytes where there are more than 255."""
    steps = np.asarray(changed_at)
    steps = _thin(steps, every).astype(np.uint8 if steps.max() < 256 else "<u2")
    return _encode_volume(steps if steps.ndim == 4 else steps[..., None])


def _thin(volume: np.ndarray, every: int) -> np.ndarray:
    """The middle ones of every `every` rows and columns."""
    rows, columns = (np.arange(min(every // 2, size - 1), size, every) for size in volume.shape[1:3])
    return volume[:, rows][:, :, columns]


def _encode_volume(volume: UInt8[np.ndarray, "..."] | UInt[np.ndarray, "..."]) -> dict[str, Any]:
    """Differences along time, rows and columns, which wrap around and pack well; packed, as base64."""
    differences = volume
    for axis in range(3):
        first = np.zeros_like(differences.take([0], axis))
        differences = np.diff(differences, axis=axis, prepend=first)
    packed = zlib.compress(np.ascontiguousarray(differences).tobytes(), 9)
    return {"shape": list(volume.shape), "bytes": volume.itemsize, "data": _base64(packed)}


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
