"""Masks per second against the number of devices, as a table and as JSON.

    python experiments/bench/scaling.py --counts 1 2 4 8

Each number of devices has a process of its own; the processes take turns. Where JAX runs on the CPU the devices are
virtual and share the same cores: what is printed is the overhead of splitting the masks, not a speed-up. On NVIDIA GPUs
the first so many are used.
"""

import dataclasses
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro
from timing import compare, table, times_in_turns, write_json

VIRTUAL = (
    "The devices are virtual and share the cores of one processor: the figures show the overhead of splitting the "
    "masks, not a speed-up."
)


@dataclass(frozen=True)
class Config:
    """A 3D-ResNet18 with random weights, and how it is timed."""

    counts: tuple[int, ...] = (1, 2, 4, 8)
    width: int = 8
    num_frames: int = 16
    crop: int = 56
    num_masks: int = 128
    chunk_size: int = 16
    rounds: int = 7
    quick: bool = False
    """One and two devices, a small network, few masks."""
    output: Path = Path("runs/bench/scaling.json")
    serve: int | None = None
    """Time so many devices in this process, once for every line that comes in."""


def quickly(config: Config) -> Config:
    """The same in seconds."""
    return dataclasses.replace(config, counts=(1, 2), width=2, num_frames=4, crop=16, num_masks=16, chunk_size=4)


def serve(config: Config) -> None:
    """Answers each line with the platform, after scoring all masks."""
    import jax

    jax.config.update("jax_num_cpu_devices", config.serve)
    from jaxsal import score_masks
    from jaxsal.engine.rise_masks import RiseMasks
    from jaxsal.models import init_variables
    from jaxsal.training.networks import NetworkSpec

    crop = config.crop
    spec = NetworkSpec(tuple("abcdefgh"), width=config.width, num_frames=config.num_frames, size=crop, crop=crop)
    classifier = spec.classifier(init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape)))
    clip = jax.random.uniform(jax.random.key(1), spec.clip_shape)
    masks = RiseMasks.draw(jax.random.key(2), config.num_masks, 0.1, spec.clip_shape[:3], (2, 8, 8), "mirror", "own")
    for _ in sys.stdin:
        jax.block_until_ready(score_masks(classifier, clip, masks, chunk_size=config.chunk_size))
        print(json.dumps(dict(devices=jax.device_count(), platform=jax.devices()[0].platform)), flush=True)


def start(config: Config, count: int) -> subprocess.Popen[str]:
    """A process with so many devices."""
    words = [f"--{field.name.replace('_', '-')}={getattr(config, field.name)}" for field in dataclasses.fields(config)]
    kept = ("--width", "--num-frames", "--crop", "--num-masks", "--chunk-size")
    command = [sys.executable, __file__, *(word for word in words if word.startswith(kept)), f"--serve={count}"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(count)))}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Has a process score all masks once."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"A process ended with code {process.wait()} before it answered.")
    return json.loads(answer)


def main(config: Config) -> None:
    """Prints the table and writes the JSON."""
    if config.serve is not None:
        serve(config)
        return
    config = quickly(config) if config.quick else config
    with ExitStack() as stack:
        running = {count: stack.enter_context(start(config, count)) for count in config.counts}
        try:
            found = {count: ask(process) for count, process in running.items()}
            for count, answer in found.items():
                if answer["devices"] != count:
                    raise ValueError(f"`counts` must be at most the devices there are; got {count}, found {answer}.")
            variants = {f"{count} devices": partial(ask, process) for count, process in running.items()}
            seconds = times_in_turns(variants, rounds=config.rounds)
        finally:
            for process in running.values():
                process.kill()
    rows = compare(seconds, against=next(iter(variants)), work=config.num_masks, unit="masks")
    note = VIRTUAL if found[config.counts[0]]["platform"] == "cpu" else ""
    print("\n\n".join(filter(None, [table(rows), note])))
    write_json(config.output, dict(config=dataclasses.asdict(config), rows=rows, note=note))


if __name__ == "__main__":
    main(tyro.cli(Config))
