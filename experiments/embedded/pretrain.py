"""Trains the network that comes with the package: a 3D-ResNet18 of width 8 on embedded clips that no demo shows.

    python experiments/embedded/pretrain.py runs/embedded

Its actors, rooms and performances are those of the highest seed, each scene three times. The clips of every other seed
show other people elsewhere. An interrupted run resumes. It ends with the weights, as the package holds them, and with
the accuracy on the held-out actors of its own seed.
"""

import argparse
from functools import partial
from pathlib import Path

import jax

from jaxsal.commands.demo import PRESETS
from jaxsal.datasets.pipeline import load_clips
from jaxsal.datasets.synthetic import ACTION_PAIRS, synthetic_actions
from jaxsal.models import init_variables
from jaxsal.training.accuracy import accuracy_by_spectrum
from jaxsal.training.checkpoint import Checkpoint, Variables
from jaxsal.training.convert import write_for_torch
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.options import TrainOptions
from jaxsal.training.pretrained import EMBEDDED_WEIGHTS
from jaxsal.training.train import train

SEED = 2**32 - 1
TAKES = 3
TRAINING = TrainOptions(
    num_steps=2000,
    batch_size=8,
    learning_rate=2e-3,
    weight_decay=0.05,
    reversals=ACTION_PAIRS,
    seed=SEED,
    save_every=200,
)


def main(output: Path, training: TrainOptions = TRAINING) -> None:
    """Trains, or resumes; then writes the weights and prints the accuracy."""
    preset = PRESETS["resnet3d18"].network
    clip_set = synthetic_actions(seed=SEED, takes=TAKES, num_frames=preset["num_frames"], height=preset["size"])
    spec = NetworkSpec(clip_set.classes, "IRTV", **preset)
    read = partial(load_clips, size=spec.size, sampler=spec.sampler, antialias=spec.antialias, progress=True)
    train_clips, test_clips = (read(clip_set.select(split=split)) for split in ("train", "test"))
    trained = train(spec, training, train_clips, output, start=seeing_motion(spec, training.seed), progress=True)
    write_for_torch(halved(trained), EMBEDDED_WEIGHTS)
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
    main(parser.parse_args().output)
