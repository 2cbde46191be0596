"""Samples of a frame that PyAV decoded, kept as they are where its format allows."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxsal.datasets.recordings.values import ValueRange

if TYPE_CHECKING:
    from av import VideoFrame

_PLANAR_COLOUR = {9: "gbrp9le", 10: "gbrp10le", 12: "gbrp12le", 14: "gbrp14le", 16: "gbrp16le"}


class SampleFormat(NamedTuple):
    """How the samples of a format are taken.

    Attributes:
      array: PyAV's format of the array.
      full_range: Black and white of the depth; None for floating point.
      is_converted: Whether the samples are computed from the stored ones.
    """

    array: str
    full_range: ValueRange | None
    is_converted: bool = False


def sample_format(frame: "VideoFrame") -> SampleFormat:
    """How to take a frame's samples: grey and RGB of more than 8 bits as stored, other deep ones as RGB of 16 bits."""
    name, bits = frame.format.name, max(component.bits for component in frame.format.components)
    if bits <= 8:
        return SampleFormat("rgb24", (0, 255))
    kind = name.removesuffix("le").removesuffix("be")
    if bits == 32 and kind in ("grayf32", "gbrpf32"):
        return SampleFormat(f"{kind}le", None)
    depth = (0, 2**bits - 1)
    if kind.startswith("gray") and kind[4:].isdecimal():
        return SampleFormat(f"{kind}le", depth)
    if kind.startswith(("gbrp", "gbrap")) and bits in _PLANAR_COLOUR:
        return SampleFormat(_PLANAR_COLOUR[bits], depth)
    if kind in ("rgb48", "bgr48", "rgba64", "bgra64"):
        return SampleFormat("rgb48le", depth)
    if kind == "ya16":
        return SampleFormat("gray16le", depth)
    return SampleFormat("rgb48le", (0, 65535), is_converted=True)


def samples_of(frame: "VideoFrame") -> np.ndarray:
    """The samples of a frame, grey (H, W) or colour (H, W, 3)."""
    return frame.to_ndarray(format=sample_format(frame).array)
