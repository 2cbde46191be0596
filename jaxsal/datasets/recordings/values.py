"""Raw samples of a camera as bytes: what is black, what is white, and which samples are no numbers."""

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Shaped, UInt8

ValueRange = tuple[int | float, int | float]
RangeChoice = ValueRange | Literal["auto"] | None

PERCENTILES = (1, 99)
"""Of the samples of a clip: black and white of the range "auto"."""
FULL_RANGES: dict[str, ValueRange] = {"bool": (0, 1), "uint8": (0, 255), "uint16": (0, 65535)}


def check_value_range(value_range: RangeChoice) -> None:
    """Raises ValueError unless a range is "auto", None, or two finite numbers, low < high."""
    if value_range is None or (isinstance(value_range, str) and value_range == "auto"):
        return
    if isinstance(value_range, str) or len(value_range) != 2 or not -np.inf < value_range[0] < value_range[1] < np.inf:
        raise ValueError(f"`value_range` must be two finite numbers, low < high, or 'auto'; got {value_range!r}.")


def check_numbers(frame: Shaped[np.ndarray, "..."], path: Path, index: int) -> None:
    """Raises ValueError unless all samples of a frame are finite real numbers; the message says where one is not."""
    if frame.dtype.kind not in "biuf":
        raise ValueError(f"`path` must hold real numbers; got {path}, with {frame.dtype} values.")
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        row, column = np.argwhere(~np.isfinite(frame))[0][:2]
        kind = "NaN" if np.isnan(frame[row, column]).any() else "infinity"
        raise ValueError(
            f"`path` must hold numbers; got {path}, where frame {index} has {kind} in row {row}, column {column}. "
            "Replace such pixels, for example by the median of their neighbours."
        )


def to_bytes(frame: Shaped[np.ndarray, "H W *C"], value_range: ValueRange) -> UInt8[np.ndarray, "H W 3"]:
    """255 (v - low) / (high - low), rounded and clipped to 0..255; grey is repeated to three channels."""
    if frame.dtype != np.uint8 or tuple(value_range) != FULL_RANGES["uint8"]:
        low, high = value_range
        frame = np.rint(np.clip((frame.astype(np.float64) - low) * 255 / (high - low), 0, 255))
    colour = frame if frame.ndim == 3 else frame[..., None]
    return np.broadcast_to(colour.astype(np.uint8), (*colour.shape[:2], 3))


class DeadPixels:
    """Pixels that hold one value in all frames, further from all other values than those are from each other."""

    LARGEST_SHARE = 0.01

    def __init__(self) -> None:
        self.low: np.ndarray = np.empty(0)
        self.high: np.ndarray = np.empty(0)
        self.num_frames = 0

    def add(self, frame: Shaped[np.ndarray, "H W *C"]) -> None:
        """Takes a further frame of the clip into account; 8-bit ones and colours are passed over."""
        if frame.dtype == np.uint8 or frame.dtype == bool or frame.squeeze().ndim != 2:
            return
        frame = frame.reshape(frame.shape[:2])
        first = self.num_frames == 0
        self.low = frame if first else np.minimum(self.low, frame)
        self.high = frame if first else np.maximum(self.high, frame)
        self.num_frames += 1

    def place(self) -> tuple[int, int] | None:
        """Row and column of one; None if there is none, or fewer than two frames to tell."""
        if self.num_frames < 2:
            return None
        low, high = self.low.astype(np.float64), self.high.astype(np.float64)
        for value in (low.min(), high.max()):
            stuck = (low == value) & (high == value)
            others = ~stuck
            if not stuck.any() or not others.any() or stuck.mean() > self.LARGEST_SHARE:
                continue
            below, above = low[others].min(), high[others].max()
            gap = below - value if value < below else value - above
            if gap > above - below:
                return tuple(int(number) for number in np.argwhere(stuck)[0])  # type: ignore[return-value]
        return None
