"""Loading many clips: in threads, in order, never more than a few ahead of who takes them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

from jaxsal.datasets.clips import resize_and_crop

_THREADS = 2
_AHEAD = 4

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def square_frames(
    frames: UInt8[np.ndarray, "L H W 3"], size: int, *, antialias: bool = False
) -> UInt8[np.ndarray, "L S S 3"]:
    """Resizes frames by their shorter side and cuts the middle square out, rounded to bytes; see `resize_and_crop`."""
    square = resize_and_crop(frames, short_side=size, crop=size, antialias=antialias)
    return np.rint(255 * square).astype(np.uint8)


def in_order(load: Callable[[Item], Loaded], items: Sequence[Item]) -> Iterator[Loaded]:
    """What `load` makes of each item, in order; loaded in threads, at most a few items ahead."""
    import grain

    options = grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_AHEAD)
    return iter(grain.MapDataset.source(items).map(load).to_iter_dataset(options))
