"""The outline of an actor on frames, so that a reader sees at once whether a map lies on him."""

import numpy as np
from jaxtyping import Bool, UInt8

ACTOR = (0, 255, 255)  # apart from every colour of the maps


def draw_outline(
    frames: UInt8[np.ndarray, "T H W 3"],
    mask: Bool[np.ndarray, "T H W"],
    *,
    colour: tuple[int, int, int] = ACTOR,
) -> UInt8[np.ndarray, "T H W 3"]:
    """Frames with the edge of a mask drawn on them: its pixels with a neighbour in the frame that is outside.

    Args:
      frames: The frames.
      mask: The actor's pixels, or others.
      colour: Of the edge, from 0 to 255.

    Raises:
      ValueError: If the mask is not of the frames' size.
    """
    if mask.shape != frames.shape[:3]:
        raise ValueError(f"`mask` must have the frames' shape {frames.shape[:3]}; got {mask.shape}.")
    padded = np.pad(mask, [(0, 0), (1, 1), (1, 1)], mode="edge")
    inside = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    return np.where((mask & ~inside)[..., None], np.array(colour, np.uint8), frames)
