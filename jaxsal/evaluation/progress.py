"""The progress of a run: how far it is, how fast, and where the time went."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import jax

from jaxsal.core.progress import Bar

_COMPILED = "/jax/core/compile/backend_compile_duration"
_SCORING = "jit(score_chunks)"


class Progress:
    """Counts clips, forward passes, seconds by stage and compiled programs, and says how far a run is.

    Attributes:
      clips: Clips to do.
      clips_done: Clips that are done.
      seconds: By stage, what it took, compiling left out.
      programs: By name, how many programs were compiled.
      compiling: Seconds of compiling.
    """

    def __init__(self, passes: int, clips: int, *, show: bool = True):
        """Starts at none.

        Args:
          passes: Forward passes to do.
          clips: Clips to do.
          show: Whether anything is shown, on standard error.
        """
        self.clips, self.clips_done = clips, 0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.programs: Counter[str] = Counter()
        self.compiling = 0.0
        self._bar = Bar(passes, "explain", "passes", show=show)
        jax.monitoring.register_event_duration_secs_listener(self._compiled)

    def _compiled(self, event: str, duration_secs: float, **notes: object) -> None:
        if event == _COMPILED:
            self.programs[str(notes.get("fun_name"))] += 1
            self.compiling += duration_secs
            self._bar.left_out = self.compiling

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
        return self._bar.elapsed

    @property
    def total_passes(self) -> int:
        """Forward passes to do."""
        return self._bar.total

    @property
    def forward_passes(self) -> int:
        """Forward passes that are done."""
        return self._bar.done

    @property
    def scoring_programs(self) -> int:
        """How many programs were compiled to score masks."""
        return self.programs[_SCORING]

    def say(self, line: str, *, always: bool = False) -> None:
        """Prints a line; `always` also where nothing else is shown."""
        self._bar.say(line, always=always)

    def add(self, passes: int) -> None:
        """Counts forward passes; prints now and then."""
        self._bar.update(passes, f"{self.clips_done:,} of {self.clips:,} clips")

    def clip_done(self) -> None:
        """Counts a clip."""
        self.clips_done += 1

    def skip(self, passes: int) -> None:
        """Takes forward passes off the total, such as those of a clip that cannot be used."""
        self._bar.total -= passes

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
            f"{self.forward_passes:,} forward passes, {self._bar.rate:,.1f}/s; outside "
            f"the forward {outside:.1f} % ({stages}); compiling {self.compiling:.0f} s: {self.scoring_programs} "
            f"programs that score masks, {others} others"
        )

    def close(self) -> None:
        """Stops counting."""
        self._bar.note = f"{self.clips_done:,} of {self.clips:,} clips"
        self._bar.close()
        jax.monitoring.unregister_event_duration_listener(self._compiled)
