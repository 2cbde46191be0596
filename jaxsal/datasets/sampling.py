"""Which frames of a recording make a clip: frame indices, without reading a frame."""

import warnings
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from jaxsal.core.checks import check_positive


@runtime_checkable
class FrameSampler(Protocol):
    """How the frames of a clip are chosen: always alike for testing, by a key for training."""

    @property
    def num_frames(self) -> int:
        """T, the frames of a clip."""

    def test_indices(self, length: int) -> Int[np.ndarray, " T"]:
        """The frames, of a recording of `length`, that the network is tested and explained on."""

    def train_indices(self, key: PRNGKeyArray, length: int) -> Int[np.ndarray, " T"]:
        """Of a recording of `length` frames, those of one training clip; they depend on the key alone."""


@dataclass(frozen=True)
class WindowSampler:
    """One window of frames at even steps: the middle one for testing, any for training.

    Attributes:
      num_frames: T.
      stride: Steps from one frame of the window to the next.
    """

    num_frames: int = 16
    stride: int = 1

    def __post_init__(self):
        _check_all_positive(num_frames=self.num_frames, stride=self.stride)

    def test_indices(self, length: int) -> Int[np.ndarray, " T"]:
        """As `centre_window`."""
        return centre_window(length, self.num_frames, stride=self.stride)

    def train_indices(self, key: PRNGKeyArray, length: int) -> Int[np.ndarray, " T"]:
        """As `random_window`."""
        return random_window(key, length, self.num_frames, stride=self.stride)


@dataclass(frozen=True)
class SegmentSampler:
    """Some consecutive frames of each of several segments, spread over the whole recording.

    Attributes:
      num_segments: Segments.
      frames_per_segment: F, consecutive frames of each.
    """

    num_segments: int = 8
    frames_per_segment: int = 4

    def __post_init__(self):
        _check_all_positive(num_segments=self.num_segments, frames_per_segment=self.frames_per_segment)

    @property
    def num_frames(self) -> int:
        """T, the frames of a clip."""
        return self.num_segments * self.frames_per_segment

    def test_indices(self, length: int) -> Int[np.ndarray, " T"]:
        """As `segment_indices`."""
        return segment_indices(length, **vars(self))

    def train_indices(self, key: PRNGKeyArray, length: int) -> Int[np.ndarray, " T"]:
        """As `random_segment_indices`."""
        return random_segment_indices(key, length, **vars(self))


@dataclass(frozen=True)
class SpreadSampler:
    """Single frames spread over the whole recording: of T equal parts the middle one for testing, any for training.

    Attributes:
      num_frames: T.
    """

    num_frames: int = 16

    def __post_init__(self):
        check_positive("num_frames", self.num_frames)

    def test_indices(self, length: int) -> Int[np.ndarray, " T"]:
        """Frame i is int((i + 1/2) L / T); a recording of fewer frames than T repeats some."""
        return self._indices(length, 0.5)

    def train_indices(self, key: PRNGKeyArray, length: int) -> Int[np.ndarray, " T"]:
        """Frame i is int((i + u_i) L / T), u_i uniform in [0, 1)."""
        return self._indices(length, np.asarray(jax.random.uniform(key, (self.num_frames,)), np.float64))

    def _indices(self, length: int, places: float | Float[np.ndarray, " T"]) -> Int[np.ndarray, " T"]:
        check_positive("length", length)
        return ((np.arange(self.num_frames) + places) * length / self.num_frames).astype(int)


def choose_frames(sampler: FrameSampler, length: int, key: PRNGKeyArray | None) -> Int[np.ndarray, " T"]:
    """The frames of one clip of a recording: drawn by a key, or those for testing without one."""
    return sampler.test_indices(length) if key is None else sampler.train_indices(key, length)


def random_window(key: PRNGKeyArray, length: int, num_frames: int, *, stride: int = 1) -> Int[np.ndarray, " T"]:
    """Chooses a window at random, every start equally likely.

    The study's code never draws the last start and fails on a recording of exactly `num_frames`; this does
    neither.

    Args:
      key: Random key.
      length: L, the frames of the recording.
      num_frames: T, the frames to choose.
      stride: Steps from one chosen frame to the next.

    Returns:
      Increasing indices in 0..L-1. A recording shorter than the window lies in its middle, its first and
      last frame repeated, with a warning.

    Raises:
      ValueError: If `length`, `num_frames` or `stride` is less than 1.
    """
    num_starts = _num_starts(length, num_frames, stride)
    if num_starts < 1:
        return _padded_window(length, num_frames, stride)
    return int(jax.random.randint(key, (), 0, num_starts)) + stride * np.arange(num_frames)


def centre_window(length: int, num_frames: int, *, stride: int = 1) -> Int[np.ndarray, " T"]:
    """Chooses the window in the middle; where two are as near, the earlier one.

    Args:
      length: L, the frames of the recording.
      num_frames: T, the frames to choose.
      stride: Steps from one chosen frame to the next.

    Returns:
      Increasing indices in 0..L-1. A recording shorter than the window lies in its middle, its first and
      last frame repeated, with a warning.

    Raises:
      ValueError: If `length`, `num_frames` or `stride` is less than 1.
    """
    num_starts = _num_starts(length, num_frames, stride)
    if num_starts < 1:
        return _padded_window(length, num_frames, stride)
    return (num_starts - 1) // 2 + stride * np.arange(num_frames)


def segment_indices(length: int, *, num_segments: int = 8, frames_per_segment: int = 4) -> Int[np.ndarray, " T"]:
    """Chooses the frames that PAN is tested on: a few consecutive ones from each of some even segments.

    With F frames a segment and tick = (L - F + 1) / num_segments, segment i starts at
    int(tick / 2 + tick i); all start at 0 if L <= num_segments + F - 1.

    Args:
      length: L, the frames of the recording.
      num_segments: Segments, spread evenly.
      frames_per_segment: F, consecutive frames of each.

    Returns:
      num_segments * F indices in 0..L-1, segment by segment. A recording shorter than F repeats its last
      frame, with a warning.

    Raises:
      ValueError: If `length`, `num_segments` or `frames_per_segment` is less than 1.

    References:
      Zhang et al., "PAN: Towards Fast Action Recognition via Learning Persistence of Appearance", 2020,
      https://arxiv.org/abs/2008.03462
    """
    _check_all_positive(length=length, num_segments=num_segments, frames_per_segment=frames_per_segment)
    starts = np.zeros(num_segments, int)
    if length > num_segments + frames_per_segment - 1:
        tick = (length - frames_per_segment + 1) / num_segments
        starts = (tick / 2 + tick * np.arange(num_segments)).astype(int)
    return _segments(starts, length, frames_per_segment)


def random_segment_indices(
    key: PRNGKeyArray, length: int, *, num_segments: int = 8, frames_per_segment: int = 4
) -> Int[np.ndarray, " T"]:
    """Chooses the frames that PAN is trained on: a random start in each of some even segments.

    With F frames a segment and step = floor((L - F + 1) / num_segments), segment i starts at
    i step + u_i, u_i uniform in 0..step-1; if step is 0, the starts are drawn from all and sorted.

    Args:
      key: Random key.
      length: L, the frames of the recording.
      num_segments: Segments, spread evenly.
      frames_per_segment: F, consecutive frames of each.

    Returns:
      num_segments * F indices in 0..L-1, segment by segment. A recording shorter than F repeats its last
      frame, with a warning.

    Raises:
      ValueError: If `length`, `num_segments` or `frames_per_segment` is less than 1.
    """
    _check_all_positive(length=length, num_segments=num_segments, frames_per_segment=frames_per_segment)
    num_starts = max(length - frames_per_segment + 1, 1)
    step = num_starts // num_segments
    drawn = np.asarray(jax.random.randint(key, (num_segments,), 0, step or num_starts))
    starts = step * np.arange(num_segments) + drawn if step else np.sort(drawn)
    return _segments(starts, length, frames_per_segment)


def _segments(starts: np.ndarray, length: int, frames_per_segment: int) -> np.ndarray:
    missing = frames_per_segment - length
    if missing > 0:
        message = f"{missing} of {frames_per_segment} frames of a segment are missing; the last is repeated."
        warnings.warn(message, stacklevel=3)
    indices = starts[:, None] + np.arange(frames_per_segment)
    return np.minimum(indices, length - 1).ravel()


def _padded_window(length: int, num_frames: int, stride: int) -> np.ndarray:
    span = (num_frames - 1) * stride + 1
    missing = span - length
    message = f"{missing} of {span} frames of the window are missing; the first and last are repeated."
    warnings.warn(message, stacklevel=3)
    return np.clip(stride * np.arange(num_frames) - missing // 2, 0, length - 1)


def _num_starts(length: int, num_frames: int, stride: int) -> int:
    """How many windows lie wholly in a recording; below 1 where it is too short for any."""
    _check_all_positive(length=length, num_frames=num_frames, stride=stride)
    return length - (num_frames - 1) * stride


def _check_all_positive(**values: int) -> None:
    for name, value in values.items():
        check_positive(name, value)
