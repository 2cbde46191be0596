"""What a sweep says of itself: the plan before it starts, where it is while it runs, where the time went."""

import sys
import time
from typing import NamedTuple

from jaxsal.evaluation.sweep.programs import Meter

_SECONDS_BETWEEN_LINES = 5.0


class Plan(NamedTuple):
    """What there is to do.

    Attributes:
      cells: Cells of the sweep.
      ledgers: Ledgers that they read.
      clips: Clips, once per network.
      results: Cells times their clips.
      results_held: How many of them the store holds.
      masks: Masks to score in all ledgers.
      masks_held: How many of them are scored.
      other_passes: Forward passes beside masks: of untouched clips, SIDU, Grad-CAM and curves.
      processes: How many share the work.
    """

    cells: int
    ledgers: int
    clips: int
    results: int
    results_held: int
    masks: int
    masks_held: int
    other_passes: int
    processes: int

    @property
    def passes(self) -> int:
        """Forward passes to do."""
        return self.masks - self.masks_held + self.other_passes

    def __str__(self) -> str:
        sharing = f", shared by {self.processes} processes" if self.processes > 1 else ""
        return (
            f"{self.cells} cells on {self.clips} clips: {self.results:,} results, {self.results_held:,} of them held\n"
            f"{self.ledgers} ledgers: {self.masks:,} masks, {self.masks_held:,} of them held\n"
            f"{self.passes:,} forward passes to do, {self.other_passes:,} of them for clips, SIDU, Grad-CAM and "
            f"curves{sharing}"
        )


class Progress:
    """Lines on standard error, a few seconds apart."""

    def __init__(self, meter: Meter, passes: int, *, quiet: bool = False):
        """Starts at none of so many forward passes."""
        self._meter, self._passes, self._quiet = meter, passes, quiet
        self._last = time.perf_counter()

    def say(self, line: str) -> None:
        """Prints a line, unless quiet."""
        if not self._quiet:
            print(f"jaxsal: {line}", file=sys.stderr, flush=True)

    def add(self, passes: int) -> None:
        """Counts forward passes; prints now and then."""
        self._meter.forward_passes += passes
        if time.perf_counter() - self._last > _SECONDS_BETWEEN_LINES:
            self._last = time.perf_counter()
            self.say(self.line())

    def skip(self, passes: int) -> None:
        """Counts so many forward passes less to do, as those of a clip that cannot be used."""
        self._passes -= passes

    def line(self) -> str:
        """Where the sweep is."""
        meter = self._meter
        done, rate = meter.forward_passes, meter.forward_passes / max(meter.elapsed, 1e-9)
        left = max(self._passes - done, 0) / max(rate, 1e-9)
        stages = ", ".join(
            f"{name} {100 * seconds / meter.elapsed:.1f} %"
            for name, seconds in sorted(meter.seconds.items())
            if name != "forward"
        )
        outside = 100 * (1 - meter.seconds["forward"] / meter.elapsed)
        return (
            f"{done:,} of {self._passes:,} forward passes, {rate:,.1f}/s, {duration(left)} left; outside the forward "
            f"{outside:.1f} % ({stages}); compiling {meter.compiling:.0f} s: {meter.scoring_programs} programs that "
            f"score masks, {sum(meter.programs.values()) - meter.scoring_programs} others"
        )


def duration(seconds: float) -> str:
    """A time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
