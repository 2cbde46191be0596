"""A training's history: metrics and times, a line of JSON per step."""

import json
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxsal.core.extras import check_installed
from jaxsal.core.files import DamagedError, write_text
from jaxsal.core.sealed import parse, sealed

Item = TypeVar("Item")

Metrics = dict[str, tuple[Float[Array, ""], Float[Array, ""]]]
"""By name, (sum, count): metrics of parts add up to those of the whole."""


class StepTimes(NamedTuple):
    """Seconds of a step, and those of them in which the devices had nothing to do but wait for its input."""

    seconds: float
    input_wait: float


class Entry(NamedTuple):
    """One step, from 1; its times are None where a program was compiled in it."""

    step: int
    metrics: Metrics
    times: StepTimes | None


class StepClock:
    """Times a loop that takes an input, starts a step on it and lets at most one step wait for its turn.

    Waiting for an input counts where the step before was done when the input came. As it may have been done at any
    time before that, the sum is an upper bound.
    """

    def __init__(self) -> None:
        self._start = self._waited = 0.0

    def next_input(self, inputs: Iterator[Item], before: PyTree) -> Item:
        """Takes the next input; `before` are the arrays that the step before computes."""
        self._start = time.perf_counter()
        item = next(inputs)
        waited = time.perf_counter() - self._start
        self._waited = waited if all(leaf.is_ready() for leaf in jax.tree.leaves(before)) else 0.0
        return item

    def end_step(self, before: PyTree) -> StepTimes:
        """Waits until the step before is done, and gives the times since `next_input`."""
        jax.block_until_ready(before)
        return StepTimes(time.perf_counter() - self._start, self._waited)


def average(metrics: Sequence[Metrics]) -> dict[str, float]:
    """Means of metrics over several batches."""
    sums = jax.tree.map(lambda *parts: float(np.sum(parts)), *metrics)
    return {name: round(total / count, 4) for name, (total, count) in sums.items()}


def summary(entries: Sequence[Entry]) -> dict[str, Any]:
    """Means of the metrics of some steps, and how much of their time went into waiting for input."""
    times = [entry.times for entry in entries if entry.times is not None]
    wait = _share([t.seconds for t in times], [t.input_wait for t in times])
    return average([entry.metrics for entry in entries]) | {"input wait": f"{100 * wait:.1f} %"}


def write_history(path: Path, entries: Sequence[Entry]) -> None:
    """Appends one line per step, each with its checksum; lines of steps that were taken again are cut off first."""
    steps = read_history(path) if path.exists() else []
    kept = [step for step in steps if step["step"] < entries[0].step]
    kept += [{"step": entry.step} | _values(entry) for entry in entries]
    write_text(path, "".join(f"{json.dumps(sealed(step))}\n" for step in kept))


def read_history(path: str | Path) -> list[dict[str, float]]:
    """The steps of a "history.jsonl"; damaged lines are named in a warning and left out."""
    steps = []
    for number, line in enumerate(Path(path).read_bytes().removesuffix(b"\n").split(b"\n"), 1):
        try:
            step = parse(line)
            steps.append(step | dict(step=int(step["step"])))
        except (DamagedError, KeyError, TypeError) as error:
            warnings.warn(
                f"{path}, line {number}, is damaged ({error}) and left out; the weights are not affected.",
                stacklevel=3,
            )
    return steps


def write_tensorboard(folder: Path, entries: Sequence[Entry]) -> None:
    """Adds the same values for TensorBoard, which hides those of steps that were taken again.

    Raises:
      MissingPackageError: If tensorboardX is not installed.
    """
    check_installed("tensorboardX")
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder), purge_step=entries[0].step) as writer:
        for entry in entries:
            for name, value in _values(entry).items():
                writer.add_scalar(name, value, entry.step)


def _values(entry: Entry) -> dict[str, float]:
    """The metrics and the times of a step by name."""
    times = {} if entry.times is None else {name: round(value, 6) for name, value in entry.times._asdict().items()}
    return average([entry.metrics]) | times


def training_seconds(path: str | Path) -> float:
    """What the steps of a training took, those of earlier starts included, out of its "history.jsonl"."""
    return sum(step.get("seconds", 0.0) for step in read_history(path))


def input_wait_share(path: str | Path) -> float:
    """The share of a training's step time in which the devices waited for input, out of its "history.jsonl".

    Returns:
      In [0, 1]; NaN if no step has a time.
    """
    timed = [step for step in read_history(path) if "seconds" in step]
    return _share([step["seconds"] for step in timed], [step["input_wait"] for step in timed])


def _share(seconds: Sequence[float], waited: Sequence[float]) -> float:
    return sum(waited) / sum(seconds) if seconds else float("nan")
