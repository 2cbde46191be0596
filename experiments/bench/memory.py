"""Does memory grow with the number of masks? Peak memory of a whole RISE run, each in a process of its own.

    python experiments/bench/memory.py
    python experiments/bench/memory.py --num-masks 1000 100000 --width 2 --num-frames 8 --crop 32
    python experiments/bench/memory.py --quick

Printed are the peak of the process (RSS), which counts JAX itself and compiling, over several runs; the memory that
the compiled program of the masks says it needs on each device; and the size of the ledger, the one thing that has to
grow: 4 K + 4 bytes a mask, and less than as much again while it is filled and read. By default the network is as small
as it can be, so that a million masks take minutes and what grows is seen.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from timing import peak_mb, write_json


@dataclass(frozen=True)
class Config:
    """What is run: a 3D-ResNet18 with random weights, on one device."""

    num_masks: tuple[int, ...] = (1_000, 1_000_000)
    """The numbers of masks that are compared."""
    width: int = 1
    """Channels of the first layer."""
    num_frames: int = 2
    """T."""
    crop: int = 8
    """Height and width of the clip, in pixels."""
    chunk_size: int = 64
    """Clips in a batch."""
    rounds: int = 3
    """Runs of each number, taking turns."""
    quick: bool = False
    """A look in under a minute: 100 and 10,000 masks, once."""
    measure: int | None = None
    """Run this number of masks in this process and print its figures, nothing else."""
    output: Path = Path("runs/bench/memory.json")
    """Where the figures go."""


def main(config: Config) -> None:
    """Compares the numbers of masks, or measures one."""
    if config.quick:
        config = dataclasses.replace(config, num_masks=(100, 10_000), rounds=1)
    if config.measure is not None:
        print(json.dumps(measure(config, config.measure)))
        return
    found: dict[int, list[dict[str, Any]]] = {num_masks: [] for num_masks in config.num_masks}
    for _ in range(config.rounds):
        for num_masks, runs in found.items():
            command = [sys.executable, __file__, *sys.argv[1:], "--measure", str(num_masks)]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            runs.append(json.loads(printed.splitlines()[-1]))
    rows = [summary(num_masks, runs) for num_masks, runs in found.items()]
    print(table(rows))
    write_json(config.output, dict(config=dataclasses.asdict(config), rows=rows))


def measure(config: Config, num_masks: int) -> dict[str, Any]:
    """The figures of one run, its ledger saved as it grows."""
    import jax

    from jaxsal import rise_ledger
    from jaxsal.engine.baselines import Baseline
    from jaxsal.engine.batch import prepare
    from jaxsal.engine.scoring import program_bytes
    from jaxsal.models import init_variables
    from jaxsal.training.networks import NetworkSpec

    spec = NetworkSpec(
        tuple("abcdefgh"), width=config.width, num_frames=config.num_frames, size=config.crop, crop=config.crop
    )
    classifier = spec.classifier(init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape)))
    clip = jax.random.uniform(jax.random.key(1), spec.clip_shape)
    options: Any = dict(num_masks=num_masks, grid_shape=(2, 4, 4), chunk_size=config.chunk_size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.npz"
        ledger = rise_ledger(jax.random.key(2), classifier, clip, path=path, **options)
        size = path.stat().st_size
    jax.block_until_ready(ledger.map(0))
    peak = peak_mb()
    batch = prepare(classifier, [clip])
    program = program_bytes(batch, ledger.masks, Baseline.of("mean"), chunk_size=config.chunk_size)
    return dict(num_masks=num_masks, peak_mb=peak, program_mb=program / 2**20, ledger_mb=size / 2**20)


def summary(num_masks: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One row: the median and the range of the peaks of several runs."""
    peaks = [run["peak_mb"] for run in runs]
    return dict(
        num_masks=num_masks,
        peak_mb=float(np.median(peaks)),
        peak_range=[min(peaks), max(peaks)],
        program_mb=runs[0]["program_mb"],
        ledger_mb=runs[0]["ledger_mb"],
        rounds=len(runs),
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of `summary` as a Markdown table."""
    lines = [
        "| masks | peak of the process, MB, median (range) | program, MB | ledger, MB |",
        "|--:|--:|--:|--:|",
    ]
    for row in rows:
        low, high = row["peak_range"]
        lines.append(
            f"| {row['num_masks']:,} | {row['peak_mb']:.0f} ({low:.0f} to {high:.0f}) | {row['program_mb']:.2f} | "
            f"{row['ledger_mb']:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config))
