"""Two recordings of one scene, aligned by time: which frames of each show the same moments."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxsal.datasets.recordings.moments import Moment
from jaxsal.datasets.recordings.recording import Recording


class Moments(NamedTuple):
    """The moments that both recordings show, at the rate of the slower one.

    Attributes:
      visible: Number of the visible frame of each moment.
      infrared: Number of the infrared frame.
      apart: Seconds between the two frames of a moment, at most; None where times are not known.
    """

    visible: Int[np.ndarray, " L"]
    infrared: Int[np.ndarray, " L"]
    apart: float | None


def align(
    visible: Recording,
    infrared: Recording,
    *,
    start: Moment = 0,
    stop: Moment | None = None,
    infrared_offset: float = 0.0,
) -> Moments:
    """Finds the frames of two recordings that show the same moments.

    An infrared frame of time t was taken at t + `infrared_offset` of the visible recording. Frames of the slower
    recording are taken one by one, each with the nearest frame of the faster one. Recordings without times are taken
    frame by frame, if they have as many.

    Args:
      visible: The visible recording.
      infrared: The infrared recording.
      start: First frame of the visible recording, or its seconds.
      stop: Frame or seconds of the visible recording before which to stop; None for the end.
      infrared_offset: Seconds by which the infrared recording began after the visible one.

    Raises:
      ValueError: If the recordings share no moment, or one has no times and they differ in length.
    """
    first, last = visible.part(start, stop)
    if visible.times is None or infrared.times is None:
        infrared.part()
        return _frame_by_frame(visible, infrared, first, last, infrared_offset)
    infrared_times = infrared.times + infrared_offset
    visible_times = visible.times[first:last]
    slower_is_infrared = (infrared.rate or 0) < (visible.rate or 0) * (1 - 1e-3)
    slow, fast = (infrared_times, visible_times) if slower_is_infrared else (visible_times, infrared_times)
    step = float(np.median(np.diff(fast))) if len(fast) > 1 else 0.0
    at_once = np.flatnonzero((slow >= fast[0] - step / 2) & (slow <= fast[-1] + step / 2))
    if len(at_once) == 0:
        raise ValueError(
            f"`infrared_offset` must let both recordings show the same moments; got {infrared_offset}: "
            f"{visible.path} is taken from {visible_times[0]:.2f} s to {visible_times[-1]:.2f} s, and {infrared.path} "
            f"goes from {infrared_times[0]:.2f} s to {infrared_times[-1]:.2f} s."
        )
    partners = nearest(fast, slow[at_once])
    apart = float(np.abs(fast[partners] - slow[at_once]).max())
    if slower_is_infrared:
        return Moments(first + partners, at_once, apart)
    return Moments(first + at_once, partners, apart)


def nearest(times: Float[np.ndarray, " L"], wanted: Float[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """For each wanted time, the number of the nearest of increasing times; the earlier of two as near."""
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    return np.where(wanted - times[before] <= times[after] - wanted, before, after)


def _frame_by_frame(visible: Recording, infrared: Recording, first: int, last: int, offset: float) -> Moments:
    if visible.length != infrared.length or offset:
        lacking = (visible if visible.times is None else infrared).path
        raise ValueError(
            f"`fps` must be given for {lacking}, whose frames have no times, to align recordings of {visible.length} "
            f"and {infrared.length} frames; got none."
        )
    return Moments(np.arange(first, last), np.arange(first, last), None)
