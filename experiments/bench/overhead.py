"""How much of each method is not the network: every method against the same number of bare forward passes.

    python experiments/bench/overhead.py
    python experiments/bench/overhead.py --arch pan --num-frames 32 --no-all-cores
    python experiments/bench/overhead.py --quick

A method and its bare passes take turns, in batches of the same size on the same devices. Grad-CAM is held against one
forward pass and the gradient of the head at the activations, which it cannot do without.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from timing import times_in_turns, write_json

from jaxsal import deletion, gradcam, insertion, score_masks, sidu
from jaxsal.classifier import Classifier
from jaxsal.devices import device_mesh, on_every_device, split_axis, use_all_cores
from jaxsal.masks import RiseMasks
from jaxsal.models import init_variables
from jaxsal.networks import NetworkSpec


@dataclass(frozen=True)
class Config:
    """What is timed: a network with random weights."""

    arch: str = "resnet3d18"
    """The architecture."""
    width: int = 8
    """Channels of its first layer."""
    num_frames: int = 16
    """T."""
    crop: int = 56
    """Height and width of the clip, in pixels."""
    num_masks: int = 128
    """RISE: N."""
    num_steps: int = 96
    """Of a deletion or insertion curve."""
    chunk_size: int = 8
    """Clips in a batch."""
    rounds: int = 7
    """Turns that are timed."""
    all_cores: bool = True
    """One device per core, instead of one device."""
    quick: bool = False
    """A look in under a minute: fewer masks and turns."""
    output: Path = Path("runs/bench/overhead.json")
    """Where the figures go."""


def main(config: Config) -> None:
    """Times all, prints a table and writes JSON."""
    if config.quick:
        config = dataclasses.replace(config, num_masks=32, num_steps=16, rounds=3)
    if config.all_cores:
        use_all_cores()
    classifier, clip = _network(config)
    num_channels = jax.eval_shape(classifier.features, clip).shape[-1]
    rows = [
        _row("RISE", config.num_masks, _rise(classifier, clip, config), classifier, clip, config),
        _row(
            "SIDU",
            num_channels,
            lambda: sidu(classifier, clip, 0, chunk_size=config.chunk_size),
            classifier,
            clip,
            config,
            extra_forwards=1,
        ),
        _row("deletion", config.num_steps, _curve(deletion, classifier, clip, config), classifier, clip, config),
        _row("insertion", config.num_steps, _curve(insertion, classifier, clip, config), classifier, clip, config),
        _gradcam_row(classifier, clip, config),
    ]
    print(f"{config.arch}, width {config.width}, {clip.shape}, {device_mesh().size} device(s)\n")
    print("| method | forwards | method, s | bare forwards, s | time over bare forwards, median (range) |")
    print("|---|--:|--:|--:|--:|")
    for row in rows:
        low, high = row["ratio_range"]
        print(
            f"| {row['method']} | {row['forwards']} | {row['seconds']:.3f} | {row['bare_seconds']:.3f} | "
            f"{row['ratio']:.3f} ({low:.3f} to {high:.3f}) |"
        )
    write_json(config.output, dict(config=dataclasses.asdict(config) | dict(output=str(config.output)), rows=rows))


def _network(config: Config) -> tuple[Classifier, jax.Array]:
    spec = NetworkSpec(
        tuple("abcdefgh"),
        arch=config.arch,
        width=config.width,
        num_frames=config.num_frames,
        size=config.crop,
        crop=config.crop,
    )
    variables = init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape))
    return spec.classifier(variables), jax.random.uniform(jax.random.key(1), spec.clip_shape)


def _rise(classifier: Classifier, clip: jax.Array, config: Config):
    num_slices = clip.shape[0] // classifier.frames_per_mask
    shape = (num_slices, *clip.shape[1:3])
    masks = RiseMasks(jax.random.key(2), config.num_masks, 0.1, shape, (2, 8, 8), "mirror", "own")
    return lambda: score_masks(classifier, clip, masks, chunk_size=config.chunk_size)


def _curve(measure, classifier: Classifier, clip: jax.Array, config: Config):
    shape = (clip.shape[0] // classifier.frames_per_mask, *clip.shape[1:3])
    saliency = jax.random.uniform(jax.random.key(3), shape)
    options = dict(num_steps=config.num_steps, chunk_size=config.chunk_size)
    return lambda: measure(classifier, clip, saliency, 0, **options)


def _row(method, forwards, run, classifier, clip, config, *, extra_forwards: int = 0) -> dict:
    mesh = device_mesh(multiple_of=config.chunk_size)
    everywhere = on_every_device(classifier, mesh)
    batch = split_axis(jnp.broadcast_to(clip, (config.chunk_size, *clip.shape)), mesh)
    forward = jax.jit(lambda classifier, clips: jax.vmap(classifier)(clips))
    alone = jax.jit(lambda classifier, clip: classifier(clip))

    def bare():
        scores = [forward(everywhere, batch) for _ in range(-(-forwards // config.chunk_size))]
        return jax.block_until_ready(scores + [alone(classifier, clip) for _ in range(extra_forwards)])

    seconds = times_in_turns({"method": lambda: jax.block_until_ready(run()), "bare": bare}, rounds=config.rounds)
    return _summary(method, forwards + extra_forwards, seconds)


def _gradcam_row(classifier: Classifier, clip: jax.Array, config: Config) -> dict:
    @jax.jit
    def least(classifier, clip):
        activations = classifier.features(clip)
        return activations, jax.grad(lambda a: classifier.head(a)[0])(activations)

    variants = {
        "method": lambda: jax.block_until_ready(gradcam(classifier, clip, 0)),
        "bare": lambda: jax.block_until_ready(least(classifier, clip)),
    }
    return _summary("Grad-CAM", 1, times_in_turns(variants, rounds=3 * config.rounds))


def _summary(method: str, forwards: int, seconds: dict[str, np.ndarray]) -> dict:
    ratios = seconds["method"] / seconds["bare"]
    return dict(
        method=method,
        forwards=forwards,
        seconds=float(np.median(seconds["method"])),
        bare_seconds=float(np.median(seconds["bare"])),
        ratio=float(np.median(ratios)),
        ratio_range=[float(ratios.min()), float(ratios.max())],
    )


if __name__ == "__main__":
    main(tyro.cli(Config))
