"""How much of a run of RISE masks is not the network: `score_masks` against the same number of bare forward passes.

    python experiments/bench/overhead.py --width 8 --crop 56

The two take turns (A B A B ...); printed are the medians of their masks per second, the ratio of their times pair by
pair with its spread, and how many devices shared the work. Both use the same batches and, with several devices, all.
"""

import dataclasses
import json
import time
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from jaxsal import score_masks
from jaxsal.devices import device_mesh, on_every_device, split_axis, use_all_cores
from jaxsal.masks import RiseMasks
from jaxsal.models import init_variables
from jaxsal.networks import NetworkSpec


@dataclass(frozen=True)
class Config:
    """What is timed: a 3D-ResNet18 with random weights."""

    width: int = 8
    num_frames: int = 16
    crop: int = 56
    num_masks: int = 128
    chunk_size: int = 8
    rounds: int = 7
    all_cores: bool = True
    """One device per core, instead of one device."""


def main(config: Config) -> None:
    """Times both and prints one line of JSON."""
    if config.all_cores:
        use_all_cores()
    spec = NetworkSpec(
        tuple("abcdefgh"), width=config.width, num_frames=config.num_frames, size=config.crop, crop=config.crop
    )
    variables = init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape))
    classifier = spec.classifier(variables)
    clip = jax.random.uniform(jax.random.key(1), spec.clip_shape)
    masks = RiseMasks(jax.random.key(2), config.num_masks, 0.1, spec.clip_shape[:3], (2, 8, 8), "mirror", "own")
    mesh = device_mesh(multiple_of=config.chunk_size)
    everywhere = on_every_device(classifier, mesh)
    batch = split_axis(jnp.broadcast_to(clip, (config.chunk_size, *clip.shape)), mesh)
    forward = jax.jit(lambda classifier, clips: jax.vmap(classifier)(clips))

    def bare():
        for _ in range(config.num_masks // config.chunk_size):
            scores = forward(everywhere, batch)
        return scores

    def masked():
        return score_masks(classifier, clip, masks, chunk_size=config.chunk_size)

    seconds: dict[str, list[float]] = {"bare": [], "masked": []}
    for round_number in range(config.rounds + 1):
        for name, run in (("bare", bare), ("masked", masked)):
            start = time.perf_counter()
            jax.block_until_ready(run())
            if round_number:  # the first compiles
                seconds[name].append(time.perf_counter() - start)
    ratios = np.divide(seconds["masked"], seconds["bare"])
    result = dict(
        devices=mesh.size,
        bare_per_second=round(config.num_masks / np.median(seconds["bare"]), 1),
        masked_per_second=round(config.num_masks / np.median(seconds["masked"]), 1),
        ratio=round(float(np.median(ratios)), 3),
        ratio_range=[round(float(ratios.min()), 3), round(float(ratios.max()), 3)],
        config=dataclasses.asdict(config),
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main(tyro.cli(Config))
