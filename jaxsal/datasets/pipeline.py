"""From a set of clips to batches: frames decoded once and kept as bytes, the frames of a clip chosen by step number."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, UInt8
from tqdm import tqdm

from jaxsal.checks import check_positive
from jaxsal.datasets.decoding import square_frames
from jaxsal.datasets.records import ClipRecord, ClipSet
from jaxsal.datasets.sampling import FrameSampler

_THREADS = 2


class Batch(NamedTuple):
    """Clips with their labels and the numbers of their records."""

    clips: UInt8[np.ndarray, "B T S S 3"]
    labels: Int[np.ndarray, " B"]
    records: Int[np.ndarray, " B"]


class LoadedClips(NamedTuple):
    """A set in memory: every record's frames, square and at one size, and how clips are cut from them."""

    clip_set: ClipSet
    frames: tuple[UInt8[np.ndarray, "L S S 3"], ...]
    sampler: FrameSampler

    def batch(self, indices: Int[np.ndarray, " B"], chosen: list[Int[np.ndarray, " T"]]) -> Batch:
        """The clips of some records, made of the chosen frames of each."""
        clips = np.stack([self.frames[i][frames] for i, frames in zip(indices, chosen, strict=True)])
        labels = np.array([self.clip_set.records[i].label for i in indices], np.int32)
        return Batch(clips, labels, np.asarray(indices, np.int32))


def load_clips(
    clip_set: ClipSet, *, size: int, sampler: FrameSampler, antialias: bool = False, progress: bool = False
) -> LoadedClips:
    """Decodes all clips of a set, in threads.

    Args:
      clip_set: What to load.
      size: S; the shorter side is resized to it, the longer one is cut around the middle.
      sampler: How the frames of a clip are chosen; those of a short recording are repeated, with a warning.
      antialias: Of the resizing, as in `resize_and_crop`.
      progress: Whether to show a bar on standard error.

    Raises:
      ValueError: If the set is empty, `size` is below 1, or a clip cannot be read.
    """
    check_positive("size", size)
    if not clip_set.records:
        raise ValueError("`clip_set` must hold at least one clip; got none.")

    def load(record: ClipRecord) -> np.ndarray:
        return square_frames(record.load(), size, antialias=antialias)

    with ThreadPoolExecutor(_THREADS) as pool:
        loaded = pool.map(load, clip_set.records)
        bar = tqdm(loaded, "clips", len(clip_set.records), disable=not progress, unit="clip")
        return LoadedClips(clip_set, tuple(bar), sampler)


def training_batch(clips: LoadedClips, key: PRNGKeyArray, step: int, batch_size: int) -> Batch:
    """The batch of one training step: it depends on the key and the step alone, so a run can start anywhere.

    Epochs follow each other without a gap, each a permutation of all clips; frames are chosen anew each time.
    """
    num_clips = len(clips.frames)
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    orders = {
        epoch: np.random.default_rng([*_words(key), epoch]).permutation(num_clips)
        for epoch in np.unique(places // num_clips)
    }
    indices = np.array([orders[place // num_clips][place % num_clips] for place in places])
    keys = jax.random.split(jax.random.fold_in(key, step), batch_size)
    chosen = [
        clips.sampler.train_indices(clip_key, len(clips.frames[i])) for i, clip_key in zip(indices, keys, strict=True)
    ]
    return clips.batch(indices, chosen)


def ordered_batches(clips: LoadedClips, batch_size: int) -> Iterator[Batch]:
    """All clips once, in order, each made of the frames for testing; the last batch may be smaller."""
    for start in range(0, len(clips.frames), batch_size):
        indices = np.arange(start, min(start + batch_size, len(clips.frames)))
        yield clips.batch(indices, [clips.sampler.test_indices(len(clips.frames[i])) for i in indices])


def _words(key: PRNGKeyArray | Array) -> list[int]:
    """A key as integers that seed a NumPy generator."""
    return np.asarray(jax.random.key_data(key)).tolist()
