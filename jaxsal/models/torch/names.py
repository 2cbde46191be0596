"""Names of published torch checkpoints: where each tensor of a network lies in this project's variables."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import numpy as np

from jaxsal.models.i3d import BRANCHES, I3D, MIXED, STEM
from jaxsal.models.pan import PAN, Variant
from jaxsal.models.resnet import ResNet50
from jaxsal.models.resnet3d import ResNet3D18

VariablePath = tuple[str, ...]  # collection, modules, parameter: ("params", "layer1_0", "conv1", "kernel")
VariablePaths = dict[str, VariablePath]  # by torch name

OTHER_I3D_NAMES = (  # of the port by Y. Hasson, and those of `_i3d_paths`
    ("conv3d_0c_1x1.", "logits."),
    ("conv3d_1a", "Conv3d_1a"),
    ("conv3d_2", "Conv3d_2"),
    ("mixed_", "Mixed_"),
    (".branch_0.", ".b0."),
    (".branch_1.0.", ".b1a."),
    (".branch_1.1.", ".b1b."),
    (".branch_2.0.", ".b2a."),
    (".branch_2.1.", ".b2b."),
    (".branch_3.1.", ".b3b."),
    (".batch3d.", ".bn."),
)
RESNET50_BLOCKS = {1: 3, 2: 4, 3: 6, 4: 3}  # by layer


class TorchLayout(NamedTuple):
    """How the tensors of a network's torch checkpoints lie in its variables.

    Attributes:
      paths: Torch name to path in the variables.
      model: Makes the network that fits a state dict's shapes; KeyError if one is missing.
      input_shape: Of a small batch of inputs of that network, to know the shapes of its variables.
    """

    paths: VariablePaths
    model: Callable[[Mapping[str, np.ndarray]], nn.Module]
    input_shape: Callable[[Any], tuple[int, ...]]


def _resnet3d18_paths() -> VariablePaths:
    paths = _conv_paths("stem.0", "stem_conv") | _batch_norm_paths("stem.1", "stem_norm")
    for layer in (1, 2, 3, 4):
        for block in (0, 1):
            ours, theirs = f"layer{layer}_{block}", f"layer{layer}.{block}"
            parts = {"conv1": ("conv1", "norm1"), "conv2": ("conv2", "norm2")}
            if layer > 1 and block == 0:
                parts["downsample"] = ("shortcut_conv", "shortcut_norm")
            for part, (conv, norm) in parts.items():
                paths |= _conv_paths(f"{theirs}.{part}.0", ours, conv)
                paths |= _batch_norm_paths(f"{theirs}.{part}.1", ours, norm)
    return paths | _linear_paths("fc", "fc")


def _resnet50_paths() -> VariablePaths:
    return _backbone_paths() | _linear_paths("fc", "fc")


def common_name(name: str) -> str:
    """A tensor's name in the layouts' own terms, where ports of one network name it in several ways."""
    for theirs, ours in OTHER_I3D_NAMES:
        name = name.replace(theirs, ours)
    return name


def _i3d_paths() -> VariablePaths:
    """Names of the PyTorch port by A. Piergiovanni, `rgb_imagenet.pt`."""
    units = {name: name for name in STEM}
    units |= {f"{block}.{branch}": f"{block}/{branch}" for block in MIXED for branch in BRANCHES}
    paths = _linear_paths("logits.conv3d", "fc")
    for theirs, ours in units.items():
        modules = ("backbone", *ours.split("/"))
        paths |= _conv_paths(f"{theirs}.conv3d", *modules) | _batch_norm_paths(f"{theirs}.bn", *modules, "norm")
    return paths


def _pan_paths(variant: str) -> VariablePaths:
    paths = _backbone_paths("base_model.", first_conv="conv1.net")  # .net: the shift wraps the convolution
    if variant != "rgb":
        paths["PA.shallow_conv.weight"] = ("params", "pa", "conv", "kernel")
        paths["PA.shallow_conv.bias"] = ("params", "pa", "conv", "bias")
    paths |= _conv_paths("base_model.fc.TES.0", "vap", "tes1") | _conv_paths("base_model.fc.TES.2", "vap", "tes2")
    return paths | _linear_paths("base_model.fc.pred", "fc")


def _backbone_paths(prefix: str = "", *, first_conv: str = "conv1") -> VariablePaths:
    paths = _conv_paths(f"{prefix}conv1", "backbone", "conv1") | _batch_norm_paths(f"{prefix}bn1", "backbone", "norm1")
    for layer, num_blocks in RESNET50_BLOCKS.items():
        for block in range(num_blocks):
            ours, theirs = ("backbone", f"layer{layer}_{block}"), f"{prefix}layer{layer}.{block}"
            for number, conv in enumerate((first_conv, "conv2", "conv3"), start=1):
                paths |= _conv_paths(f"{theirs}.{conv}", *ours, f"conv{number}")
                paths |= _batch_norm_paths(f"{theirs}.bn{number}", *ours, f"norm{number}")
            if block == 0:
                paths |= _conv_paths(f"{theirs}.downsample.0", *ours, "shortcut_conv")
                paths |= _batch_norm_paths(f"{theirs}.downsample.1", *ours, "shortcut_norm")
    return paths


def _conv_paths(torch_name: str, *modules: str) -> VariablePaths:
    """Of a layer without bias."""
    return {f"{torch_name}.weight": ("params", *modules, "kernel")}


def _linear_paths(torch_name: str, *modules: str) -> VariablePaths:
    return _conv_paths(torch_name, *modules) | {f"{torch_name}.bias": ("params", *modules, "bias")}


def _batch_norm_paths(torch_name: str, *modules: str) -> VariablePaths:
    return {
        f"{torch_name}.weight": ("params", *modules, "scale"),
        f"{torch_name}.bias": ("params", *modules, "bias"),
        f"{torch_name}.running_mean": ("batch_stats", *modules, "mean"),
        f"{torch_name}.running_var": ("batch_stats", *modules, "var"),
    }


def _resnet3d18(tensors: Mapping[str, np.ndarray]) -> ResNet3D18:
    return ResNet3D18(num_classes=_length(tensors["fc.weight"]), width=_length(tensors["stem.0.weight"]))


def _i3d(tensors: Mapping[str, np.ndarray]) -> I3D:
    width = _length(tensors["Conv3d_1a_7x7.conv3d.weight"])
    return I3D(num_classes=_length(tensors["logits.conv3d.weight"]), width=width)


def _resnet50(tensors: Mapping[str, np.ndarray]) -> ResNet50:
    return ResNet50(num_classes=_length(tensors["fc.weight"]), width=_length(tensors["conv1.weight"]))


def _pan(tensors: Mapping[str, np.ndarray], variant: Variant) -> PAN:
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


def _clip(model: PAN) -> tuple[int, ...]:
    return (1, model.num_segments * model.frames_per_mask, 32, 32, 3)


def _length(tensor: np.ndarray) -> int:
    """Its first axis; 1 for a tensor without values, which then is reported for its shape."""
    return tensor.shape[0] if tensor.ndim and tensor.size else 1


LAYOUTS = {  # by architecture
    "resnet3d18": TorchLayout(_resnet3d18_paths(), _resnet3d18, lambda model: (1, 8, 16, 16, 3)),
    "i3d": TorchLayout(_i3d_paths(), _i3d, lambda model: (1, 8, 32, 32, 3)),
    "resnet50": TorchLayout(_resnet50_paths(), _resnet50, lambda model: (1, 32, 32, 3)),
    "pan": TorchLayout(_pan_paths("lite"), partial(_pan, variant="lite"), _clip),
    "pan_rgb": TorchLayout(_pan_paths("rgb"), partial(_pan, variant="rgb"), _clip),
    "pan_pa": TorchLayout(_pan_paths("pa"), partial(_pan, variant="pa"), _clip),
}


def recognise(tensors: Mapping[str, np.ndarray]) -> str | None:
    """The architecture that a state dict is of, as far as the tensors' names tell; None if they are of none.

    PAN-Lite and PAN-PA have the same names: three channels, the maps of four frames, are PAN-PA's.
    """

    def share(arch: str) -> float:
        names = LAYOUTS[arch].paths.keys()
        return len(names & tensors.keys()) / len(names | tensors.keys())

    best = max(LAYOUTS, key=share)
    kernel = tensors.get("base_model.conv1.weight")
    if best == "pan" and kernel is not None and kernel.ndim == 4 and kernel.shape[1] == 3:
        return "pan_pa"
    return best if share(best) > 0.5 else None
