"""Hatching on frames, so that a reader sees where a map is not settled."""

import numpy as np
from jaxtyping import Bool, UInt8

_LINES = 16
"""Spaces between lines that a frame is high, at least 4 pixels each."""


def draw_hatching(
    frames: UInt8[np.ndarray, "T H W 3"], mask: Bool[np.ndarray, "T H W"]
) -> UInt8[np.ndarray, "T H W 3"]:
    """Frames with white diagonal lines over a mask, through which the frames show.

    Args:
      frames: The frames.
      mask: The pixels to hatch.

    Raises:
      ValueError: If the mask is not of the frames' size.
    """
    if mask.shape != frames.shape[:3]:
        raise ValueError(f"`mask` must have the frames' shape {frames.shape[:3]}; got {mask.shape}.")
    _, height, width = mask.shape
    space = max(4, height // _LINES)
    diagonals = np.add.outer(np.arange(height), np.arange(width)) % space < max(1, space // 6)
    lines = (mask & diagonals)[..., None]
    return np.where(lines, frames // 4 + np.uint8(191), frames)
