"""How long a start takes: `jaxsal --help`, and `jaxsal explain` with an empty, a filled and no program cache.

    python experiments/bench/startup.py --checkpoint runs/demo
    python experiments/bench/startup.py --quick

The cache is a fresh folder (XDG_CACHE_HOME), filled by the first start. The seconds are those of whole processes, with
Python's own start, and with the masks and curves of one clip. Targets: 1 s for the help, 10 s for a second start.
Without --checkpoint, a network of the demo's size with random weights is saved first.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from timing import write_json

TARGETS = {"--help": 1.0, "explain, warm": 10.0}


@dataclass(frozen=True)
class Config:
    """What is started and how often."""

    checkpoint: Path | None = None
    """Folder of a trained network; a random one if left out."""
    clip: Path | None = None
    """What it explains; noise if left out."""
    rounds: int = 7
    """Starts of each kind but the first with an empty cache."""
    quick: bool = False
    """A look in under a minute: two starts of each kind, one method."""
    output: Path = Path("runs/bench/startup.json")
    """Where the figures go."""


def main(config: Config) -> None:
    """Starts all, prints a table and writes JSON."""
    rounds = 2 if config.quick else config.rounds
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        checkpoint = config.checkpoint or random_checkpoint(scratch / "run", quick=config.quick)
        clip = config.clip or _noise(scratch / "clip.npy")
        explain = ["explain", str(clip), "--checkpoint", str(checkpoint), "--num-masks", "64", "--num-steps", "16"]
        if config.quick:
            explain += ["--method", "gradcam"]
        environment = start_environment(scratch / "cache")
        seconds: dict[str, list[float]] = {"--help": [], "explain, cold": []}
        seconds["explain, cold"].append(start([*explain, "--output", str(scratch / "cold")], environment))
        kinds = {"--help": ["--help"], "explain, warm": explain, "explain, --no-cache": ["--no-cache", *explain]}
        for number in range(rounds):
            for kind, words in kinds.items():
                where = [] if kind == "--help" else ["--output", str(scratch / f"{kind}-{number}")]
                seconds.setdefault(kind, []).append(start([*words, *where], environment))
    rows = [summary(kind, values) for kind, values in seconds.items()]
    print(table(rows))
    write_json(config.output, dict(config=vars(config), rows=rows))


def start_environment(cache: Path) -> dict[str, str]:
    """This process's environment with an empty program cache."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION_CACHE")}
    return environment | {"XDG_CACHE_HOME": str(cache)}


def start(words: list[str], environment: Mapping[str, str]) -> float:
    """Seconds that `jaxsal` takes with these words, from start to end."""
    began = time.perf_counter()
    found = subprocess.run(
        [sys.executable, "-m", "jaxsal.commands.cli", *words], env=environment, capture_output=True, text=True
    )
    if found.returncode:
        raise RuntimeError(f"`jaxsal {' '.join(words)}` ended with {found.returncode}: {found.stderr[-2000:]}")
    return time.perf_counter() - began


def random_checkpoint(folder: Path, *, quick: bool) -> Path:
    """Saves a network with random weights, as a run of its own would; made by another process, which ends with it."""
    script = f"import startup; startup.write_checkpoint({str(folder)!r}, {8 if quick else 16}, {24 if quick else 56})"
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent, check=True)
    return folder


def write_checkpoint(folder: str, num_frames: int, crop: int) -> None:
    """The work of `random_checkpoint`."""
    import jax

    from jaxsal.models import init_variables
    from jaxsal.training.checkpoint import Checkpoint, open_manager, save_checkpoint
    from jaxsal.training.networks import NetworkSpec

    spec = NetworkSpec(tuple("abcdefgh"), width=8, num_frames=num_frames, size=crop, crop=crop)
    variables = init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape))
    with open_manager(Path(folder) / "checkpoints") as manager:
        save_checkpoint(manager, Checkpoint(spec, variables, 0, None, {}))


def _noise(path: Path) -> Path:
    np.save(path, np.random.default_rng(0).integers(0, 256, (32, 64, 64, 3), np.uint8))
    return path


def summary(kind: str, seconds: list[float]) -> dict[str, Any]:
    """One row."""
    return dict(
        start=kind,
        seconds=float(np.median(seconds)),
        seconds_range=[min(seconds), max(seconds)],
        rounds=len(seconds),
        target=TARGETS.get(kind),
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of `summary` as a Markdown table."""
    lines = ["| start | s, median (range) | starts | target, s |", "|---|--:|--:|--:|"]
    for row in rows:
        low, high = row["seconds_range"]
        target = "" if row["target"] is None else f"{row['target']:.0f}"
        lines.append(
            f"| {row['start']} | {row['seconds']:.2f} ({low:.2f} to {high:.2f}) | {row['rounds']} | {target} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config))
