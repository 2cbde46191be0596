"""Masks per second against the number of devices, each number in a process of its own.

    python experiments/bench/scaling.py --counts 1 2 4 8

Where JAX runs on the CPU the devices are virtual and share the same cores: what is printed is the overhead of splitting
the masks, not a speed-up. On NVIDIA GPUs the first so many are used.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import tyro


@dataclass(frozen=True)
class Config:
    """A 3D-ResNet18 with random weights, and how it is timed."""

    counts: tuple[int, ...] = (1, 2, 4, 8)
    width: int = 8
    num_frames: int = 16
    crop: int = 56
    num_masks: int = 128
    chunk_size: int = 16
    rounds: int = 3
    measure: int | None = None
    """Only time so many devices, in this process."""


def masks_per_second(config: Config, count: int) -> dict[str, object]:
    """The best of some runs on so many devices of this process."""
    import jax
    import numpy as np

    jax.config.update("jax_num_cpu_devices", count)
    from jaxsal import score_masks
    from jaxsal.masks import RiseMasks
    from jaxsal.models import init_variables
    from jaxsal.networks import NetworkSpec

    crop = config.crop
    spec = NetworkSpec(tuple("abcdefgh"), width=config.width, num_frames=config.num_frames, size=crop, crop=crop)
    classifier = spec.classifier(init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape)))
    clip = jax.random.uniform(jax.random.key(1), spec.clip_shape)
    masks = RiseMasks(jax.random.key(2), config.num_masks, 0.1, spec.clip_shape[:3], (2, 8, 8), "mirror", "own")
    seconds = []
    for _ in range(config.rounds + 1):
        start = time.perf_counter()
        jax.block_until_ready(score_masks(classifier, clip, masks, chunk_size=config.chunk_size))
        seconds.append(time.perf_counter() - start)
    return dict(
        devices=jax.device_count(),
        platform=jax.devices()[0].platform,
        masks_per_second=round(config.num_masks / float(np.min(seconds[1:])), 1),
    )


def main(config: Config) -> None:
    """Prints one line of JSON per number of devices."""
    if config.measure is not None:
        print(json.dumps(masks_per_second(config, config.measure)))
        return
    for count in config.counts:
        command = [sys.executable, __file__, *sys.argv[1:], "--measure", str(count)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(count)))}
        found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        print(found.stdout.strip(), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Config))
