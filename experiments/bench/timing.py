"""Variants of one computation timed turn by turn (A B A B ...), as a table and as JSON.

    seconds = times_in_turns({"ours": run_ours, "theirs": run_theirs}, rounds=7)
    rows = compare(seconds, against="theirs")
    print(table(rows))
    write_json("runs/bench/name.json", dict(config=..., rows=rows))

Taking turns spreads whatever else the machine does over all variants; ratios are taken round by round.
"""

import contextlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from peer import resident_peak_mb

from jaxsal.core.origin import git_revision


def times_in_turns(
    variants: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 7,
    warm_up: int = 1,
    pause: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, np.ndarray]:
    """Seconds of every variant in every round.

    Args:
      variants: Name to a function; arrays that it returns are waited for.
      rounds: Turns that are timed.
      warm_up: Turns before that are not, for what is compiled or cached.
      pause: Seconds before each turn, for the threads of the one before to go to sleep.
      clock: Seconds that pass, or `time.process_time`: seconds of all processors, which other work changes less.

    Returns:
      Name to (rounds,) seconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(warm_up + rounds):
        for name, run in variants.items():
            time.sleep(pause)
            start = clock()
            jax.block_until_ready(run())
            if number >= warm_up:
                seconds[name].append(clock() - start)
    return {name: np.asarray(values) for name, values in seconds.items()}


def compare(
    seconds: Mapping[str, np.ndarray], *, against: str, work: float = 1.0, unit: str = "runs"
) -> list[dict[str, Any]]:
    """One row a variant: median and range of its seconds, of its rate, and of its speed over that of `against`.

    Args:
      seconds: As `times_in_turns` gives them.
      against: The variant that the others are compared with; a speed above 1 is faster than it.
      work: What one run does, in `unit`, such as clips.
      unit: Name of the work.
    """
    rows = []
    for name, values in seconds.items():
        speeds = seconds[against] / values
        rows.append(
            {
                "variant": name,
                "seconds": float(np.median(values)),
                "seconds_range": [float(values.min()), float(values.max())],
                f"{unit}_per_second": float(work / np.median(values)),
                "speed": float(np.median(speeds)),
                "speed_range": [float(speeds.min()), float(speeds.max())],
                "against": against,
                "rounds": len(values),
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of `compare` as a Markdown table."""
    unit = next(key for key in rows[0] if key.endswith("_per_second"))
    lines = [
        f"| variant | s, median (range) | {unit.replace('_per_second', '/s')} | speed over {rows[0]['against']} |",
        "|---|--:|--:|--:|",
    ]
    for row in rows:
        seconds, speed = _spread(row["seconds"], row["seconds_range"]), _spread(row["speed"], row["speed_range"])
        lines.append(f"| {row['variant']} | {seconds} | {row[unit]:.3g} | {speed} |")
    return "\n".join(lines)


def _spread(middle: float, ends: list[float]) -> str:
    return f"{middle:.3g} ({ends[0]:.3g} to {ends[1]:.3g})"


def machine() -> dict[str, Any]:
    """The processor and what it is used by, for the JSON."""
    return dict(
        processor=processor_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        device=jax.devices()[0].device_kind,
        devices=jax.device_count(),
        jax=jax.__version__,
        python=platform.python_version(),
    )


def exact_float32() -> None:
    """No TF32 or bfloat16 in products on an accelerator, so that results can be compared; a processor has neither."""
    if jax.default_backend() != "cpu":
        jax.config.update("jax_default_matmul_precision", "highest")


def peak_mb() -> float:
    """The most memory that this process has had, of the device where that is not the processor."""
    if jax.default_backend() != "cpu":
        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"] / 2**20
    return resident_peak_mb()


def processor_name() -> str:
    """As the system calls it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def _text(value: Any) -> str:
    """Of a path; of others nothing that JSON could hold is known."""
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"`result` must hold what JSON does, and paths; got {type(value).__name__}.")


def write_json(path: str | Path, result: dict[str, Any]) -> None:
    """Writes a benchmark's result, with the machine, the command, the git revision and the time added.

    Raises:
      TypeError: If it holds another kind of thing than JSON does, but for paths.
      ValueError: If a figure is infinite or NaN.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    result = dict(
        result, machine=machine(), command=shlex.join(sys.argv), revision=git_revision(Path(__file__).parent), time=now
    )
    path.write_text(json.dumps(result, indent=2, default=_text, allow_nan=False) + "\n")
