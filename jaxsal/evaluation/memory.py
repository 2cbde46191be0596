"""Chunks as large as memory allows."""

import os
import sys
from collections.abc import Callable
from typing import Any

import jax

from jaxsal.core.devices import device_mesh
from jaxsal.core.processes import least
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.scoring import program_bytes

_SHARE_OF_MEMORY = 0.8


class ChunkSizes:
    """How many perturbed clips are in memory at once; fewer from then on where a device ran out of it."""

    def __init__(
        self,
        chunk_size: int,
        *,
        per_device: bool = False,
        most: int | None = None,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
    ):
        """Starts from one size for every program.

        Args:
          chunk_size: Perturbed clips at once, of all devices together.
          per_device: Whether `chunk_size` is of each device; the compiler is then asked whether it fits.
          most: Perturbed clips that there are at most, of all devices together.
          say: Called with a line where a size is chosen or changed.
        """
        devices = device_mesh().size
        if per_device and most is not None:
            chunk_size = min(chunk_size, -(-most // devices))
        self._largest, self._per_device = chunk_size, per_device
        self._sizes: dict[Any, int] = {}
        self._say = say

    def run(self, name: str, batch: Batch, function: Callable[..., Any], *, family: MaskFamily | None = None) -> Any:
        """Runs something with a `chunk_size`, and again with a smaller one where memory runs out.

        Args:
          name: Of the kind of program.
          batch: The clips.
          function: Takes `chunk_size`, of all devices together.
          family: Masks of the program; where given, the compiler says which size fits.

        Raises:
          MemoryError: If not even one perturbed clip on each device fits, or one of several processes ran out.
        """
        mesh = device_mesh()
        devices = mesh.size if self._per_device else 1
        program = (name, mesh, batch.clip_shape)
        if program not in self._sizes:
            size = self._largest
            if self._per_device and family is not None:
                size = self._fitting(batch, family, devices)
            self._sizes[program] = size
        while True:
            size = self._sizes[program]
            try:
                return jax.block_until_ready(function(chunk_size=size * devices))
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                if mesh.is_multi_process:  # the others wait inside the program for this one's part
                    raise MemoryError(
                        f"`chunk_size` must fit into the memory of every process; got none for {size} masks a device."
                    ) from error
                self._sizes[program] = self._halved(size, "a device ran out of memory")

    def _fitting(self, batch: Batch, family: MaskFamily, devices: int) -> int:
        """The largest of `chunk_size`, its half, its quarter, ... whose program fits; the same in every process."""
        size, available = self._largest, least(available_bytes())
        while True:
            needed = program_bytes(batch, family, Baseline.of("zero"), chunk_size=size * devices)
            free = f"{needed / 2**20:,.0f} MiB of {available / 2**20:,.0f} MiB free"
            if needed <= _SHARE_OF_MEMORY * available:
                self._say(f"chunks of {size} masks a device: {free}")
                return size
            size = self._halved(size, f"{size} need {free}")

    def _halved(self, size: int, reason: str) -> int:
        if size == 1:
            raise MemoryError(f"`chunk_size` must fit into memory; got no room for one mask a device ({reason}).")
        self._say(f"chunks of {size // 2} masks a device instead of {size}: {reason}")
        return size // 2


def available_bytes() -> int:
    """Memory that a device of this process can still take; for CPU devices, their share of the machine's."""
    devices = jax.local_devices()
    statistics = devices[0].memory_stats()
    if statistics and "bytes_limit" in statistics:
        return statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // len(devices)
