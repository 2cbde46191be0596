"""One prepared run of at most ten minutes that says what an accelerator does with jaxsal, the most important first.

    python experiments/bench/accelerator.py --output runs/accelerator --torch-python .venv-torch/bin/python
    python experiments/bench/accelerator.py --quick
    python experiments/bench/accelerator.py --write-reference experiments/bench/accelerator_reference.npz

Eight steps, each a table and what follows from it, in the order of `STEPS`. `accelerator.json` and `accelerator.md` are
written after every row. Every step has its share of the time and what those before it left over; when that is over,
the rows that are missing are left out, and a step that does not fit is passed over. Both files say so, also of a step
that fails. A row that does not end in time ends the process, with a traceback; the rows before it are in both files.
After a process that ended early, `--steps` with those that are missing adds them to the files in the same folder.

`--quick` is the dry run on a CPU, of about two minutes of its time: networks of width 4, small clips, and the
convolutions that programs for accelerators have. The code is the same.

The reference is of a CPU in float32: logits of three networks with seeded weights, and a RISE map of 64 masks.
"""

import contextlib
import dataclasses
import faulthandler
import json
import math
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # before JAX starts: other processes need room too

import accelerator_methods as methods
import accelerator_numbers as numbers
import accelerator_speed as speed
import jax
import numpy as np
import tyro
from accelerator_bench import Bench, Row, software
from timing import machine, write_json

from jaxsal.models.conv import plain_convolutions

SECONDS = 590
LAST_ROW = 15
"""Seconds at the end of the run in which no row begins."""
QUICK = 5
"""By what `--quick` divides the time of every step."""
COMPILED_FAST = "--xla_backend_optimization_level=" + (
    "0 --xla_cpu_use_fusion_emitters=false" if jax.__version_info__ < (0, 11) else "1"
)
"""Flags of XLA with `--quick`, whose programs run for less time than it takes to make them fast."""


@dataclass(frozen=True)
class Config:
    """What is run and for how long."""

    minutes: float = SECONDS / 60
    """All steps together; at most 590 seconds."""
    networks: tuple[str, ...] = tuple(numbers.SUBJECTS)
    """Architectures whose numbers are compared with a CPU's; the first is the one that is timed."""
    quick: bool = False
    """Networks of width 4 and small clips."""
    steps: tuple[str, ...] = ()
    """Names of the steps to run; all if none are given."""
    torch_python: Path | None = None
    """Python of an environment with PyTorch for the device; PyTorch is left out if unset."""
    write_reference: Path | None = None
    """Write the reference to this file, on a CPU, and run nothing else."""
    output: Path = Path("runs/bench/accelerator")
    """Folder of accelerator.json, accelerator.md and the compiled programs as text."""


class Step(NamedTuple):
    """A part of the run.

    Attributes:
      name: Of the step.
      question: That it answers.
      seconds: Its share of the time at full width; it does not start with less than half of them left.
      rows: Gives the rows of its table, one by one.
      follows: What follows from them, one sentence each; some rows may be missing.
    """

    name: str
    question: str
    seconds: float
    rows: Callable[[Bench], Iterator[Row]]
    follows: Callable[[Sequence[Row]], list[str]]


STEPS = (
    Step(
        "correctness",
        "Are logits and maps those of a CPU, in every precision?",
        120,
        numbers.correctness,
        numbers.what_is_wrong,
    ),
    Step(
        "program",
        "Layouts, copies and transposes of the compiled loop; does a flag help?",
        80,
        numbers.program,
        numbers.best_layout,
    ),
    Step(
        "chunks",
        "Masks per second, share of the peak and memory, by chunk size",
        120,
        speed.chunks,
        speed.best_chunk,
    ),
    Step(
        "overhead",
        "RISE over as many bare passes; masking alone; command buffers",
        60,
        speed.overhead,
        speed.shares,
    ),
    Step(
        "forms",
        "Batch norm folded or not; 3-D convolutions or sums of 2-D ones",
        50,
        speed.forms,
        speed.best_form,
    ),
    Step("torch", "PyTorch with the same weights, clip and masks", 80, methods.race, methods.winner),
    Step("methods", "Grad-CAM, a training step, deletion and insertion", 50, methods.others, methods.ratios),
    Step("memory", "Memory by number of masks; cold and warm start", 30, methods.processes, methods.growth),
)


def main(config: Config) -> None:
    """Runs the steps that fit."""
    if config.write_reference is not None:
        np.savez_compressed(config.write_reference, **numbers.reference(config.networks))
        return
    unknown = set(config.steps) - {step.name for step in STEPS}
    if unknown:
        raise ValueError(f"`steps` must be of {[step.name for step in STEPS]}; got {sorted(unknown)}.")
    steps = [step for step in STEPS if not config.steps or step.name in config.steps]
    config.output.mkdir(parents=True, exist_ok=True)
    if config.quick:
        os.environ.setdefault("XLA_FLAGS", COMPILED_FAST)  # before JAX starts its devices
    seconds = min(60 * config.minutes, SECONDS)
    stop = time.monotonic() + seconds - LAST_ROW
    with ended_after(seconds), plain_convolutions() if config.quick else contextlib.nullcontext():
        if jax.default_backend() == "cpu" and not config.quick:
            raise SystemExit(f"JAX has no accelerator, only {jax.devices()}. Install jax[cuda13], or take --quick.")
        record(steps, stop, config)


@contextlib.contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """Ends the process with a traceback unless what is within ends before."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def record(steps: Sequence[Step], stop: float, config: Config) -> None:
    """Runs the steps, and writes both files after each row; other steps that a file in the folder has stay in it."""
    bench = Bench(config.networks, config.quick, config.torch_python, config.output)
    about: dict[str, Any] = dict(config=dataclasses.asdict(config), software=software())
    path = config.output / "accelerator.json"
    found: dict[str, Any] = json.loads(path.read_text())["steps"] if config.steps and path.exists() else {}
    for name, state in run(steps, bench, stop):
        found[name] = state
        write_json(path, about | dict(steps=found))
        (config.output / "accelerator.md").write_text(report(about, found))
        print(f"{name}: {state['outcome']}, {state['rows'][-1:]}", flush=True)


def run(steps: Sequence[Step], bench: Bench, limit: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the state of a step whenever it has a row more, until a limit as `time.monotonic` counts."""
    shares = [step.seconds / (QUICK if bench.quick else 1) for step in steps]
    for number, (step, share) in enumerate(zip(steps, shares, strict=True)):
        now = time.monotonic()
        stop = min(limit, max(now + share, limit - sum(shares[number + 1 :])))
        for state in states(step, bench, stop, least=share / 2):
            yield step.name, state | dict(seconds=round(time.monotonic() - now, 1))


def states(step: Step, bench: Bench, stop: float, *, least: float) -> Iterator[dict[str, Any]]:
    """The outcome, rows and what follows of a step, after each row and at its end."""
    rows: list[Row] = []

    def state(outcome: str) -> dict[str, Any]:
        try:
            follows = step.follows(rows) if rows else []
        except Exception as error:  # the rows say it all the same
            follows = [f"Nothing follows: {type(error).__name__}: {error}"]
        return dict(outcome=outcome, rows=[*map(writable, rows)], follows=follows)

    left = stop - time.monotonic()
    if left < least:
        yield state(f"passed over: {left:.0f} s left of {least:.0f} s needed")
        return
    outcome = "done"
    try:
        for row in step.rows(bench):
            rows.append(row)
            yield state("not finished")
            if time.monotonic() > stop:
                outcome = f"ended after {len(rows)} rows, when its time was over"
                break
    except Exception as error:  # the other steps still say something
        traceback.print_exc()
        outcome = f"failed: {type(error).__name__}: {str(error)[:300]}"
    yield state(outcome)


def writable(row: Row) -> Row:
    """The row as JSON may hold it: infinite numbers and NaN, which wrong results can be, as text."""
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def report(about: dict[str, Any], found: dict[str, Any]) -> str:
    """All steps as Markdown."""
    here = machine()
    lines = [f"# {here['device']}, {here['devices']} device(s)", ""]
    lines += [*(f"- {name}: {text}" for name, text in about["software"].items()), ""]
    questions = {step.name: step.question for step in STEPS}
    for name, state in found.items():
        lines += [f"## {questions.get(name, name)}", "", f"{state['outcome']}, {state['seconds']} s", ""]
        if state["rows"]:
            columns = list(dict.fromkeys(column for row in state["rows"] for column in row))
            lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
            lines += ["| " + " | ".join(_text(row.get(column)) for column in columns) + " |" for row in state["rows"]]
            lines += [""]
        lines += [*(f"- {sentence}" for sentence in state["follows"]), ""]
    return "\n".join(lines)


def _text(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main(tyro.cli(Config))
