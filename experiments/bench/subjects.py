"""The networks and clips that benchmarks of maps are about: of a checkpoint, or with random weights."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxsal.classifier import Classifier
from jaxsal.engine.batch import prepare
from jaxsal.training.networks import NetworkSpec

RANDOM = {
    "resnet3d18": dict(arch="resnet3d18", width=8, num_frames=16, size=56, crop=56),
    "pan": dict(arch="pan", width=8, num_frames=32, size=56, crop=56),
}
QUICK = {
    "resnet3d18": dict(arch="resnet3d18", width=2, num_frames=4, size=24, crop=24),
    "pan": dict(arch="pan", width=4, num_frames=8, size=32, crop=32),
}


class Subject(NamedTuple):
    """What is explained: a network and a clip in [0, 1].

    Attributes:
      name: The checkpoint's folder, or the architecture.
      spec: What the network is.
      classifier: The network.
      clip: The clip, (T, H, W, C).
      target: The class it predicts.
    """

    name: str
    spec: NetworkSpec
    classifier: Classifier
    clip: np.ndarray
    target: int


def subjects(checkpoints: tuple[Path, ...], *, quick: bool) -> list[Subject]:
    """Of every checkpoint, with a test clip of the embedded set; with random weights and noise where there are none."""
    if checkpoints:
        return [_trained(path) for path in checkpoints]
    return [_random(name, fields) for name, fields in (QUICK if quick else RANDOM).items()]


def _trained(path: Path) -> Subject:
    from jaxsal.datasets.catalog import SYNTHETIC, open_clips
    from jaxsal.evaluation.explain import select_cases
    from jaxsal.training.checkpoint import open_checkpoint

    checkpoint = open_checkpoint(path)
    spec = checkpoint.spec
    clip_set = open_clips(SYNTHETIC, height=spec.size, num_frames=spec.num_frames, seed=0).select(split="test")
    case = select_cases(spec, clip_set, 1)[-1]
    return _subject(str(path), spec, checkpoint.variables, case.load())


def _random(name: str, fields: dict) -> Subject:
    from jaxsal.models import init_variables

    spec = NetworkSpec(tuple("abcdefgh"), **fields)
    variables = init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape))
    clip = np.random.default_rng(0).random(spec.clip_shape, np.float32)
    return _subject(f"{name}, random weights", spec, variables, clip)


def _subject(name: str, spec: NetworkSpec, variables: Any, clip: np.ndarray) -> Subject:
    classifier = spec.classifier(variables)
    target = int(np.argmax(prepare(classifier, [clip]).logits[0]))
    return Subject(name, spec, classifier, clip, target)
