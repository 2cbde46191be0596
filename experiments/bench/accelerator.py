"""One prepared run of at most ten minutes that says what an accelerator does with jaxsal, the most important first.

    python experiments/bench/accelerator.py --output runs/accelerator
    python experiments/bench/accelerator.py --quick --minutes 2

Steps, each a table and what follows from it: the compiled program (layouts, copies, flags), and chunk sizes. After each
step `accelerator.json` and `accelerator.md` are written. A step that does not fit into the minutes that are left,
or that fails, is passed over, and both files say so. `--quick` takes networks of width 4, also on a CPU.
"""

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # before JAX starts; peaks are then what is used

import accelerator_numbers as numbers
import accelerator_speed as speed
import jax
import tyro
from accelerator_numbers import Bench, Table
from timing import machine, write_json

MOST_SECONDS = 590


@dataclass(frozen=True)
class Config:
    """What is run and for how long."""

    minutes: float = 9.0
    """All steps together; at most 590 seconds."""
    quick: bool = False
    """Networks of width 4 and small clips."""
    steps: tuple[str, ...] = ()
    """Names of the steps to run; all if none are given."""
    output: Path = Path("runs/bench/accelerator")
    """Folder of accelerator.json and accelerator.md."""


class Step(NamedTuple):
    """A part of the run.

    Attributes:
      name: Of the step.
      question: What it answers.
      seconds: What must be left of the time for it to start, at full width.
      run: Fills a table.
    """

    name: str
    question: str
    seconds: float
    run: Callable[[Bench], Table]


STEPS = (
    Step("program", "Layouts, copies and transposes of the compiled loop; does a flag help?", 60, numbers.program),
    Step("chunks", "Masks per second, share of the peak and memory, by chunk size", 60, speed.chunks),
)


def main(config: Config) -> None:
    """Runs the steps that fit and writes both files after each."""
    unknown = set(config.steps) - {step.name for step in STEPS}
    if unknown:
        raise ValueError(f"`steps` must be of {[step.name for step in STEPS]}; got {sorted(unknown)}.")
    limit = time.monotonic() + min(60 * config.minutes, MOST_SECONDS)
    bench = Bench(config.quick, limit)
    found: dict[str, Any] = {}
    for step in STEPS:
        if not config.steps or step.name in config.steps:
            found[step.name] = run_step(step, bench)
            config.output.mkdir(parents=True, exist_ok=True)
            write_json(config.output / "accelerator.json", dict(config=asdict(config), steps=found))
            (config.output / "accelerator.md").write_text(report(found))
            print(f"{step.name}: {found[step.name]['outcome']}", flush=True)


def run_step(step: Step, bench: Bench) -> dict[str, Any]:
    """The rows of a step and what follows, or why there are none."""
    needed, left = step.seconds / (10 if bench.quick else 1), bench.left()
    if left < needed:
        outcome = f"passed over: {left:.0f} s left of {needed:.0f} s needed"
        return dict(outcome=outcome, rows=[], follows=[], seconds=0.0)
    began = time.monotonic()
    try:
        table = step.run(bench)
        outcome = "done"
    except Exception as error:  # the other steps still say something
        traceback.print_exc()
        table, outcome = Table([], []), f"failed: {type(error).__name__}: {str(error)[:300]}"
    return dict(outcome=outcome, rows=table.rows, follows=table.follows, seconds=round(time.monotonic() - began, 1))


def report(found: dict[str, Any]) -> str:
    """All steps as Markdown."""
    here = machine()
    lines = [
        f"# {here['device']}, {here['devices']} device(s)",
        "",
        f"JAX {here['jax']}, {jax.default_backend()}.",
        "",
    ]
    questions = {step.name: step.question for step in STEPS}
    for name, step in found.items():
        lines += [f"## {questions[name]}", "", f"{step['outcome']}, {step['seconds']} s", ""]
        if step["rows"]:
            columns = list(dict.fromkeys(column for row in step["rows"] for column in row))
            lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
            lines += ["| " + " | ".join(_text(row.get(column)) for column in columns) + " |" for row in step["rows"]]
            lines += [""]
        lines += [*(f"- {sentence}" for sentence in step["follows"]), ""]
    return "\n".join(lines)


def _text(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main(tyro.cli(Config))
