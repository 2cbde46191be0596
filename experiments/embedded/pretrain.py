"""Trains a network that comes with the package, 3D-ResNet18 or PAN of width 8, on embedded clips that no demo shows.

    python experiments/embedded/pretrain.py runs/embedded
    python experiments/embedded/pretrain.py runs/embedded-pan --network pan

Its actors, rooms and performances are those of the highest seed, each scene three times. The clips of every other seed
show other people elsewhere. An interrupted run resumes. It ends with the weights, as the package holds them, and with
the accuracy on the held-out actors of its own seed.
"""

import argparse
import dataclasses
from functools import partial
from pathlib import Path

import jax

from jaxsal.commands.demo import PRESETS
from jaxsal.datasets.pipeline import load_clips
from jaxsal.datasets.synthetic import ACTION_PAIRS, synthetic_actions
from jaxsal.models import init_variables
from jaxsal.training.accuracy import accuracy_by_spectrum
from jaxsal.training.checkpoint import Checkpoint, Variables
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.options import EMBEDDED, TrainOptions
from jaxsal.training.pretrained import EMBEDDED_WEIGHTS
from jaxsal.training.torch_file import write_for_torch
from jaxsal.training.train import train

SEED = 2**32 - 1
TAKES = 3
_TRAINING = TrainOptions(batch_size=8, weight_decay=0.05, reversals=ACTION_PAIRS, seed=SEED, save_every=200)
TRAININGS = {
    "resnet3d18": dataclasses.replace(_TRAINING, num_steps=2000, learning_rate=2e-3),
    "pan": dataclasses.replace(_TRAINING, num_steps=2400, learning_rate=3e-3),
}


def main(output: Path, arch: str = "resnet3d18", training: TrainOptions | None = None) -> None:
    """Trains, or resumes; then writes the weights and prints the accuracy."""
    preset = PRESETS[arch].network
    training = training or TRAININGS[arch]
    clip_set = synthetic_actions(seed=SEED, takes=TAKES, num_frames=preset["num_frames"], height=preset["size"])
    spec = NetworkSpec(clip_set.classes, "IRTV", **preset)
    read = partial(load_clips, size=spec.size, sampler=spec.sampler, antialias=spec.antialias, progress=True)
    train_clips, test_clips = (read(clip_set.select(split=split)) for split in ("train", "test"))
    start = seeing_motion(spec, training.seed) if arch == "resnet3d18" else None  # PAN compares frames by itself
    trained = train(spec, training, train_clips, output, start=start, progress=True)
    write_for_torch(halved(trained), EMBEDDED_WEIGHTS[EMBEDDED[arch]])
    print(accuracy_by_spectrum(spec, trained.variables, test_clips))


def halved(trained: Checkpoint) -> Checkpoint:
    """The network with weights of 16 bits: a file of half the size, which is read as 32 bits again."""
    return trained._replace(variables=jax.tree.map(lambda leaf: leaf.astype("float16"), trained.variables))


def seeing_motion(spec: NetworkSpec, seed: int) -> Variables:
    """Random weights, the first convolution's kernels less their mean over time: it sees nothing that stands still.

    A network that must tell directions of motion apart leaves chance after half as many steps.
    """
    key = jax.random.fold_in(jax.random.key(seed), 0)
    variables = init_variables(spec.model(), key, (1, *spec.clip_shape))
    stem = variables["params"]["stem_conv"]["kernel"]
    moving = {"kernel": stem - stem.mean(axis=0, keepdims=True)}
    return variables | {"params": variables["params"] | {"stem_conv": moving}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder of the training")
    parser.add_argument("--network", choices=TRAININGS, default="resnet3d18", help="its architecture")
    given = parser.parse_args()
    main(given.output, given.network)
