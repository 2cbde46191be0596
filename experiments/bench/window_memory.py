"""Does memory grow with the length of a recording? Peak memory of explaining windows of a short and of a long one.

    python experiments/bench/window_memory.py
    python experiments/bench/window_memory.py --lengths 100 1000 --rounds 1

A video of 640x480 pixels is written for each length, then `jaxsal explain --window auto` explains two middle ones by
Grad-CAM and a small 3D-ResNet18, each time in a process of its own. Printed is the peak of the process (VmHWM).
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import tyro
from timing import peak_mb

from jaxsal.commands import cli
from jaxsal.models import init_variables
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.convert import save_as_run
from jaxsal.training.networks import NetworkSpec

SPEC = NetworkSpec(tuple("abc"), width=4, num_frames=16, size=64, crop=56)


@dataclass(frozen=True)
class Config:
    """Which recordings are compared."""

    lengths: tuple[int, ...] = (100, 20_000)
    """Frames of the recordings."""
    rounds: int = 3
    """Runs of each, taking turns."""
    measure: int | None = None
    """Explain the recording of this length in this process and print the peak, nothing else."""
    folder: Path | None = None
    """Where recordings are kept; a folder for the time of the run if unset."""


def main(config: Config) -> None:
    """Compares recordings, or measures one."""
    if config.folder is None:
        with tempfile.TemporaryDirectory() as folder:
            main(Config(config.lengths, config.rounds, folder=Path(folder)))
        return
    if config.measure is not None:
        print(json.dumps(measure(config.folder, config.measure)))
        return
    config.folder.mkdir(exist_ok=True)
    if not (config.folder / "checkpoints").exists():
        variables = init_variables(SPEC.model(), jax.random.key(0), SPEC.batch_shape)
        save_as_run(Checkpoint(SPEC, variables, 0, None, {}), config.folder)
    for length in config.lengths:
        write_recording(video(config.folder, length), length)
    peaks: dict[int, list[float]] = {length: [] for length in config.lengths}
    for _ in range(config.rounds):
        for length, found in peaks.items():
            command = [sys.executable, __file__, "--folder", str(config.folder), "--measure", str(length)]
            found.append(json.loads(subprocess.check_output(command, text=True).splitlines()[-1]))
    print("| frames of the recording | peak of the process, MB, median (range) |\n|--:|--:|")
    for length, found in peaks.items():
        print(f"| {length:,} | {np.median(found):.0f} ({min(found):.0f} to {max(found):.0f}) |")


def video(folder: Path, length: int) -> Path:
    """The recording of a length."""
    return folder / f"{length}.mp4"


def write_recording(path: Path, length: int) -> None:
    """Writes a bright square that moves over a grey frame, 25 times a second, unless it is there."""
    import av

    if path.exists():
        return
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.options = 640, 480, {"preset": "ultrafast", "crf": "30"}
        frame = np.full((480, 640, 3), 90, np.uint8)
        for number in range(length):
            picture = frame.copy()
            picture[200:280, number * 4 % 560 :][:, :80] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def measure(folder: Path, length: int) -> float:
    """The peak of this process, in MB, after it explained two windows."""
    with tempfile.TemporaryDirectory() as output:
        start = str(length // 2 - 16)
        words = ["explain", str(video(folder, length)), "--checkpoint", str(folder), "--output", output]
        words += ["--window", "auto", "--start", start, "--stop", str(length // 2 + 16), "--method", "gradcam"]
        cli.main([*words, "--controls", "smooth", "--num-steps", "3", "--clips-per-batch", "1"])
    return peak_mb()


if __name__ == "__main__":
    main(tyro.cli(Config))
