"""What a trained network is beside its weights: architecture, classes, and how a clip is cut for it."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jaxsal.classifier import Classifier
from jaxsal.core.checks import check_choice, check_positive
from jaxsal.core.kinds import check_fields
from jaxsal.core.normalization import IMAGENET_MEAN, IMAGENET_STD, check_normalization
from jaxsal.datasets.channels import with_channels
from jaxsal.datasets.clips import resize_and_crop
from jaxsal.datasets.fused import map_frames, same_moments, take_frames
from jaxsal.datasets.recordings.excerpt import Cut, Excerpt, take
from jaxsal.datasets.recordings.moments import Moment
from jaxsal.datasets.recordings.pairing import align
from jaxsal.datasets.recordings.part import Part, excerpts_of
from jaxsal.datasets.recordings.recording import Reading, Recording
from jaxsal.datasets.records import FUSED, TRAINING_SPECTRA
from jaxsal.datasets.sampling import FrameSampler, SpreadSampler, WindowSampler
from jaxsal.engine.class_scores import class_names
from jaxsal.models import StackedChannels, TwoStream
from jaxsal.models.initialise import BatchShape, zeros
from jaxsal.training.architectures import NETWORKS
from jaxsal.training.options import FrameChoice

Fusion = Literal["streams", "channels"]
FUSIONS: dict[str, Callable[[nn.Module], nn.Module]] = {"streams": TwoStream, "channels": StackedChannels}


@check_fields
@dataclass(frozen=True)
class NetworkSpec:
    """All that must be known to use a checkpoint on a clip.

    Attributes:
      classes: Names of the classes, in the order of the logits.
      spectra: What it was trained on: "IR", "TV", "IRTV" for both, or "FUSED" for scenes in both at once.
      arch: Name of the architecture, a key of `NETWORKS`.
      width: Channels of the first layer.
      num_frames: T, the frames of a clip: one window, or four of each segment for the PANs.
      size: The shorter side of frames after resizing.
      crop: Height and width of the clip, cut out of the resized frames.
      mean: Of the training data as the weights expect it, per channel, in [0, 1]; of scenes red, green, blue, infrared.
      std: Per channel.
      stride: Steps of the recording from one frame of the window to the next; 1 for the PANs.
      fusion: How a network takes scenes in both spectra: "streams", one network for each, joined before the head; or
        "channels", one network of four channels.
      frames: Where the frames of a clip lie: in one "window" of the recording, or "spread" over all of it.
      form: Fields of the network's module beside these, as (name, value), where they differ from the architecture's.
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
    fusion: Fusion = "streams"
    frames: FrameChoice = "window"
    form: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self):
        check_choice("arch", self.arch, tuple(NETWORKS))
        check_choice("fusion", self.fusion, tuple(FUSIONS))
        for name in ("mean", "std"):
            values = tuple(getattr(self, name))
            if self.spectra == FUSED and len(values) == 3:  # infrared has the mean of the colours
                object.__setattr__(self, name, (*values, sum(values) / 3))
        check_choice("spectra", self.spectra, (*TRAINING_SPECTRA, FUSED))
        for name in ("width", "num_frames", "size", "crop", "stride"):
            check_positive(name, getattr(self, name))
        _ = self.sampler
        if self.crop > self.size:
            raise ValueError(f"`crop` must be at most `size`, {self.size}; got {self.crop}.")
        check_normalization(self.mean, self.std)
        if not all(0 <= value <= 1 for value in self.mean):
            raise ValueError(f"`mean` must be from 0 to 1, as clips are; got {self.mean}.")
        if not self.classes:
            raise ValueError("`classes` must name at least one class; got none.")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"`classes` must be a list of different names; got {self.classes!r}.")

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "NetworkSpec":
        """The spec from what `dataclasses.asdict` and JSON made of it; unknown architectures are refused."""
        tuples = {name: tuple(values[name]) for name in ("classes", "mean", "std")}
        given = values.get("form", ())
        form = tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in given)
        return cls(**(values | tuples | {"form": form}))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes that the logits tell apart: a single logit says no and yes."""
        return class_names(self.classes, len(self.classes))

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, C) of a clip; of a scene of its infrared one."""
        return *self._size, self.channels["IR"] if self.channels else len(self.mean)

    @property
    def _size(self) -> tuple[int, int, int]:
        return self.num_frames, self.crop, self.crop

    @property
    def channels(self) -> dict[str, int]:
        """Of scenes, the channels of every spectrum; empty where a clip is of one."""
        return {"IR": len(self.mean) - 3, "TV": 3} if self.spectra == FUSED else {}

    @property
    def batch_shape(self) -> BatchShape:
        """The shape of a batch of one clip, as `init_variables` takes it."""
        if not self.channels:
            return 1, *self.clip_shape
        return tuple((name, (1, *self._size, count)) for name, count in self.channels.items())

    @property
    def num_slices(self) -> int:
        """T', the frames of a mask or a map of a clip."""
        return self.num_frames // getattr(self.model(), "frames_per_mask", 1)

    @property
    def sampler(self) -> FrameSampler:
        """How the frames of a clip are chosen out of a recording."""
        network = NETWORKS[self.arch].sampler(self.num_frames, self.stride)
        if self.frames == "window":
            return network
        if not isinstance(network, WindowSampler):
            raise ValueError(f"`frames` must be window for {self.arch}, which is spread by itself; got spread.")
        if self.stride != 1:
            raise ValueError(f"`stride` must be 1 with `frames` spread, which has its own steps; got {self.stride}.")
        return SpreadSampler(self.num_frames)

    @property
    def antialias(self) -> bool:
        """Whether frames are antialiased when they shrink."""
        return NETWORKS[self.arch].antialias

    def model(self) -> nn.Module:
        """The network as a Flax module."""
        network = NETWORKS[self.arch].build(len(self.classes), self.width, self.num_frames).clone(**dict(self.form))
        return FUSIONS[self.fusion](network) if self.channels else network

    def classifier(self, variables: PyTree) -> Classifier:
        """The network with weights, on clips in [0, 1]; it knows its classes and this spec."""
        mean, std = (self.by_spectrum(values) for values in (self.mean, self.std))
        classifier = Classifier.from_model(self.model(), variables, mean=mean, std=std, classes=self.classes)
        return dataclasses.replace(classifier, spec=self)

    def normalize(self, clips: PyTree) -> PyTree:
        """Clips in [0, 1] as the network is trained on them."""
        mean, std = (self.by_spectrum(values) for values in (self.mean, self.std))
        clips = self.in_channels(clips)
        if not self.channels:
            return (clips - jnp.asarray(mean)) / jnp.asarray(std)
        return {name: (part - jnp.asarray(mean[name])) / jnp.asarray(std[name]) for name, part in clips.items()}

    def by_spectrum(self, values: tuple[float, ...]) -> PyTree:
        """Values of each channel; of scenes those of every spectrum."""
        return {"IR": values[3:], "TV": values[:3]} if self.channels else values

    def untrained(self) -> Classifier:
        """The network with weights that are all 0 and take no memory, for what depends on shapes alone."""
        shapes = _shapes(self.model(), self.batch_shape)
        return self.classifier(jax.tree.map(lambda leaf: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape), shapes))

    def narrow(self) -> "NetworkSpec":
        """The network with a few channels, whose layers see the same frames, rows and columns."""
        changes = dict(num_heads=1, mlp_width=1)
        return dataclasses.replace(
            self, width=2, form=tuple((name, changes.get(name, value)) for name, value in self.form)
        )

    def centre_clip(self, frames: PyTree) -> PyTree:
        """A recording (L, H, W, 3) as the network is tested on it: frames chosen, resized, centre crop, in [0, 1].

        Of a scene in both spectra one of each, by name. Frames of a short recording are repeated, with a warning.

        Raises:
          ValueError: If the network takes both spectra at once and the recording is of one, or the other way round.
        """
        found = tuple(frames) if isinstance(frames, Mapping) else ()
        if sorted(found) != sorted(self.channels):
            wanted = f"the spectra {tuple(self.channels)}" if self.channels else "one spectrum"
            raise ValueError(f"`clip` must be in {wanted} for a network of {self.spectra}; got {found or 'one'}.")
        cut = partial(resize_and_crop, short_side=self.size, crop=self.crop, antialias=self.antialias)
        return self.in_channels(map_frames(cut, take_frames(frames, self.sampler.test_indices)))

    def excerpts_of(self, parts: Mapping[str, Part]) -> dict[str, Excerpt]:
        """By spectrum, where the frames of `centre_clip` come from, of parts of recordings; errors as `open_recording`.

        Args:
          parts: Of one spectrum, or of both of a scene.
        """
        return excerpts_of(parts, partial(same_moments, choose=self.sampler.test_indices), self.cut)

    def excerpt(
        self, recording: Recording, reading: Reading | None = None, start: Moment = 0, stop: Moment | None = None
    ) -> Excerpt:
        """The frames that the network is tested on, of those `start` to `stop` (exclusive) of a recording.

        Frames of a short recording are repeated, with a warning.

        Args:
          recording: Of `open_recording`.
          reading: As the recording was opened.
          start: First frame, or seconds such as "12.5s".
          stop: One past the last frame, or seconds; None for the end.

        Raises:
          ValueError: If the recording has no such part.
        """
        first, last = recording.part(start, stop)
        frames = first + self.sampler.test_indices(last - first)
        return take(recording, frames, reading, self.cut)

    def scene_excerpts(
        self,
        recordings: Mapping[str, Recording],
        readings: Mapping[str, Reading],
        start: Moment = 0,
        stop: Moment | None = None,
        *,
        infrared_offset: float = 0.0,
    ) -> dict[str, Excerpt]:
        """As `excerpt`, of both recordings of a scene: frames of the same moments, by spectrum; see `align`."""
        visible, infrared = recordings["TV"], recordings["IR"]
        moments = align(visible, infrared, start=start, stop=stop, infrared_offset=infrared_offset)
        chosen = self.sampler.test_indices(len(moments.visible))
        frames = {"TV": moments.visible[chosen], "IR": moments.infrared[chosen]}
        return {name: take(recordings[name], frames[name], readings[name], self.cut) for name in recordings}

    @property
    def cut(self) -> Cut:
        """What the network sees of each frame."""
        return Cut(self.size, self.crop, self.antialias)

    def clip(self, excerpt: Excerpt | Mapping[str, Excerpt]) -> PyTree:
        """The clip of an excerpt, or of one for each spectrum, in the network's channels; errors as `with_channels`."""
        if isinstance(excerpt, Excerpt):
            return self.in_channels(excerpt.clip())
        return map_frames(lambda one: one.clip(), excerpt)

    def in_channels(self, clips: PyTree) -> PyTree:
        """Clips of recordings (..., 3) in the channels of the network; scenes have them. Errors as `with_channels`."""
        return clips if self.channels else with_channels(clips, len(self.mean))


@cache
def _shapes(model: nn.Module, batch_shape: BatchShape) -> PyTree:
    """Of a network's variables; the networks of a study, trained on other spectra, are alike."""
    return jax.eval_shape(lambda key: model.init(key, zeros(batch_shape)), jax.random.key(0))


def spec_differences(mine: NetworkSpec, theirs: NetworkSpec) -> list[str]:
    """The fields in which two specs differ, as "name: one instead of other"."""
    return [
        f"{field.name}: {getattr(theirs, field.name)} instead of {getattr(mine, field.name)}"
        for field in dataclasses.fields(NetworkSpec)
        if getattr(mine, field.name) != getattr(theirs, field.name)
    ]
