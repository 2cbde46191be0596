"""A tiny set of clips and a tiny network, to try whole runs on."""

import dataclasses
from functools import partial

import flax.linen as nn
import jax
import numpy as np

from jaxsal.datasets.pipeline import load_clips
from jaxsal.datasets.records import ClipRecord, ClipSet
from jaxsal.datasets.sampling import WindowSampler
from jaxsal.models import init_variables
from jaxsal.models.initialise import zeros
from jaxsal.models.layers import Conv, batch_norm, linear
from jaxsal.training.architectures import NETWORKS, Architecture
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.convert import save_as_run
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.options import TrainOptions


class Tiny(nn.Module):
    """Two convolutions and a linear layer: compiled in a tenth of the time of a 3D-ResNet18."""

    num_classes: int
    width: int

    def setup(self):
        self.stem_conv = Conv(self.width, (3, 3, 3), (1, 2, 2))
        self.stem_norm = batch_norm()
        self.last_conv = Conv(16 * self.width, (3, 3, 3), (2, 2, 2))
        self.fc = linear(self.num_classes, 16 * self.width)

    def __call__(self, clips, train=False):
        return self.head(self.features(clips, train))

    def features(self, clips, train=False):
        activations = nn.relu(self.stem_norm(self.stem_conv(clips), use_running_average=not train))
        return nn.relu(self.last_conv(activations))

    def head(self, activations):
        return self.fc(activations.mean(axis=(1, 2, 3)))


def build_tiny(num_classes, width, num_frames):
    return Tiny(num_classes, width)


NETWORKS["tiny"] = Architecture(build_tiny, WindowSampler, 4, antialias=False, from_resnet50=False)
CLASSES = ("down", "up")
SPEC = NetworkSpec(CLASSES, "IRTV", arch="tiny", width=2, num_frames=4, size=18, crop=16)
RESNET = dataclasses.replace(SPEC, arch="resnet3d18")
OPTIONS = TrainOptions(num_steps=6, batch_size=4, learning_rate=0.01, save_every=2)


def moving_bar(label, seed, grey):
    """Six frames of a bright bar that moves down (0) or up (1) over noise."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 60, (6, 20, 24, 3), dtype=np.uint8)
    for t in range(6):
        row = 3 * t if label == 0 else 15 - 3 * t
        frames[t, row : row + 4] = 230
    return np.repeat(frames[..., :1], 3, axis=-1) if grey else frames


def clip_set(per_class=4):
    records = [
        ClipRecord(
            name=f"{CLASSES[label]}-{number}-{spectrum}",
            label=label,
            spectrum=spectrum,
            split="train" if number % 2 == 0 else "test",
            load=partial(moving_bar, label, [number, label], spectrum == "IR"),
        )
        for number in range(per_class)
        for label in (0, 1)
        for spectrum in ("IR", "TV")
    ]
    return ClipSet(CLASSES, tuple(records))


def loaded(split="train", per_class=4):
    return load_clips(clip_set(per_class).select(split=split), size=SPEC.size, sampler=SPEC.sampler)


def of_zeros(spec):
    """A checkpoint of zeros, which are there without compiling anything."""
    shapes = jax.eval_shape(spec.model().init, jax.random.key(0), zeros(spec.batch_shape))
    return Checkpoint(spec, jax.tree.map(lambda of: np.zeros(of.shape, of.dtype), dict(shapes)), 0, None, {})


def save_untrained(folder, spec=SPEC):
    """Writes a run whose weights are as they were drawn; its checkpoint."""
    variables = init_variables(spec.model(), jax.random.key(0), spec.batch_shape)
    checkpoint = Checkpoint(spec, variables, 0, None, {})
    save_as_run(checkpoint, folder)
    return checkpoint


def save_recordings(folder):
    """A user's folder of paired recordings, two classes, both splits."""
    lines = ["recording,label,split,ir_start,ir_end,tv_start,tv_end"]
    for number, record in enumerate(r for r in clip_set(6).records if r.spectrum == "TV"):
        label, split = CLASSES[record.label], record.split
        for spectrum, grey in (("IR", True), ("TV", False)):
            (folder / spectrum).mkdir(parents=True, exist_ok=True)
            np.save(folder / spectrum / f"r{number}.npy", moving_bar(record.label, number, grey))
        lines.append(f"r{number},{label},{split},,,,")
    (folder / "segments.csv").write_text("\n".join(lines) + "\n")
    return folder
