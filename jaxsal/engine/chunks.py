"""Chunks as large as memory allows, and in a long run as large as is fastest."""

import math
import os
import sys
import time
from collections.abc import Callable, Hashable
from functools import cache, partial
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxsal.core.devices import device_mesh, on_accelerator
from jaxsal.core.processes import least
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.masks import DenseMasks, MaskFamily
from jaxsal.engine.scoring import program_bytes
from jaxsal.engine.warm_up import WarmUp, masks_per_second
from jaxsal.recipes import ChunkSize

ON_CPU = 16
"""Perturbed clips at once with "auto" on a CPU, of all devices together."""
ON_ACCELERATOR = 64
"""Most perturbed clips at once with "auto" on a GPU or TPU, of each device."""
_SHARE_OF_MEMORY = 0.8

Result = TypeVar("Result")


class ChunkSizes:
    """How many perturbed clips are in memory at once; fewer from then on where a device ran out of it."""

    def __init__(
        self,
        chunk_size: ChunkSize,
        *,
        per_device: bool = False,
        most: int | None = None,
        passes: int = 0,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
        clock: Callable[[], float] = time.perf_counter,
    ):
        """Starts from one size for every program.

        Args:
          chunk_size: Perturbed clips at once, of all devices together; "auto" is 16 on a CPU, and on an accelerator as
            many as fit, at most 64 a device.
          per_device: Whether `chunk_size` is of each device; the compiler is then asked whether it fits.
          most: Perturbed clips that there are at most, of all devices together.
          passes: Forward passes that the run makes with each network. If they are many, "auto" on an accelerator times
            that size, its half and its quarter, and keeps the fastest.
          say: Called with a line where a size is chosen or changed.
          clock: Seconds that pass.
        """
        self._asks = chunk_size == "auto" and on_accelerator()
        self._per_device = per_device or self._asks
        largest = (ON_ACCELERATOR if self._asks else ON_CPU) if chunk_size == "auto" else chunk_size
        if self._per_device and most is not None:
            largest = min(largest, -(-most // device_mesh().size))
        self._largest = largest
        self._sizes: dict[Hashable, int] = {}
        self._warm_ups: dict[Hashable, WarmUp] = {}
        self._passes, self._say, self._clock = passes, say, clock

    def run(
        self,
        name: str,
        batch: Batch,
        function: Callable[..., Result],
        *,
        family: MaskFamily | None = None,
        passes: int | None = None,
    ) -> Result:
        """Runs something with a `chunk_size`, and again with a smaller one where memory runs out.

        Args:
          name: Of the kind of program.
          batch: The clips.
          function: Takes `chunk_size`, of all devices together.
          family: Masks of the program, of which the compiler says how many fit; with "auto" any masks if None.
          passes: Forward passes of this call; those of the run if None.

        Raises:
          MemoryError: If not even one perturbed clip on each device fits, or one of several processes ran out.
        """
        mesh = device_mesh()
        devices = mesh.size if self._per_device else 1
        network = _network(batch, mesh)
        program = (name, *network)
        if program not in self._sizes:
            began, asks = self._clock(), self._asks or (self._per_device and family is not None)
            self._sizes[program] = self._fitting(batch, family, devices) if asks else self._largest
            self._warm_ups.setdefault(network, WarmUp(self._clock() - began, self._say))
        if self._asks:
            passes = self._passes if passes is None else passes
            rate_of = partial(self._rate, batch, family, devices)
            self._sizes[program] = self._warm_ups[network].best(self._sizes[program], passes, rate_of, devices=devices)
        while True:
            size = self._sizes[program]
            try:
                return jax.block_until_ready(function(chunk_size=size * devices))
            except jax.errors.JaxRuntimeError as error:
                if not _out_of_memory(error):
                    raise
                if mesh.is_multi_process:  # the others wait inside the program for this one's part
                    raise MemoryError(
                        f"`chunk_size` must fit into the memory of every process; got none for {size} masks a device."
                    ) from error
                self._sizes[program] = self._smaller(size, 2, "a device ran out of memory")

    def _fitting(self, batch: Batch, family: MaskFamily | None, devices: int) -> int:
        """The largest of `chunk_size`, its half, its quarter, ... whose program fits; the same in every process.

        Memory grows no faster than the chunk, so that a size that needs r times too much is divided by r at once.
        """
        family = family or _any_masks(batch)
        size, available = self._largest, least(available_bytes())
        while True:
            needed = _needed(batch, family, size * devices)
            free = f"{needed / 2**20:,.0f} MiB of {available / 2**20:,.0f} MiB free"
            if needed <= _SHARE_OF_MEMORY * available:
                self._say(f"chunks of {size} masks a device: {free}")
                return size
            excess = min(needed / max(_SHARE_OF_MEMORY * available, 1.0), size) if math.isfinite(needed) else 2
            size = self._smaller(size, 2 ** math.ceil(math.log2(max(excess, 2))), f"{size} need {free}")

    def _rate(self, batch: Batch, family: MaskFamily | None, devices: int, size: int) -> float:
        """Masks per second of a size, in the slowest process; 0 where a device runs out of memory."""
        rate = 0.0
        try:
            rate = masks_per_second(batch, family or _any_masks(batch), chunk_size=size * devices, clock=self._clock)
        except jax.errors.JaxRuntimeError as error:
            if not _out_of_memory(error):
                raise
        return least(rate)

    def _smaller(self, size: int, divisor: int, reason: str) -> int:
        if size == 1:
            raise MemoryError(f"`chunk_size` must fit into memory; got no room for one mask a device ({reason}).")
        smaller = max(size // divisor, 1)
        self._say(f"chunks of {smaller} masks a device instead of {size}: {reason}")
        return smaller


def in_chunks(
    chunk_size: ChunkSize, name: str, batch: Batch, function: Callable[..., Result], *, passes: int = 0
) -> Result:
    """Runs something with a `chunk_size`; "auto" chooses one for a network once in a process, and says so.

    Args:
      chunk_size: Perturbed clips at once, of all devices together, or "auto".
      name: Of the kind of program.
      batch: The clips.
      function: Takes `chunk_size`, of all devices together.
      passes: Forward passes that it makes, where they can be many.

    Raises:
      MemoryError: With "auto", if not even one perturbed clip on each device fits.
    """
    if chunk_size != "auto":
        return function(chunk_size=chunk_size)
    return function(chunk_size=ON_CPU) if batch.traced else _automatic().run(name, batch, function, passes=passes)


def available_bytes() -> int:
    """Memory that a device of this process can still take; for CPU devices, their share of the machine's."""
    devices = jax.local_devices()
    statistics = devices[0].memory_stats()
    if statistics and "bytes_limit" in statistics:
        return statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // len(devices)


@cache
def _automatic() -> ChunkSizes:
    return ChunkSizes("auto")


def _network(batch: Batch, mesh: Mesh) -> tuple[Hashable, ...]:
    """What the memory of a perturbed clip depends on; the network as a number, so that nothing of it is kept."""
    weights = tuple((leaf.shape, str(leaf.dtype)) for leaf in batch.split.arrays)
    return mesh, batch.clip_shape, hash((batch.split.static, weights))


def _any_masks(batch: Batch) -> MaskFamily:
    return DenseMasks(jnp.ones((1, *batch.shape)))


def _needed(batch: Batch, family: MaskFamily, chunk_size: int) -> float:
    """Bytes of the program on each device; infinite where its compiler finds no room for it."""
    try:
        return program_bytes(batch, family, Baseline.of("zero"), chunk_size=chunk_size)
    except jax.errors.JaxRuntimeError as error:
        if not _out_of_memory(error):
            raise
        return math.inf


def _out_of_memory(error: jax.errors.JaxRuntimeError) -> bool:
    return "RESOURCE_EXHAUSTED" in str(error)
