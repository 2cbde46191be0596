"""Places in a recording: a frame by its number, or a moment in seconds such as "12.5s"."""

import re

import numpy as np
from jaxtyping import Float

Moment = int | str
"""The number of a frame, counted from 0, or seconds from the first frame, such as "12.5s"."""

_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*s")
_FRAME = re.compile(r"(\d+)(?:\.0*)?")


def check_moment(name: str, value: Moment) -> Moment:
    """A frame as a number, seconds as a text: 12, "12" and "12.0" are frame 12, "12.5s" and "12.5 s" are seconds.

    Raises:
      ValueError: If it is neither; the message names the argument.
    """
    if isinstance(value, str):
        text = value.strip()
        if _SECONDS.fullmatch(text):
            return text
        if whole := _FRAME.fullmatch(text):
            return int(whole[1])
        raise ValueError(f"`{name}` must be a frame, such as 12, or seconds, such as 12.5s; got {value!r}.")
    if value < 0:
        raise ValueError(f"`{name}` must be at least 0; got {value}.")
    return value


def amount(moment: Moment) -> float:
    """The frames or seconds of a moment that `check_moment` gave, as a number."""
    return float(moment.removesuffix("s")) if isinstance(moment, str) else float(moment)


def frame_at(name: str, moment: Moment, times: Float[np.ndarray, " L"] | None, length: int) -> int:
    """The first frame at a moment or after it; `length` where there is none.

    Raises:
      ValueError: If the moment is in seconds, and the recording does not say when its frames were taken.
    """
    moment = check_moment(name, moment)
    if isinstance(moment, int):
        return moment
    if times is None:
        raise ValueError(
            f"`{name}` must be a frame in a recording without times; got {moment!r}: `fps` says its frames per second."
        )
    return min(int(np.searchsorted(times, amount(moment) - 1e-6)), length)
