"""How long training waits for its input: clips in memory, read by threads, and read by worker processes.

    python experiments/bench/input.py --width 8 --crop 56 --size 64
    python experiments/bench/input.py --quick

Rendered clips are prepared as shards (frames as they are recorded, not cut to size); then the same short training runs
on each source in turn, from the same seed. Printed are the batches per second that a source gives when nothing else
runs, the median step, and the share of the step time in which the devices had nothing to do but wait for input, which
is an upper bound.
"""

import dataclasses
import json
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
from timing import write_json

from jaxsal.core.devices import use_all_cores
from jaxsal.datasets.builders import prepare_clips
from jaxsal.datasets.pipeline import load_clips, stream_clips, training_batches
from jaxsal.datasets.prepared import prepared_clips
from jaxsal.datasets.records import ClipSet
from jaxsal.datasets.synthetic import ACTIONS, render_clip
from jaxsal.training.history import input_wait_share
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.options import TrainOptions
from jaxsal.training.train import train


@dataclass(frozen=True)
class Config:
    """What is trained, and on what."""

    arch: str = "resnet3d18"
    width: int = 8
    num_frames: int = 16
    size: int = 64
    crop: int = 56
    batch_size: int = 8
    num_steps: int = 40
    rounds: int = 7
    num_clips: int = 16
    """Recordings that are rendered."""
    length: int = 60
    """Frames of each."""
    height: int = 128
    """Of the frames as they are stored, in pixels."""
    workers: tuple[int, ...] = (0, 2)
    """Numbers of worker processes to try; 0 reads in threads."""
    quick: bool = False
    """A look in under a minute: fewer steps, clips and turns, threads only."""
    output: Path = Path("runs/bench/input.json")


def main(config: Config) -> None:
    """Prepares the set, trains on every source in turn, prints the table and writes JSON."""
    if config.quick:
        config = dataclasses.replace(config, num_steps=4, rounds=1, num_clips=8, length=20, workers=(0,))
    use_all_cores()
    with tempfile.TemporaryDirectory() as folder:
        clip_set = prepared_set(config, Path(folder))
        spec = NetworkSpec(
            clip_set.classes,
            "TV",
            arch=config.arch,
            width=config.width,
            num_frames=config.num_frames,
            size=config.size,
            crop=config.crop,
        )
        shared: dict[str, Any] = dict(size=spec.size, sampler=spec.sampler, antialias=spec.antialias)
        sources = {"memory": partial(load_clips, clip_set, **shared)}
        for workers in config.workers:
            name = f"{workers} processes" if workers else "threads"
            sources[f"files, {name}"] = partial(stream_clips, clip_set, num_workers=workers, **shared)
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
        for number in range(config.rounds):
            for name, make in sources.items():
                run = Path(folder) / "runs" / f"{number}-{name}"
                measured[name].append(measure(config, spec, make(), run))
    rows = [summarise(name, rounds) for name, rounds in measured.items()]
    print(table(rows))
    write_json(config.output, dict(config=dataclasses.asdict(config), rows=rows))


def prepared_set(config: Config, folder: Path) -> ClipSet:
    """Rendered recordings, written in the layout of one's own recordings and prepared as shards."""
    rows = ["recording,label,split,tv_start,tv_end"]
    (folder / "recordings" / "TV").mkdir(parents=True)
    for number in range(config.num_clips):
        action = ACTIONS[number % len(ACTIONS)]
        options = dict(seed=0, num_frames=config.length, height=config.height)
        frames = render_clip(action, number % 8, number % 2, number // 16, "TV", **options)
        np.save(folder / "recordings" / "TV" / f"{number}.npy", frames)
        rows.append(f"{number},{action},train,,")
    (folder / "recordings" / "segments.csv").write_text("\n".join(rows) + "\n")
    found = prepare_clips("paired_actions", manual_dir=folder / "recordings", data_dir=folder / "data")
    return prepared_clips(found.folder)


def measure(config: Config, spec: NetworkSpec, clips: Any, run: Path) -> dict[str, float]:
    """One training, and the same batches without it."""
    options = TrainOptions(num_steps=config.num_steps, batch_size=config.batch_size, save_every=config.num_steps)
    train(spec, options, clips, run)
    history = run / "history.jsonl"
    seconds = [json.loads(line).get("seconds") for line in history.read_text().splitlines()]
    batches = training_batches(clips, jax.random.key(0), range(config.num_steps), config.batch_size)
    next(batches)  # threads and processes start with it
    start = time.perf_counter()
    count = sum(1 for _ in batches)
    return dict(
        batches_per_second=count / (time.perf_counter() - start),
        step_seconds=float(np.median([value for value in seconds if value is not None])),
        input_wait=input_wait_share(history),
    )


def summarise(name: str, rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Median and range over the rounds."""
    row: dict[str, Any] = dict(source=name, rounds=len(rounds))
    for key in rounds[0]:
        values = [found[key] for found in rounds]
        row |= {key: float(np.median(values)), f"{key}_range": [min(values), max(values)]}
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = ["| source | batches/s alone | step, s | waiting for input, median (range) |", "|---|--:|--:|--:|"]
    for row in rows:
        low, high = (f"{100 * end:.2g} %" for end in row["input_wait_range"])
        wait = f"{100 * row['input_wait']:.2g} % ({low} to {high})"
        lines.append(f"| {row['source']} | {row['batches_per_second']:.3g} | {row['step_seconds']:.3g} | {wait} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config))
