"""From a set of clips to batches: which clips and frames a step takes follows from its number and the key alone."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray, PyTree

from jaxsal.core.checks import check_positive
from jaxsal.core.devices import host_device, num_cores
from jaxsal.core.extras import check_installed
from jaxsal.core.progress import counted
from jaxsal.datasets.clips import square_frames
from jaxsal.datasets.fused import map_frames, take_frames
from jaxsal.datasets.records import ClipRecord, ClipSet
from jaxsal.datasets.sampling import FrameSampler, choose_frames

_THREADS, _AHEAD = 2, 4

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


class Batch(NamedTuple):
    """Clips with their labels and the numbers of their records; scenes have clips by spectrum."""

    clips: PyTree
    labels: Int[np.ndarray, " B"]
    records: Int[np.ndarray, " B"]


class ClipSource(NamedTuple):
    """A set of clips, and how a batch gets them: out of memory (`load_clips`) or out of files (`stream_clips`).

    Attributes:
      clip_set: The clips.
      size: S; the shorter side is resized to it, the longer one is cut around the middle.
      sampler: How the frames of a clip are chosen; only the chosen ones are resized.
      antialias: Of the resizing, as in `resize_and_crop`.
      num_threads: Batches that are made at once, in each process.
      num_workers: Processes that make batches, beside this one; 0 makes them in threads of this one.
    """

    clip_set: ClipSet
    size: int
    sampler: FrameSampler
    antialias: bool = False
    num_threads: int = 1
    num_workers: int = 0

    def clip(self, number: int, key: PRNGKeyArray | None = None) -> PyTree:
        """The clip (T, S, S, C) of one record, uint8: frames drawn by the key, or those for testing without one.

        Of a scene one for each spectrum, of the same moments.
        """
        frames = self.clip_set.records[number].load()
        chosen = take_frames(frames, lambda length: choose_frames(self.sampler, length, key))
        return map_frames(partial(square_frames, size=self.size, antialias=self.antialias), chosen)


def load_clips(
    clip_set: ClipSet, *, size: int, sampler: FrameSampler, antialias: bool = False, progress: bool = False
) -> ClipSource:
    """Decodes all clips of a set, in threads, and keeps them in memory at the size that batches need.

    Args:
      clip_set: What to load.
      size: As of `ClipSource`.
      sampler: As of `ClipSource`; frames of a short recording are repeated, with a warning.
      antialias: As of `ClipSource`.
      progress: Whether to show on standard error how far it is.

    Raises:
      ValueError: If the set is empty, `size` is below 1, or a clip cannot be read.
    """
    _check(clip_set, size)

    def load(record: ClipRecord) -> ClipRecord:
        frames = map_frames(partial(square_frames, size=size, antialias=antialias), record.load())
        return dataclasses.replace(record, load=lambda: frames)

    with ThreadPoolExecutor(_THREADS) as pool:
        loaded = pool.map(load, clip_set.records)
        records = tuple(counted(loaded, len(clip_set.records), "read", "clips", show=progress))
        return ClipSource(ClipSet(clip_set.classes, records), size, sampler, antialias)


def stream_clips(
    clip_set: ClipSet,
    *,
    size: int,
    sampler: FrameSampler,
    antialias: bool = False,
    num_threads: int | None = None,
    num_workers: int = 0,
) -> ClipSource:
    """Clips that are read when a batch needs them, for sets that do not fit into memory; the batches are the same.

    Args:
      clip_set: What to read.
      size: As of `ClipSource`.
      sampler: As of `ClipSource`.
      antialias: As of `ClipSource`.
      num_threads: As of `ClipSource`; one per core if None.
      num_workers: As of `ClipSource`.

    Raises:
      ValueError: If the set is empty, or a number is too small.
    """
    num_threads = num_cores() if num_threads is None else num_threads
    check_positive("num_threads", num_threads)
    if num_workers < 0:
        raise ValueError(f"`num_workers` must be at least 0; got {num_workers}.")
    _check(clip_set, size)
    return ClipSource(clip_set, size, sampler, antialias, num_threads, num_workers)


def _check(clip_set: ClipSet, size: int) -> None:
    check_positive("size", size)
    if not clip_set.records:
        raise ValueError("`clip_set` must hold at least one clip; got none.")


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
    words = np.asarray(jax.random.key_data(key)).tolist()
    orders = {
        epoch: np.random.default_rng([*words, epoch]).permutation(num_clips) for epoch in np.unique(places // num_clips)
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


def _batch_of_step(clips: ClipSource, words: np.ndarray, impl: str, batch_size: int, rows: slice, step: int) -> Batch:
    with jax.default_device(host_device()):
        key = jax.random.wrap_key_data(jnp.asarray(words), impl=impl)
        return training_batch(clips, key, step, batch_size, rows=rows)


def ordered_batches(clips: ClipSource, batch_size: int) -> Iterator[Batch]:
    """All clips once, in order, each made of the frames for testing; the last batch may be smaller."""
    numbers = range(len(clips.clip_set.records))
    parts = [numbers[start : start + batch_size] for start in numbers[::batch_size]]
    return in_order(partial(_batch, clips), parts, num_threads=clips.num_threads, num_workers=clips.num_workers)


def _batch(clips: ClipSource, numbers: Sequence[int], keys: Sequence[PRNGKeyArray] | None = None) -> Batch:
    made = [clips.clip(number, None if keys is None else keys[i]) for i, number in enumerate(numbers)]
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *made)
    labels = [clips.clip_set.records[number].label for number in numbers]
    return Batch(stacked, np.array(labels, np.int32), np.array(numbers, np.int32))


def in_order(
    load: Callable[[Item], Loaded], items: Sequence[Item], *, num_threads: int = 2, num_workers: int = 0
) -> Iterator[Loaded]:
    """Loads items ahead of their use, a few at most, and yields them in order; errors come when it is their turn.

    Args:
      load: Takes an item; with workers it must be picklable.
      items: What to load.
      num_threads: Items that are loaded at once, in each process.
      num_workers: Processes that load, beside this one; 0 loads in threads of this one. They start with the first
        item, as fresh interpreters, so a script needs its `if __name__ == "__main__"`.
    """
    check_installed("grain")
    import grain

    options = grain.ReadOptions(num_threads=num_threads, prefetch_buffer_size=max(num_threads, _AHEAD))
    dataset = grain.MapDataset.source(items).map(load).to_iter_dataset(options)
    if num_workers:
        from absl import flags

        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()  # grain reads its settings there
        workers = grain.MultiprocessingOptions(num_workers=num_workers)
        dataset = dataset.mp_prefetch(workers, worker_init_fn=_leave_accelerators_alone)
    iterator = iter(dataset)
    try:
        yield from iterator
    finally:
        iterator.close()


def _leave_accelerators_alone(worker: int, num_workers: int) -> None:
    jax.config.update("jax_platforms", "cpu")
