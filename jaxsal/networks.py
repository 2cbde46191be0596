"""What a trained network is beside its weights: architecture, classes, and how a clip is cut for it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import numpy as np
from jaxtyping import Float, UInt8

from jaxsal.checks import check_choice, check_positive
from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD, Classifier
from jaxsal.datasets.clips import resize_and_crop
from jaxsal.datasets.records import TRAINING_SPECTRA
from jaxsal.datasets.sampling import centre_window
from jaxsal.models import ResNet3D18

NETWORKS: dict[str, Any] = {"resnet3d18": ResNet3D18}


@dataclass(frozen=True)
class NetworkSpec:
    """All that must be known to use a checkpoint on a clip.

    Attributes:
      classes: Names of the classes, in the order of the logits.
      spectra: What it was trained on: "IR", "TV", or "IRTV" for both.
      arch: Name of the architecture, a key of `NETWORKS`.
      width: Channels of the first layer.
      num_frames: T, consecutive frames of a clip.
      size: The shorter side of frames after resizing.
      crop: Height and width of the clip, cut out of the resized frames.
      mean: Of the training data as the weights expect it, per channel, in [0, 1].
      std: Per channel.
    """

    classes: tuple[str, ...]
    spectra: str = "IRTV"
    arch: str = "resnet3d18"
    width: int = 64
    num_frames: int = 16
    size: int = 256
    crop: int = 224
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __post_init__(self):
        check_choice("arch", self.arch, tuple(NETWORKS))
        check_choice("spectra", self.spectra, tuple(TRAINING_SPECTRA))
        for name in ("width", "num_frames", "size", "crop"):
            check_positive(name, getattr(self, name))
        if self.crop > self.size:
            raise ValueError(f"`crop` must be at most `size`, {self.size}; got {self.crop}.")
        if not self.classes:
            raise ValueError("`classes` must name at least one class; got none.")

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "NetworkSpec":
        """The spec from what `dataclasses.asdict` and JSON made of it; unknown architectures are refused."""
        tuples = {name: tuple(values[name]) for name in ("classes", "mean", "std")}
        return cls(**(values | tuples))

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, C) of a clip."""
        return self.num_frames, self.crop, self.crop, len(self.mean)

    def model(self) -> nn.Module:
        """The network as a Flax module."""
        return NETWORKS[self.arch](num_classes=len(self.classes), width=self.width)

    def classifier(self, variables: Any) -> Classifier:
        """The network with weights, on clips in [0, 1]."""
        return Classifier.from_model(self.model(), variables, mean=self.mean, std=self.std)

    def centre_clip(self, frames: UInt8[np.ndarray, "L H W 3"]) -> Float[np.ndarray, "T S S 3"]:
        """The middle of a recording as the network takes it: centre window, resized, centre crop, in [0, 1].

        A recording shorter than T repeats its first and last frame, with a warning.
        """
        window = centre_window(len(frames), self.num_frames)
        return resize_and_crop(frames[window], short_side=self.size, crop=self.crop)


def spec_differences(mine: NetworkSpec, theirs: NetworkSpec) -> list[str]:
    """The fields in which two specs differ, as "name: one instead of other"."""
    return [
        f"{field.name}: {getattr(theirs, field.name)} instead of {getattr(mine, field.name)}"
        for field in dataclasses.fields(NetworkSpec)
        if getattr(mine, field.name) != getattr(theirs, field.name)
    ]
