"""Chunks as large as is fastest: a few sizes are timed once, in a run that is long enough to pay for it."""

import time
from collections.abc import Callable

import jax

from jaxsal.core.processes import all_agree
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.scoring import CHUNKS_PER_PROGRAM, lowered_loop

SHARE = 0.02
"""Most of a run that its warm-up may take."""
CALLS = 2
"""Of the compiled loop with each size; the last one is timed."""


class WarmUp:
    """The fastest chunk of one network: the largest that fits, its half, or its quarter."""

    def __init__(self, compiling: float, say: Callable[[str], None]):
        """Times nothing yet.

        Args:
          compiling: Seconds that the compiled loop takes to compile.
          say: Called with a line when sizes are compared.
        """
        self._compiling, self._say = compiling, say
        self._rates: dict[int, float] = {}
        self._best: int | None = None

    def best(self, largest: int, passes: int, rate_of: Callable[[int], float], *, devices: int) -> int:
        """The size to use; `largest` as long as no run was long enough to compare sizes.

        Args:
          largest: Most masks a device that fit.
          passes: Forward passes of the run.
          rate_of: Masks per second of a size, the same in every process.
          devices: How many share a chunk.
        """
        sizes = [size for size in (largest, largest // 2, largest // 4) if size]
        scored = CALLS * CHUNKS_PER_PROGRAM * devices * sum(sizes)
        if self._best is None and len(sizes) > 1 and scored <= SHARE * passes:
            if largest not in self._rates:
                self._rates = {largest: rate_of(largest)}
            compiled = self._compiling * (len(sizes) - 1) * self._rates[largest]  # in as many passes as it lasts
            if all_agree(scored + compiled <= SHARE * passes):
                self._rates |= {size: rate_of(size) for size in sizes[1:]}
                self._best = max(sizes, key=self._rates.__getitem__)
                timed = ", ".join(f"{rate:,.4g} masks/s in chunks of {size}" for size, rate in self._rates.items())
                self._say(f"chunks of {self._best} masks a device are the fastest: {timed}")
        return min(self._best or largest, largest)


def masks_per_second(
    batch: Batch, family: MaskFamily, *, chunk_size: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """What the compiled loop scores in a second, once it is compiled and has run."""
    lowered, arguments = lowered_loop(batch, family, Baseline.of("zero"), chunk_size=chunk_size)
    loop = lowered.compile()
    for _ in range(CALLS):
        began = clock()
        jax.block_until_ready(loop(*arguments))
    return CHUNKS_PER_PROGRAM * chunk_size / (clock() - began)
