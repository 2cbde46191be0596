"""A curve from some of its steps: more where it bends, straight lines elsewhere. A named approximation."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

STRIDE = 8


class Refined(NamedTuple):
    """Scores of all steps, and which of them were scored; the others are interpolated.

    Attributes:
      scores: Of every step, (S,).
      scored: Whether a step was scored, (S,).
    """

    scores: Float[np.ndarray, " S"]
    scored: Bool[np.ndarray, " S"]


def refine(
    score: Callable[[Int[np.ndarray, " n"]], Float[np.ndarray, " n"]], num_steps: int, tolerance: float
) -> Refined:
    """Scores every 8th step, then splits the gaps whose ends differ by more than the tolerance, until none is left.

    A gap is split in the middle. A curve that rises and falls within a gap of 8 steps between two equal scores is not
    noticed: what is off by more than the tolerance is not monotone there.

    Args:
      score: The scores of steps by number; called once per level, at most four times.
      num_steps: S.
      tolerance: The largest difference of two neighbouring scored steps with unscored ones in between, at least 0.

    Returns:
      All scores; with tolerance 0 those of a curve with different scores everywhere are all scored.
    """
    scored, scores = np.zeros(num_steps, bool), np.zeros(num_steps, np.float32)
    wanted = np.append(np.arange(0, num_steps - 1, STRIDE), num_steps - 1)
    while len(wanted):
        scores[wanted], scored[wanted] = score(wanted), True
        places = np.flatnonzero(scored)
        smooth = np.abs(np.diff(scores[places])) <= tolerance  # False where a score is no number
        open_gaps = ~smooth & (np.diff(places) > 1)
        wanted = (places[:-1] + places[1:])[open_gaps] // 2
    every, places = np.arange(num_steps), np.flatnonzero(scored)
    return Refined(np.interp(every, places, scores[places]).astype(np.float32), scored)
