"""What a trained network is beside its weights: architecture, classes, and how a clip is cut for it."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Float, PyTree, UInt8

from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD, Classifier, check_normalization
from jaxsal.core.checks import check_choice, check_positive
from jaxsal.datasets.clips import resize_and_crop
from jaxsal.datasets.recordings.excerpt import Cut, Excerpt, take
from jaxsal.datasets.recordings.recording import Reading, Recording
from jaxsal.datasets.records import TRAINING_SPECTRA
from jaxsal.datasets.sampling import FrameSampler, SegmentSampler, WindowSampler
from jaxsal.models import I3D, PAN, ResNet3D18
from jaxsal.models.pan import Variant


class Architecture(NamedTuple):
    """What sets an architecture apart.

    Attributes:
      build: Makes the Flax module from (classes, width, frames of a clip).
      sampler: How its clips are chosen, from the frames of a clip and the steps between them.
      num_frames: T of the published network.
      antialias: Whether the published network's frames are antialiased when they shrink.
      from_resnet50: Whether its training can start from the weights of a ResNet-50.
      published: Fields of `NetworkSpec` that the published weights need, where they differ from its defaults.
    """

    build: Callable[[int, int, int], nn.Module]
    sampler: Callable[[int, int], FrameSampler]
    num_frames: int
    antialias: bool
    from_resnet50: bool = False
    published: Mapping[str, Any] = MappingProxyType({})


def _pan_sampler(num_frames: int, stride: int = 1) -> SegmentSampler:
    if stride != 1:
        raise ValueError(f"`stride` must be 1 for pan, whose segments are consecutive frames; got {stride}.")
    num_segments, rest = divmod(num_frames, PAN.frames_per_mask)
    if rest or num_segments < 2 or num_segments.bit_count() != 1:
        fits = f"{PAN.frames_per_mask} times 2, 4, 8 or another power of two"
        raise ValueError(f"`num_frames` must be {fits} for pan; got {num_frames}.")
    return SegmentSampler(num_segments, PAN.frames_per_mask)


def _pan(num_classes: int, width: int, num_frames: int, variant: Variant = "lite") -> PAN:
    return PAN(num_classes, width, _pan_sampler(num_frames).num_segments, variant=variant)


def _resnet3d18(num_classes: int, width: int, num_frames: int) -> ResNet3D18:
    return ResNet3D18(num_classes, width)


def _i3d(num_classes: int, width: int, num_frames: int) -> I3D:
    return I3D(num_classes, width)


BRIGHTNESS = (0.2989, 0.587, 0.1141)  # of red, green and blue
I3D_FIELDS = MappingProxyType(dict(stride=4, size=224, mean=(0.5,) * 3, std=(0.5,) * 3))
NETWORKS = {
    "resnet3d18": Architecture(_resnet3d18, WindowSampler, 16, antialias=False),
    "i3d": Architecture(_i3d, WindowSampler, 16, antialias=True, published=I3D_FIELDS),
    "pan": Architecture(_pan, _pan_sampler, 32, antialias=True, from_resnet50=True),
    "pan_rgb": Architecture(partial(_pan, variant="rgb"), _pan_sampler, 32, antialias=True, from_resnet50=True),
    "pan_pa": Architecture(partial(_pan, variant="pa"), _pan_sampler, 32, antialias=True, from_resnet50=True),
}


@dataclass(frozen=True)
class NetworkSpec:
    """All that must be known to use a checkpoint on a clip.

    Attributes:
      classes: Names of the classes, in the order of the logits.
      spectra: What it was trained on: "IR", "TV", or "IRTV" for both.
      arch: Name of the architecture, a key of `NETWORKS`.
      width: Channels of the first layer.
      num_frames: T, the frames of a clip: one window, or four of each segment for the PANs.
      size: The shorter side of frames after resizing.
      crop: Height and width of the clip, cut out of the resized frames.
      mean: Of the training data as the weights expect it, per channel, in [0, 1].
      std: Per channel.
      stride: Steps of the recording from one frame of the window to the next; 1 for the PANs.
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
    stride: int = 1

    def __post_init__(self):
        check_choice("arch", self.arch, tuple(NETWORKS))
        check_choice("spectra", self.spectra, tuple(TRAINING_SPECTRA))
        for name in ("width", "num_frames", "size", "crop", "stride"):
            check_positive(name, getattr(self, name))
        _ = self.sampler
        if self.crop > self.size:
            raise ValueError(f"`crop` must be at most `size`, {self.size}; got {self.crop}.")
        check_normalization(self.mean, self.std)
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

    @property
    def num_slices(self) -> int:
        """T', the frames of a mask or a map of a clip."""
        return self.num_frames // getattr(self.model(), "frames_per_mask", 1)

    @property
    def sampler(self) -> FrameSampler:
        """How the frames of a clip are chosen out of a recording."""
        return NETWORKS[self.arch].sampler(self.num_frames, self.stride)

    @property
    def antialias(self) -> bool:
        """Whether frames are antialiased when they shrink."""
        return NETWORKS[self.arch].antialias

    def model(self) -> nn.Module:
        """The network as a Flax module."""
        return NETWORKS[self.arch].build(len(self.classes), self.width, self.num_frames)

    def classifier(self, variables: PyTree) -> Classifier:
        """The network with weights, on clips in [0, 1]; it knows its classes and this spec."""
        classifier = Classifier.from_model(self.model(), variables, mean=self.mean, std=self.std, classes=self.classes)
        return dataclasses.replace(classifier, spec=self)

    def untrained(self) -> Classifier:
        """The network with weights that are all 0 and take no memory, for what depends on shapes alone."""
        shapes = _shapes(self.model(), self.clip_shape)
        return self.classifier(jax.tree.map(lambda leaf: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape), shapes))

    def centre_clip(self, frames: UInt8[np.ndarray, "L H W 3"]) -> Float[np.ndarray, "T S S C"]:
        """A recording as the network is tested on it: frames chosen, resized, centre crop, in [0, 1].

        Frames of a short recording are repeated, with a warning.
        """
        chosen = frames[self.sampler.test_indices(len(frames))]
        clip = resize_and_crop(chosen, short_side=self.size, crop=self.crop, antialias=self.antialias)
        return with_channels(clip, len(self.mean))

    def excerpt(
        self, recording: Recording, reading: Reading | None = None, start: int = 0, stop: int | None = None
    ) -> Excerpt:
        """The frames `start` to `stop` (exclusive) of a recording that the network is tested on; its `clip` cuts them.

        Frames of a short recording are repeated, with a warning.

        Args:
          recording: Of `open_recording`.
          reading: As the recording was opened.
          start: First frame.
          stop: One past the last frame; None for the end.

        Raises:
          ValueError: If the recording has no such part.
        """
        first, last = recording.part(start, stop)
        frames = first + self.sampler.test_indices(last - first)
        return take(recording, frames, reading, Cut(self.size, self.crop, self.antialias))

    def clip(self, excerpt: Excerpt) -> Float[np.ndarray, "T S S C"]:
        """The clip of an excerpt, in the channels of the network; errors as `with_channels`."""
        return with_channels(excerpt.clip(), len(self.mean))


def with_channels(clip: Float[np.ndarray, "T S S 3"], num_channels: int) -> Float[np.ndarray, "T S S C"]:
    """A clip of a recording in the channels of a network: as it is for 3, its brightness for 1.

    The brightness is that of ITU-R 601, which `torchvision.transforms.Grayscale` uses; of a grey clip its own value.

    Raises:
      ValueError: If the network takes another number of channels, which no single recording has.
    """
    if num_channels == 1:
        return clip @ np.array(BRIGHTNESS, np.float32)[:, None]
    if num_channels != 3:
        raise ValueError(
            f"`clip` must be an array of {num_channels} channels, (T, H, W, {num_channels}); got one recording. Stack "
            "the recordings of your sensors, and call jaxsal.explain(classifier, clip)."
        )
    return clip


def usual_normalization(num_channels: int) -> dict[str, tuple[float, ...]]:
    """Mean and deviation of the channels where nobody says them: ImageNet's of RGB, their average of any other."""

    def values(rgb: tuple[float, ...]) -> tuple[float, ...]:
        colours = rgb if num_channels >= 3 else ()
        return colours + (sum(rgb) / 3,) * (num_channels - len(colours))

    return {"mean": values(IMAGENET_MEAN), "std": values(IMAGENET_STD)}


@cache
def _shapes(model: nn.Module, clip_shape: tuple[int, ...]) -> PyTree:
    """Of a network's variables; the networks of a study, trained on other spectra, are alike."""
    return jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *clip_shape), np.float32))


def spec_differences(mine: NetworkSpec, theirs: NetworkSpec) -> list[str]:
    """The fields in which two specs differ, as "name: one instead of other"."""
    return [
        f"{field.name}: {getattr(theirs, field.name)} instead of {getattr(mine, field.name)}"
        for field in dataclasses.fields(NetworkSpec)
        if getattr(mine, field.name) != getattr(theirs, field.name)
    ]
