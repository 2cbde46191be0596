"""Clips that are read when a batch needs them, for sets that do not fit into memory."""

import os
from typing import NamedTuple

import numpy as np
from jaxtyping import PRNGKeyArray, UInt8

from jaxsal.core.checks import check_positive
from jaxsal.datasets.decoding import square_frames
from jaxsal.datasets.records import ClipSet
from jaxsal.datasets.sampling import FrameSampler, choose_frames


class StreamedClips(NamedTuple):
    """A set on disk, read clip by clip; its batches are those of `LoadedClips`, number by number.

    Attributes:
      clip_set: The clips.
      size: S; the shorter side is resized to it, the longer one is cut around the middle.
      sampler: How the frames of a clip are chosen; only the chosen ones are resized.
      antialias: Of the resizing.
      num_threads: Batches that are made at once, in each process.
      num_workers: Processes that read and resize; 0 does it in threads of this one.
    """

    clip_set: ClipSet
    size: int
    sampler: FrameSampler
    antialias: bool
    num_threads: int
    num_workers: int

    def clip(self, number: int, key: PRNGKeyArray | None = None) -> UInt8[np.ndarray, "T S S 3"]:
        """The clip of one record: frames drawn by the key, or those for testing without one."""
        frames = self.clip_set.records[number].load()
        chosen = frames[choose_frames(self.sampler, len(frames), key)]
        return square_frames(chosen, self.size, antialias=self.antialias)


def stream_clips(
    clip_set: ClipSet,
    *,
    size: int,
    sampler: FrameSampler,
    antialias: bool = False,
    num_threads: int | None = None,
    num_workers: int = 0,
) -> StreamedClips:
    """Clips to be read as they are needed; arguments as of `StreamedClips`.

    Args:
      clip_set: What to read.
      size: S.
      sampler: How the frames of a clip are chosen.
      antialias: Of the resizing.
      num_threads: One per core if None.
      num_workers: 0 for none.

    Raises:
      ValueError: If the set is empty, or a number is too small.
    """
    if num_threads is None:
        num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    check_positive("size", size)
    check_positive("num_threads", num_threads)
    if num_workers < 0:
        raise ValueError(f"`num_workers` must be at least 0; got {num_workers}.")
    if not clip_set.records:
        raise ValueError("`clip_set` must hold at least one clip; got none.")
    return StreamedClips(clip_set, size, sampler, antialias, num_threads, num_workers)
