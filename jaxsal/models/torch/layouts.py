"""How the tensors of each network's torch checkpoints lie in its variables, and which network their shapes tell."""

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import flax.linen as nn
import numpy as np

from jaxsal.models import resnet3d
from jaxsal.models.i3d import I3D
from jaxsal.models.pan import PAN, Variant
from jaxsal.models.resnet import ResNet50
from jaxsal.models.resnet3d import ResNet3D18
from jaxsal.models.torch.names import (
    VariablePaths,
    i3d_paths,
    pan_paths,
    resnet3d18_paths,
    resnet50_paths,
    videomae_paths,
)
from jaxsal.models.videomae import VideoMAE

Tensors = Mapping[str, np.ndarray]


class TorchLayout(NamedTuple):
    """How the tensors of a network's torch checkpoints lie in its variables.

    Attributes:
      paths: Torch name to path in the variables.
      model: Makes the network that fits a state dict's shapes; KeyError if one is missing.
      stem: Torch name of the kernel that sees the clips.
      input_shape: Of a small batch of inputs of that network, to know the shapes of its variables; from the network
        and the channels of a clip.
      fits: Whether tensors with these names are of this network and not of another with the same names.
      of_names: Gives the layout of a network with these names of tensors or paths of variables, for an architecture
        whose networks differ in their layers; None if all have the same.
    """

    paths: VariablePaths
    model: Callable[[Tensors], nn.Module]
    stem: str
    input_shape: Callable[[Any, int], tuple[int, ...]]
    fits: Callable[[Tensors], bool] = lambda tensors: True
    of_names: "Callable[[Collection[str]], TorchLayout] | None" = None

    @property
    def head(self) -> str:
        """Torch name of the linear layer that gives the logits, without its "weight" and "bias"."""
        return next(name.removesuffix(".weight") for name, path in self.paths.items() if path[1:] == ("fc", "kernel"))

    def num_channels(self, tensors: Tensors) -> int:
        """The channels of a clip, which the stem tells; 3 where a tensor of another kind is in its place."""
        kernel = tensors[self.stem]
        return kernel.shape[1] if kernel.ndim == 5 and kernel.size else 3


def _resnet3d18(tensors: Tensors, variant: resnet3d.Variant) -> ResNet3D18:
    last = "stem.3.weight" if variant == "r2plus1d" else "stem.0.weight"
    return ResNet3D18(_length(tensors["fc.weight"]), _length(tensors[last]), variant)


def _resnet3d18_layout(variant: resnet3d.Variant) -> TorchLayout:
    def fits(tensors: Tensors) -> bool:
        kernel = tensors.get("layer2.0.conv1.0.weight", np.empty(()))  # MC3's has one tap over time
        return (kernel.ndim == 5 and kernel.shape[2] == 1) == (variant == "mc3")

    paths = resnet3d18_paths(factored=variant == "r2plus1d")
    model = partial(_resnet3d18, variant=variant)
    return TorchLayout(paths, model, "stem.0.weight", lambda model, channels: (1, 8, 16, 16, channels), fits)


def _i3d(tensors: Tensors) -> I3D:
    width = _length(tensors["Conv3d_1a_7x7.conv3d.weight"])
    return I3D(num_classes=_length(tensors["logits.conv3d.weight"]), width=width)


def _resnet50(tensors: Tensors) -> ResNet50:
    return ResNet50(num_classes=_length(tensors["fc.weight"]), width=_length(tensors["conv1.weight"]))


def _pan(tensors: Tensors, variant: Variant) -> PAN:
    """The PAN whose segments' images have the channels that the first convolution takes; S - 1 vectors are pooled.

    What no network has is left at the published network's value, and then is reported for its shape.
    """
    kernel, pooling = tensors["base_model.conv1.weight"], tensors["base_model.fc.TES.0.weight"]
    num_segments, frames = PAN.num_segments, PAN.frames_per_mask
    if pooling.ndim == 2 and pooling.shape[1] > 0 and (pooling.shape[1] + 1).bit_count() == 1:
        num_segments = pooling.shape[1] + 1
    if kernel.ndim == 4 and variant != "rgb":
        maps = kernel.shape[1] - (3 if variant == "lite" else 0)  # one between each frame and the next
        frames = maps + 1 if maps > 0 else frames
    num_classes = _length(tensors["base_model.fc.pred.weight"])
    return PAN(num_classes, _length(kernel), num_segments, frames, variant=variant)


def _pan_layout(variant: Variant, fits: Callable[[Tensors], bool] = lambda tensors: True) -> TorchLayout:
    def clip(model: PAN, channels: int) -> tuple[int, ...]:
        return (1, model.num_segments * model.frames_per_mask, 32, 32, channels)

    return TorchLayout(pan_paths(variant), partial(_pan, variant=variant), "base_model.conv1.weight", clip, fits)


def _sees_three_maps(tensors: Tensors) -> bool:
    """Whether a PAN sees the three maps between a segment's frames and no frame: PAN-PA, with the names of Lite."""
    kernel = tensors.get("base_model.conv1.weight")
    return kernel is not None and kernel.ndim == 4 and kernel.shape[1] == 3


def _videomae(tensors: Tensors, depth: int, bias: bool, mean_pooling: bool) -> VideoMAE:
    """The network of the shapes; heads of 64 channels, but of 80 in the huge one, as no tensor tells them."""
    kernel = tensors["videomae.embeddings.patch_embeddings.projection.weight"]
    width = _length(kernel)
    return VideoMAE(
        _length(tensors["classifier.weight"]),
        width,
        depth,
        max(width // (80 if width == 1280 else 64), 1),
        _length(tensors["videomae.encoder.layer.0.intermediate.dense.weight"]),
        kernel.shape[2:] if kernel.ndim == 5 else VideoMAE.tube,
        mean_pooling,
        bias,
    )


@cache
def _videomae_layout(depth: int = 12, bias: bool = True, mean_pooling: bool = True) -> TorchLayout:
    return TorchLayout(
        videomae_paths(depth, bias=bias, mean_pooling=mean_pooling),
        partial(_videomae, depth=depth, bias=bias, mean_pooling=mean_pooling),
        "videomae.embeddings.patch_embeddings.projection.weight",
        lambda model, channels: (1, *model.tube, channels),
        of_names=_videomae_of,
    )


def _videomae_of(names: Collection[str]) -> TorchLayout:
    """Told by tensors' names or by variables' paths: "encoder.layer.3.", "layer_3/"."""
    numbers = [int(found[1]) for name in names if (found := re.search(r"(?<!decoder\.)\blayer[._](\d+)[./]", name))]
    bias = any(re.search(r"query[./]bias$", name) for name in names)
    mean_pooling = not any(name.endswith(("videomae.layernorm.weight", "last_norm/scale")) for name in names)
    return _videomae_layout(max(numbers, default=11) + 1, bias, mean_pooling)


def layout_of(arch: str, names: Collection[str]) -> TorchLayout:
    """The layout of a network of an architecture, a key of `LAYOUTS`, with these names of tensors or variables."""
    layout = LAYOUTS[arch]
    return layout if layout.of_names is None else layout.of_names(names)


def _length(tensor: np.ndarray) -> int:
    """Its first axis; 1 for a tensor without values, which then is reported for its shape."""
    return tensor.shape[0] if tensor.ndim and tensor.size else 1


LAYOUTS = {  # by architecture
    "resnet3d18": _resnet3d18_layout("r3d"),
    "mc3_18": _resnet3d18_layout("mc3"),
    "r2plus1d_18": _resnet3d18_layout("r2plus1d"),
    "i3d": TorchLayout(
        i3d_paths(), _i3d, "Conv3d_1a_7x7.conv3d.weight", lambda model, channels: (1, 8, 32, 32, channels)
    ),
    "videomae": _videomae_layout(),
    "resnet50": TorchLayout(resnet50_paths(), _resnet50, "conv1.weight", lambda model, channels: (1, 32, 32, channels)),
    "pan": _pan_layout("lite", lambda tensors: not _sees_three_maps(tensors)),
    "pan_rgb": _pan_layout("rgb"),
    "pan_pa": _pan_layout("pa", _sees_three_maps),
}
