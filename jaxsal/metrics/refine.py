"""A curve from some of its steps: more where it bends, straight lines elsewhere. A named approximation.

Every 8th step is scored, then gaps whose ends differ by more than the tolerance are split in the middle, until none is
left. A curve that rises and falls within a gap of 8 steps between two equal scores is not noticed: what is off by more
than the tolerance is not monotone there.
"""

import numpy as np
from jaxtyping import Float, Int

STRIDE = 8


def first_steps(num_steps: int) -> Int[np.ndarray, " n"]:
    """Every 8th of S steps, and the last one."""
    return np.append(np.arange(0, num_steps - 1, STRIDE), num_steps - 1)


def open_steps(
    steps: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"], tolerance: float
) -> Int[np.ndarray, " m"]:
    """The steps to score next: in the middle of gaps whose ends differ by more than the tolerance.

    Args:
      steps: The steps that are scored, ascending.
      scores: Their scores; a gap at a score that is no number is split.
      tolerance: At least 0; with 0 a curve with different scores everywhere is scored at every step.
    """
    smooth = np.abs(np.diff(scores)) <= tolerance
    wide = ~smooth & (np.diff(steps) > 1)
    return (steps[:-1] + steps[1:])[wide] // 2


def interpolate(
    steps: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"], places: Float[np.ndarray, " S"]
) -> Float[np.ndarray, " S"]:
    """The scores of all steps, on straight lines between those that are scored; `places` are where steps stand."""
    return np.interp(places, places[steps], scores).astype(np.float32)
