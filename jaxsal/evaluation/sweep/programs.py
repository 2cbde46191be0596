"""Forward passes of a sweep: chunks as large as memory allows, and a count of what was compiled for them."""

import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.devices import device_mesh
from jaxsal.core.types import Progress, ScoreFn
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.scoring import program_bytes, score_ids

_COMPILED = "/jax/core/compile/backend_compile_duration"
_SCORING = "jit(_score_chunks)"
_SHARE_OF_MEMORY = 0.8


class Meter:
    """Seconds by stage, forward passes, and programs compiled, from when it is made."""

    def __init__(self):
        self.start = time.perf_counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.programs: Counter[str] = Counter()
        self.compiling = 0.0
        self.forward_passes = 0
        jax.monitoring.register_event_duration_secs_listener(self._compiled)

    def _compiled(self, event: str, duration_secs: float, **notes: Any) -> None:
        if event == _COMPILED:
            self.programs[str(notes.get("fun_name"))] += 1
            self.compiling += duration_secs

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time of a block to a stage, compiling in it apart."""
        start, compiling = time.perf_counter(), self.compiling
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start - (self.compiling - compiling)

    @property
    def elapsed(self) -> float:
        """Seconds since the start, compiling left out."""
        return time.perf_counter() - self.start - self.compiling

    @property
    def scoring_programs(self) -> int:
        """How many programs were compiled to score masks."""
        return self.programs[_SCORING]

    def close(self) -> None:
        """Stops counting."""
        jax.monitoring.unregister_event_duration_listener(self._compiled)


class Scorer:
    """Scores masks in chunks that fit into memory; smaller ones from then on where a device ran out of it."""

    def __init__(
        self,
        chunk_size: int,
        *,
        most: int | None = None,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
    ):
        """Starts from so many masks on each device, or fewer where all devices together need no more for `most`."""
        self._largest, self._most = chunk_size, most
        self._sizes: dict[Any, int] = {}
        self._say = say

    def __call__(
        self,
        score_fn: ScoreFn,
        clip: Float[Array, "T H W C"],
        family: MaskFamily,
        ids: Int[np.ndarray, " N"],
        baseline: Float[Array, "..."],
        progress: Progress | None = None,
    ) -> Float[Array, "N K"]:
        """As `jaxsal.engine.scoring.score_ids`.

        Raises:
          MemoryError: If not even one mask on each device fits, or one of several processes ran out of memory.
        """
        mesh = device_mesh()
        program = (mesh, jax.tree.structure((score_fn, family)), clip.shape)
        if program not in self._sizes:
            self._sizes[program] = self._fitting(score_fn, clip, family, baseline, mesh.size)
        return self._run(program, partial(score_ids, score_fn, clip, family, ids, baseline, progress=progress))

    def run(self, name: str, clip: Float[Array, "T H W C"], function: Callable[..., Any]) -> Any:
        """Runs something with a `chunk_size`, counted over all devices; with a smaller one where memory runs out.

        Raises:
          MemoryError: As scoring does.
        """
        mesh = device_mesh()
        program = (name, mesh, clip.shape)
        self._sizes.setdefault(program, self._largest)
        return self._run(program, function)

    def _run(self, program: Any, function: Callable[..., Any]) -> Any:
        mesh = device_mesh()
        while True:
            size = self._sizes[program]
            try:
                return jax.block_until_ready(function(chunk_size=size * mesh.size))
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                if mesh.is_multi_process:  # the others wait inside the program for this one's part
                    raise MemoryError(
                        f"`chunk_size` must fit into the memory of every process; got none for {size} masks a device."
                    ) from error
                self._sizes[program] = self._halved(size, "a device ran out of memory")

    def _start(self, num_devices: int) -> int:
        """Masks on each device to start from."""
        return self._largest if self._most is None else min(self._largest, -(-self._most // num_devices))

    def _fitting(self, score_fn: Any, clip: Any, family: Any, baseline: Any, num_devices: int) -> int:
        """The largest of `chunk_size`, its half, its quarter, ... whose program fits; the same in every process."""
        size, available = self._start(num_devices), _least(available_bytes())
        while True:
            needed = program_bytes(score_fn, clip, family, baseline, chunk_size=size * num_devices)
            if needed <= _SHARE_OF_MEMORY * available:
                self._say(
                    f"chunks of {size} masks a device: {needed / 2**20:,.0f} MiB of {available / 2**20:,.0f} MiB free"
                )
                return size
            size = self._halved(size, f"{size} need {needed / 2**20:,.0f} MiB of {available / 2**20:,.0f} MiB free")

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


def _least(value: int) -> int:
    """The least of a number over the processes that work together here."""
    if device_mesh().is_multi_process:
        from jax.experimental.multihost_utils import process_allgather

        return int(process_allgather(np.float64(value)).min())
    return value
