"""From a set of clips to batches: which clips and frames a step takes follows from its number and the key alone."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, UInt8
from tqdm import tqdm

from jaxsal.core.checks import check_positive
from jaxsal.core.devices import host_device
from jaxsal.datasets.decoding import in_order, square_frames
from jaxsal.datasets.records import ClipRecord, ClipSet
from jaxsal.datasets.sampling import FrameSampler, choose_frames

_THREADS = 2


class Batch(NamedTuple):
    """Clips with their labels and the numbers of their records."""

    clips: UInt8[np.ndarray, "B T S S 3"]
    labels: Int[np.ndarray, " B"]
    records: Int[np.ndarray, " B"]


@runtime_checkable
class ClipSource(Protocol):
    """Where the clips of batches come from: memory (`LoadedClips`), or files (`jaxsal.datasets.streaming`)."""

    @property
    def clip_set(self) -> ClipSet:
        """The records."""

    @property
    def num_threads(self) -> int:
        """Batches that are made at once, in each process."""

    @property
    def num_workers(self) -> int:
        """Processes that make batches, beside this one."""

    def clip(self, number: int, key: PRNGKeyArray | None = None) -> UInt8[np.ndarray, "T S S 3"]:
        """The clip of one record: frames drawn by the key, or those for testing without one."""


class LoadedClips(NamedTuple):
    """A set in memory: every record's frames, square and at one size, and how clips are cut from them."""

    clip_set: ClipSet
    frames: tuple[UInt8[np.ndarray, "L S S 3"], ...]
    sampler: FrameSampler
    num_threads: int = 1
    num_workers: int = 0

    def clip(self, number: int, key: PRNGKeyArray | None = None) -> UInt8[np.ndarray, "T S S 3"]:
        """The clip of one record: frames drawn by the key, or those for testing without one."""
        frames = self.frames[number]
        return frames[choose_frames(self.sampler, len(frames), key)]


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


def training_batch(
    clips: ClipSource, key: PRNGKeyArray, step: int, batch_size: int, *, rows: slice = slice(None)
) -> Batch:
    """The batch of one training step: it depends on the key and the step alone, so a run can start anywhere.

    Epochs follow each other without a gap, each a permutation of all clips; frames are chosen anew each time.

    Args:
      clips: Where from.
      key: The run's key.
      step: From 0.
      batch_size: Clips of the whole batch.
      rows: The part of the batch to make, such as that of one process of several.
    """
    num_clips = len(clips.clip_set.records)
    places = np.arange(step * batch_size, (step + 1) * batch_size)[rows]
    orders = {
        epoch: np.random.default_rng([*_words(key), epoch]).permutation(num_clips)
        for epoch in np.unique(places // num_clips)
    }
    numbers = [int(orders[place // num_clips][place % num_clips]) for place in places]
    keys = jax.random.split(jax.random.fold_in(key, step), batch_size)[rows]
    return _batch(clips, numbers, list(keys))


def training_batches(
    clips: ClipSource, key: PRNGKeyArray, steps: range, batch_size: int, *, rows: slice = slice(None)
) -> Iterator[Batch]:
    """The batches of some steps, made ahead of their use; arguments as of `training_batch`.

    Random numbers are drawn on the processor: they neither wait for the accelerator nor hold it up.
    """
    words, impl = np.asarray(jax.random.key_data(key)), str(jax.random.key_impl(key))
    make = partial(_batch_of_step, clips, words, impl, batch_size, rows)
    return in_order(make, steps, num_threads=clips.num_threads, num_workers=clips.num_workers)


def ordered_batches(clips: ClipSource, batch_size: int) -> Iterator[Batch]:
    """All clips once, in order, each made of the frames for testing; the last batch may be smaller."""
    starts = range(0, len(clips.clip_set.records), batch_size)
    make = partial(_batch_from, clips, batch_size)
    return in_order(make, starts, num_threads=clips.num_threads, num_workers=clips.num_workers)


def _batch_of_step(clips: ClipSource, words: np.ndarray, impl: str, batch_size: int, rows: slice, step: int) -> Batch:
    with jax.default_device(host_device()):
        key = jax.random.wrap_key_data(jnp.asarray(words), impl=impl)
        return training_batch(clips, key, step, batch_size, rows=rows)


def _batch_from(clips: ClipSource, batch_size: int, start: int) -> Batch:
    return _batch(clips, range(start, min(start + batch_size, len(clips.clip_set.records))))


def _batch(clips: ClipSource, numbers: Sequence[int], keys: Sequence[PRNGKeyArray] | None = None) -> Batch:
    made = [clips.clip(number, None if keys is None else keys[i]) for i, number in enumerate(numbers)]
    labels = [clips.clip_set.records[number].label for number in numbers]
    return Batch(np.stack(made), np.array(labels, np.int32), np.array(numbers, np.int32))


def _words(key: PRNGKeyArray | Array) -> list[int]:
    """A key as integers that seed a NumPy generator."""
    return np.asarray(jax.random.key_data(key)).tolist()
