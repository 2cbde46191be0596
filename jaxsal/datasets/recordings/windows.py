"""Windows of a long recording, planned from the numbers and the times of its frames; none of them is decoded."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxsal.datasets.recordings.moments import Moment, amount, check_moment

AUTO = "auto"
"""A window of as many frames as a network takes."""


class Span(NamedTuple):
    """A window: the first of the moments that it holds, counted from 0, and the one after its last."""

    start: int
    stop: int


def check_length(name: str, value: Moment) -> Moment:
    """Frames as a number, seconds as a text, above 0; as `check_moment`.

    Raises:
      ValueError: If it is neither, or not above 0.
    """
    length = check_moment(name, value)
    if amount(length) <= 0:
        raise ValueError(f"`{name}` must be above 0; got {value!r}.")
    return length


def plan_windows(
    frames: Int[np.ndarray, " L"],
    times: Float[np.ndarray, " L"] | None,
    *,
    window: Moment,
    hop: Moment | None = None,
    needed: int = 1,
) -> list[Span]:
    """Divides the moments of a recording into windows of one length, at even steps.

    The last window is moved back, so that it ends with the recording. Windows with fewer moments than `needed`, as
    where a camera paused, are left out. A recording that is shorter than one window is one window.

    Args:
      frames: Number of the frame of each moment, increasing.
      times: Their seconds, increasing; None where they are not known.
      window: Length in frames, in seconds such as "2.5s", or "auto": as many moments as are needed.
      hop: From the start of one window to the start of the next, in the same unit; `window` if None.
      needed: Moments that a window must hold, of a recording that has so many.

    Returns:
      The windows, by the numbers of their moments, in order.

    Raises:
      ValueError: If a length is not above 0, the units differ, seconds are asked for and not known, or no window holds
        the moments that are needed.
    """
    window = _needed(frames, times, hop, needed) if window == AUTO else check_length("window", window)
    hop = window if hop is None else check_length("hop", hop)
    if isinstance(window, str) != isinstance(hop, str):
        raise ValueError(f"`hop` must be in the unit of `window`, {window!r}; got {hop!r}.")
    if isinstance(window, str) and times is None:
        raise ValueError(
            f"`window` must be in frames for a recording without times; got {window!r}: `fps` says its frames per "
            "second."
        )
    ticks = times if isinstance(window, str) and times is not None else frames
    spans = _spans(ticks.astype(np.float64), amount(window), amount(hop))
    if len(frames) < needed:
        return [Span(0, len(frames))]
    long = [span for span in spans if span.stop - span.start >= needed]
    if not long:
        most = max(span.stop - span.start for span in spans)
        raise ValueError(
            f"`window` must hold at least {needed} frames, which the network takes; got {window!r} with {most}: "
            "'auto' is as long as is needed."
        )
    return long


def _spans(ticks: Float[np.ndarray, " L"], size: float, hop: float) -> list[Span]:
    step = float(np.median(np.diff(ticks))) if len(ticks) > 1 else 1.0
    first, end = ticks[0], ticks[-1] + step
    count = max(0, int(np.ceil((end - first - size) / hop - 1e-6))) + 1
    starts = np.maximum(np.minimum(first + hop * np.arange(count), end - size), first)
    places = zip(*(np.searchsorted(ticks, edge - step * 1e-6) for edge in (starts, starts + size)), strict=True)
    return list(dict.fromkeys(Span(int(start), int(stop)) for start, stop in places))


def _needed(
    frames: Int[np.ndarray, " L"], times: Float[np.ndarray, " L"] | None, hop: Moment | None, needed: int
) -> Moment:
    """A window of so many moments, in the unit of `hop`."""
    if hop is None or not isinstance(check_length("hop", hop), str) or times is None:
        return needed * int(np.median(np.diff(frames))) if len(frames) > 1 else needed
    return f"{needed * float(np.median(np.diff(times))):.6f}s"
