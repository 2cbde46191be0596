"""Weights from and to torch: layouts of published checkpoints. Nothing else knows torch's layouts."""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxsal.core.checks import hint
from jaxsal.core.kinds import check_kinds
from jaxsal.models.torch.files import NUM_SHOWN, Tensors, read_tensors
from jaxsal.models.torch.layouts import LAYOUTS, TorchLayout, layout_of
from jaxsal.models.torch.names import VariablePath
from jaxsal.models.torch.state_dict import StateDict, bare_state_dict

SAVES_WEIGHTS = "torch.save(model.state_dict(), 'weights.pth')"

# Axes of torch's tensors in our order, by their number: 3-D kernel (D, C, t, h, w), 2-D kernel (D, C, h, w),
# linear (D, C), vector.
AXES = {5: (2, 3, 4, 1, 0), 4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}


class StateDictError(ValueError):
    """Tensors are not those of a network; `short` is the message with the first few of each kind.

    Args:
      arch: The network that was asked for.
      other: The network that they are of instead, if of a known one.
      problems: By kind, "missing", "surplus" and "shape": what is said of each tensor.
    """

    def __init__(self, arch: str, other: str | None, problems: Mapping[str, list[str]]):
        self.short = self._message(arch, other, [kind[:NUM_SHOWN] for kind in problems.values()], problems)
        super().__init__(self._message(arch, other, list(problems.values()), problems))

    @staticmethod
    def _message(arch: str, other: str | None, shown: list[list[str]], problems: Mapping[str, list[str]]) -> str:
        hint = " (a PAN starts from it with --from-resnet50)" if other == "resnet50" else ""
        of_other = f"the names of {other}{hint}: " if other not in (arch, None) else ""
        parts = []
        for (kind, every), few in zip(problems.items(), shown, strict=True):
            more = f"{len(every) - len(few)} more {kind}" if len(every) > len(few) else ""
            parts += [*few, more] if more else few
        line = "" if other else " This line of Python saves a network's weights alone: " + SAVES_WEIGHTS
        return f"`state_dict` must be a checkpoint of {arch}; got {of_other}{'; '.join(parts)}.{line}"


@check_kinds
def load_torch(arch: str, path: str | Path, *, entry: str | None = None) -> dict:
    """Reads a network's variables from a torch or safetensors file; torch is not needed.

    Args:
      arch: As in `variables_from_torch`.
      path: A `.pth`, `.pt`, `.pth.tar`, `.ckpt` or `.safetensors` file.
      entry: As in `variables_from_torch`.

    Returns:
      {"params": ..., "batch_stats": ...}.

    Raises:
      ValueError: As `read_tensors` and `variables_from_torch`.
    """
    _layout(arch)
    return variables_from_torch(arch, read_tensors(path), entry=entry)


@check_kinds
def variables_from_torch(arch: str, state_dict: Mapping[str, Any], *, entry: str | None = None) -> dict:
    """Turns a torch state dict into the variables of this project's network.

    Width, number of classes, channels, segments and frames of a segment follow from the shapes. The state dict may
    lie under keys of a checkpoint and its names may share a prefix, such as Lightning's; its head may be the one
    linear layer of another name, such as "fc.1" after dropout; and counters such as `num_batches_tracked` are not
    needed.

    Args:
      arch: "resnet3d18", torchvision's `r3d_18`; "mc3_18" or "r2plus1d_18", torchvision's; "i3d", the ports of I3D by
        A. Piergiovanni (`rgb_imagenet.pt`) and Y. Hasson; "videomae", Hugging Face's
        `VideoMAEForVideoClassification`; "resnet50", torchvision's; "pan", "pan_rgb" or "pan_pa",
        the Lite, RGB and PA forms of PAN as their authors publish them.
      state_dict: Torch name to array, in torch's layout; or what a checkpoint holds it in.
      entry: Where in the checkpoint the network is, such as "teacher", if it holds several. Of a network and its
        moving average, the average is taken if None.

    Returns:
      {"params": ..., "batch_stats": ...}, float32.

    Raises:
      ValueError: If `arch` is unknown, there are several networks, a weight is NaN or infinite, or tensors are
        missing, surplus or of another shape than the network's (`StateDictError`); the message says which network
        they are of, if of another, and names them all.
    """
    _layout(arch)
    return network_variables(arch, bare_state_dict(state_dict, arch, entry))


def network_variables(arch: str, found: StateDict) -> dict:
    """As `variables_from_torch`, of a state dict that was found; errors as there, of its tensors."""
    layout, tensors = _layout(arch, found.tensors), found.tensors
    problems = {
        "missing": [f"missing {name}" for name in layout.paths if name not in tensors],
        "surplus": [f"surplus {name}" for name in tensors if name not in layout.paths],
        "of another shape": _shape_problems(layout, tensors),
    }
    if any(problems.values()):
        raise StateDictError(arch, found.arch or bare_state_dict(tensors).arch, problems)
    arrays = {path: _from_torch(tensors[name]).astype(np.float32) for name, path in layout.paths.items()}
    for name, path in layout.paths.items():
        if not np.isfinite(arrays[path]).all():
            count, size = int((~np.isfinite(arrays[path])).sum()), arrays[path].size
            raise ValueError(f"`state_dict` must hold finite weights; got {count} NaN or infinite of {size} in {name}.")
    return unflatten_dict(jax.device_put(arrays))


@check_kinds
def variables_to_torch(arch: str, variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Turns variables into a state dict that torch's `load_state_dict` accepts; undoes `variables_from_torch`.

    Args:
      arch: As in `variables_from_torch`.
      variables: {"params": ..., "batch_stats": ...}.

    Returns:
      Torch name to array, in torch's layout; without `num_batches_tracked`.

    Raises:
      ValueError: If `arch` is unknown or the variables are not those of its network.
    """
    flat = flatten_dict(variables)
    paths = _layout(arch, ["/".join(path[1:]) for path in flat]).paths
    differing = sorted("/".join(path) for path in set(flat) ^ set(paths.values()))
    if differing:
        raise ValueError(f"`variables` must be those of {arch}; got a difference in {', '.join(differing)}.")
    return {name: _to_torch(np.asarray(flat[path])) for name, path in paths.items()}


def model_from_torch(arch: str, found: StateDict) -> tuple[nn.Module, int]:
    """The network that a state dict is of, and the channels of its clips; both are told by the tensors' shapes.

    Args:
      arch: As in `variables_from_torch`.
      found: One that `network_variables` takes.
    """
    layout = _layout(arch, found.tensors)
    return layout.model(found.tensors), layout.num_channels(found.tensors)


def _layout(arch: str, names: Collection[str] = ()) -> TorchLayout:
    if arch not in LAYOUTS:
        raise ValueError(f"`arch` must be one of {', '.join(LAYOUTS)}; got {arch!r}.{hint(arch, LAYOUTS)}")
    return layout_of(arch, names)


def _shape_problems(layout: TorchLayout, tensors: Tensors) -> list[str]:
    try:
        model, channels = layout.model(tensors), layout.num_channels(tensors)
    except KeyError:
        return []  # a tensor that tells the width is missing, and is named for that
    expected = _shapes(model, layout.input_shape(model, channels))
    problems = []
    for name, path in layout.paths.items():
        shape = _torch_shape(expected[path])
        if name in tensors and tensors[name].shape != shape:
            problems.append(f"{name} of shape {tensors[name].shape} instead of {shape}")
    return problems


@cache
def _shapes(model: nn.Module, input_shape: tuple[int, ...]) -> dict[VariablePath, tuple[int, ...]]:
    """Of a network's variables, by path; its forward pass is traced once for all checkpoints of one shape."""
    variables = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(input_shape, jnp.float32))
    return {path: leaf.shape for path, leaf in flatten_dict(variables).items()}


def _from_torch(tensor: np.ndarray) -> np.ndarray:
    return tensor.transpose(AXES[tensor.ndim])


def _to_torch(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array.transpose(np.argsort(AXES[array.ndim])))


def _torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in np.argsort(AXES[len(shape)]))
