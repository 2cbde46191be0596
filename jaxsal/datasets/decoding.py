"""Loading many things: in threads or in processes, in order, never more than a few ahead of who takes them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

from jaxsal.datasets.clips import resize_and_crop

_AHEAD = 4

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def square_frames(
    frames: UInt8[np.ndarray, "L H W 3"], size: int, *, antialias: bool = False
) -> UInt8[np.ndarray, "L S S 3"]:
    """Resizes frames by their shorter side and cuts the middle square out, rounded to bytes; see `resize_and_crop`."""
    square = resize_and_crop(frames, short_side=size, crop=size, antialias=antialias)
    return np.rint(255 * square).astype(np.uint8)


def in_order(
    load: Callable[[Item], Loaded], items: Sequence[Item], *, num_threads: int = 2, num_workers: int = 0
) -> Iterator[Loaded]:
    """What `load` makes of each item, in order; an error of an item is raised when its turn comes.

    Args:
      load: Takes an item; with workers it must be picklable.
      items: What to load.
      num_threads: Items that are loaded at once, in each process.
      num_workers: Processes that load, beside this one; 0 loads in threads of this one. They start with the first
        item, as fresh interpreters, so a script needs its `if __name__ == "__main__"`.
    """
    import grain

    options = grain.ReadOptions(num_threads=num_threads, prefetch_buffer_size=max(num_threads, _AHEAD))
    dataset = grain.MapDataset.source(items).map(load).to_iter_dataset(options)
    if num_workers:
        from absl import flags

        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()  # grain reads its settings there
        dataset = dataset.mp_prefetch(
            grain.MultiprocessingOptions(num_workers=num_workers), worker_init_fn=_leave_accelerators_alone
        )
    iterator = iter(dataset)
    try:
        yield from iterator
    finally:
        iterator.close()


def _leave_accelerators_alone(worker: int, num_workers: int) -> None:
    import jax

    jax.config.update("jax_platforms", "cpu")
