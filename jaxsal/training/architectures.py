"""The architectures that can be trained, converted and loaded by name."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import flax.linen as nn

from jaxsal.datasets.sampling import FrameSampler, SegmentSampler, WindowSampler
from jaxsal.models import I3D, PAN, ResNet3D18, VideoMAE, resnet3d
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
      form: Fields of its module that its networks differ in, beside classes and width.
      last: Pattern of the paths of its last stage's parameters; "{number}" is the last of `depth` layers.
    """

    build: Callable[[int, int, int], nn.Module]
    sampler: Callable[[int, int], FrameSampler]
    num_frames: int
    antialias: bool
    from_resnet50: bool = False
    published: Mapping[str, Any] = MappingProxyType({})
    form: tuple[str, ...] = ()
    last: str = "layer4"


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


def _pan_architecture(variant: Variant) -> Architecture:
    build = partial(_pan, variant=variant)
    return Architecture(build, _pan_sampler, 32, antialias=True, from_resnet50=True, last="(backbone/layer4|vap)")


def _resnet3d18(num_classes: int, width: int, num_frames: int, variant: resnet3d.Variant = "r3d") -> ResNet3D18:
    return ResNet3D18(num_classes, width, variant)


def _videomae(num_classes: int, width: int, num_frames: int) -> VideoMAE:
    """With the proportions of the published networks; others have a form of their own."""
    return VideoMAE(num_classes, width, num_heads=max(width // 64, 1), mlp_width=4 * width)


def _i3d(num_classes: int, width: int, num_frames: int) -> I3D:
    return I3D(num_classes, width)


I3D_FIELDS = MappingProxyType(dict(stride=4, size=224, mean=(0.5,) * 3, std=(0.5,) * 3))
TORCHVISION_FIELDS = MappingProxyType(
    dict(size=128, crop=112, mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989))
)
NETWORKS = {
    "resnet3d18": Architecture(_resnet3d18, WindowSampler, 16, antialias=False),
    "mc3_18": Architecture(
        partial(_resnet3d18, variant="mc3"), WindowSampler, 16, antialias=False, published=TORCHVISION_FIELDS
    ),
    "r2plus1d_18": Architecture(
        partial(_resnet3d18, variant="r2plus1d"), WindowSampler, 16, antialias=False, published=TORCHVISION_FIELDS
    ),
    "i3d": Architecture(_i3d, WindowSampler, 16, antialias=True, published=I3D_FIELDS, last="backbone/Mixed_5"),
    "videomae": Architecture(
        _videomae,
        WindowSampler,
        16,
        antialias=True,
        published=MappingProxyType(dict(stride=4, size=224)),
        form=("depth", "num_heads", "mlp_width", "tube", "mean_pooling", "bias", "epsilon", "activation"),
        last="(layer_{number}/|fc_norm|last_norm)",
    ),
    "pan": _pan_architecture("lite"),
    "pan_rgb": _pan_architecture("rgb"),
    "pan_pa": _pan_architecture("pa"),
}
