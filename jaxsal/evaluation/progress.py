"""What a run says while it goes on: how far it is, how fast, and where the time went."""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
from tqdm import tqdm

_COMPILED = "/jax/core/compile/backend_compile_duration"
_SCORING = "jit(score_chunks)"
_SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Counts clips, forward passes, seconds by stage and compiled programs; a bar, or lines a few seconds apart."""

    def __init__(self, passes: int, clips: int, *, show: bool = True, bar: bool = False):
        """Starts at none.

        Args:
          passes: Forward passes to do.
          clips: Clips to do.
          show: Whether anything is printed, on standard error.
          bar: Whether to show a bar instead of lines, if that is a terminal.
        """
        self.passes, self.clips, self.show = passes, clips, show
        self.forward_passes = self.clips_done = 0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.programs: Counter[str] = Counter()
        self.compiling = 0.0
        self._start = self._last = time.perf_counter()
        self._bar = tqdm(total=passes, unit="pass", disable=not show) if bar and sys.stderr.isatty() else None
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
        return time.perf_counter() - self._start - self.compiling

    @property
    def scoring_programs(self) -> int:
        """How many programs were compiled to score masks."""
        return self.programs[_SCORING]

    def say(self, line: str) -> None:
        """Prints a line."""
        if self.show:
            tqdm.write(f"jaxsal: {line}", file=sys.stderr)
            sys.stderr.flush()

    def add(self, passes: int) -> None:
        """Counts forward passes; prints now and then."""
        self.forward_passes += passes
        if self._bar is not None:
            self._bar.update(passes)
        elif time.perf_counter() - self._last > _SECONDS_BETWEEN_LINES:
            self._last = time.perf_counter()
            self.say(self.line())

    def clip_done(self) -> None:
        """Counts a clip."""
        self.clips_done += 1

    def skip(self, passes: int) -> None:
        """Counts so many forward passes less to do, as those of a clip that cannot be used."""
        self.passes -= passes

    def line(self) -> str:
        """Where the run is."""
        done, rate = self.forward_passes, self.forward_passes / max(self.elapsed, 1e-9)
        left = max(self.passes - done, 0) / max(rate, 1e-9)
        return (
            f"{self.clips_done:,} of {self.clips:,} clips, {done:,} of {self.passes:,} forward passes, {rate:,.1f}/s, "
            f"{duration(left)} left"
        )

    def summary(self) -> str:
        """Where the time went."""
        stages = ", ".join(
            f"{name} {100 * seconds / self.elapsed:.1f} %"
            for name, seconds in sorted(self.seconds.items())
            if name != "forward"
        )
        outside = 100 * (1 - self.seconds["forward"] / self.elapsed)
        others = sum(self.programs.values()) - self.scoring_programs
        return (
            f"{self.forward_passes:,} forward passes, {self.forward_passes / max(self.elapsed, 1e-9):,.1f}/s; outside "
            f"the forward {outside:.1f} % ({stages}); compiling {self.compiling:.0f} s: {self.scoring_programs} "
            f"programs that score masks, {others} others"
        )

    def close(self) -> None:
        """Stops counting."""
        if self._bar is not None:
            self._bar.close()
        jax.monitoring.unregister_event_duration_listener(self._compiled)


def duration(seconds: float) -> str:
    """A time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
