"""How far a long job is: a bar on a terminal and in a notebook, else a line now and then, fit for a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import TypeVar

from tqdm import tqdm

from jaxsal.core.types import Progress

SECONDS_BETWEEN_LINES = 10.0

Item = TypeVar("Item")


class Bar:
    """Counts what is done of a job, and shows it on standard error.

    A log, such as SLURM's, gets whole lines with the clock, the share done, the rate and the time left.

    Attributes:
      total: How much there is to do.
      done: How much is done.
      left_out: Seconds that do not count for the rate, such as those of compiling.
      note: What else is worth saying, such as the loss.
    """

    def __init__(self, total: int, title: str, unit: str, *, done: int = 0, show: bool = True):
        """Starts.

        Args:
          total: How much there is to do.
          title: What the job is, such as "train".
          unit: What is counted, such as "steps".
          done: How much is done already.
          show: Whether anything is shown.
        """
        self.total, self.title, self.unit, self.done, self.show = total, title, unit, done, show
        self.left_out, self.note = 0.0, ""
        self._first = done
        self._start = self._last = time.perf_counter()
        kind = _bar_kind() if show else None
        self._bar = kind and kind(total=total, desc=title, unit=unit, initial=done)

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def elapsed(self) -> float:
        """Seconds since the start, those that are left out aside."""
        return time.perf_counter() - self._start - self.left_out

    @property
    def rate(self) -> float:
        """Units per second."""
        return (self.done - self._first) / max(self.elapsed, 1e-9)

    def update(self, count: int = 1, note: str | None = None) -> None:
        """Counts; prints a line if the last one is some seconds old."""
        self.done += count
        self.note = self.note if note is None else note
        if self._bar is not None:
            self._bar.total = self.total
            self._bar.set_postfix_str(self.note, refresh=False)
            self._bar.update(count)
        elif time.perf_counter() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.perf_counter()
            self.say(self.line())

    def line(self) -> str:
        """Where the job is."""
        share = 100 * self.done / max(self.total, 1)
        left = duration(max(self.total - self.done, 0) / max(self.rate, 1e-9)) if self.rate else "unknown time"
        state = f"{self.done:,} of {self.total:,} {self.unit} ({share:.0f} %), {self.rate:,.1f}/s, {left} left"
        return f"{self.title}: {state}{'; ' if self.note else ''}{self.note}"

    def say(self, line: str, *, always: bool = False) -> None:
        """Prints a line with the clock; `always` also where nothing else is shown."""
        if self.show or always:
            tqdm.write(f"jaxsal: {time.strftime('%H:%M:%S')} {line}", file=sys.stderr)
            sys.stderr.flush()

    def close(self) -> None:
        """Takes a bar off, or prints the last line."""
        if self._bar is not None:
            self._bar.close()
        elif self.done > self._first:
            done = f"{self.title}: {self.done:,} of {self.total:,} {self.unit} in {duration(self.elapsed)}"
            self.say(f"{done}, {self.rate:,.1f}/s{'; ' if self.note else ''}{self.note}")


def counted(items: Iterable[Item], total: int, title: str, unit: str, *, show: bool) -> Iterator[Item]:
    """Items as they come, with a `Bar` that counts them."""
    with Bar(total, title, unit, show=show) as bar:
        for item in items:
            yield item
            bar.update()


def as_progress(progress: Progress | bool | None, title: str, unit: str) -> Progress | None:
    """What a caller gave for `progress` as a function: True shows a `Bar`, False and None nothing."""
    if not isinstance(progress, bool):
        return progress
    if not progress:
        return None
    bars: list[Bar] = []

    def report(done: int, total: int) -> None:
        if not bars:
            bars.append(Bar(total, title, unit))
        bars[0].update(done - bars[0].done)
        if done >= total:
            bars[0].close()

    return report


def duration(seconds: float) -> str:
    """A time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _bar_kind() -> type[tqdm] | None:
    """The bar that standard error can show; None where it is a file or a pipe."""
    if sys.stderr.isatty():
        return tqdm
    if "ipykernel" not in sys.modules:
        return None
    if find_spec("ipywidgets") is None:
        return tqdm
    from tqdm.notebook import tqdm as notebook_bar

    return notebook_bar
