"""From a set of clips to batches: frames decoded once and kept as bytes, windows chosen by step number."""

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
from jaxsal.datasets.sampling import centre_window, random_window

_THREADS = 2


class Batch(NamedTuple):
    """Clips with their labels and the numbers of their records."""

    clips: UInt8[np.ndarray, "B T S S 3"]
    labels: Int[np.ndarray, " B"]
    records: Int[np.ndarray, " B"]


class LoadedClips(NamedTuple):
    """A set in memory: every record's frames, square and at one size, at least `num_frames` of them each."""

    clip_set: ClipSet
    frames: tuple[UInt8[np.ndarray, "L S S 3"], ...]
    num_frames: int

    def batch(self, indices: Int[np.ndarray, " B"], windows: list[Int[np.ndarray, " T"]]) -> Batch:
        """The clips of some records, cut to one window each."""
        clips = np.stack([self.frames[i][window] for i, window in zip(indices, windows, strict=True)])
        labels = np.array([self.clip_set.records[i].label for i in indices], np.int32)
        return Batch(clips, labels, np.asarray(indices, np.int32))


def load_clips(clip_set: ClipSet, *, size: int, num_frames: int, progress: bool = False) -> LoadedClips:
    """Decodes all clips of a set, in threads.

    Args:
      clip_set: What to load.
      size: S; the shorter side is resized to it, the longer one is cut around the middle.
      num_frames: T, frames of a window; a shorter clip repeats its first and last frame, with a warning.
      progress: Whether to show a bar on standard error.

    Raises:
      ValueError: If the set is empty, a size is below 1, or a clip cannot be read.
    """
    check_positive("size", size)
    check_positive("num_frames", num_frames)
    if not clip_set.records:
        raise ValueError("`clip_set` must hold at least one clip; got none.")

    def load(record: ClipRecord) -> np.ndarray:
        frames = record.load()
        if len(frames) < num_frames:
            frames = frames[centre_window(len(frames), num_frames)]
        return square_frames(frames, size)

    with ThreadPoolExecutor(_THREADS) as pool:
        loaded = pool.map(load, clip_set.records)
        bar = tqdm(loaded, "clips", len(clip_set.records), disable=not progress, unit="clip")
        return LoadedClips(clip_set, tuple(bar), num_frames)


def training_batch(clips: LoadedClips, key: PRNGKeyArray, step: int, batch_size: int) -> Batch:
    """The batch of one training step: it depends on the key and the step alone, so a run can start anywhere.

    Epochs follow each other without a gap, each a permutation of all clips; windows are drawn anew each time.
    """
    num_clips = len(clips.frames)
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    orders = {
        epoch: np.random.default_rng([*_words(key), epoch]).permutation(num_clips)
        for epoch in np.unique(places // num_clips)
    }
    indices = np.array([orders[place // num_clips][place % num_clips] for place in places])
    keys = jax.random.split(jax.random.fold_in(key, step), batch_size)
    windows = [
        random_window(window_key, len(clips.frames[i]), clips.num_frames)
        for i, window_key in zip(indices, keys, strict=True)
    ]
    return clips.batch(indices, windows)


def ordered_batches(clips: LoadedClips, batch_size: int) -> Iterator[Batch]:
    """All clips once, in order, each cut to its centre window; the last batch may be smaller."""
    for start in range(0, len(clips.frames), batch_size):
        indices = np.arange(start, min(start + batch_size, len(clips.frames)))
        windows = [centre_window(len(clips.frames[i]), clips.num_frames) for i in indices]
        yield clips.batch(indices, windows)


def _words(key: PRNGKeyArray | Array) -> list[int]:
    """A key as integers that seed a NumPy generator."""
    return np.asarray(jax.random.key_data(key)).tolist()
