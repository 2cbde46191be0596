"""Weights from and to torch: layouts of published checkpoints. Nothing else knows torch's layouts."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxsal.core.checks import hint
from jaxsal.models.torch.files import read_tensors
from jaxsal.models.torch.names import LAYOUTS, TorchLayout, VariablePath, common_name, recognise

NUM_SHOWN = 4  # tensors that a short message names
OUTER_KEYS = ("state_dict", "model_state_dict", "model")

# Axes of torch's tensors in our order, by their number: 3-D kernel (D, C, t, h, w), 2-D kernel (D, C, h, w),
# linear (D, C), vector.
AXES = {5: (2, 3, 4, 1, 0), 4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}


class StateDictError(ValueError):
    """Tensors are not those of a network; `short` is the message with the first few of them."""

    def __init__(self, arch: str, found: str | None, problems: list[str]):
        self.short = self._message(arch, found, problems[:NUM_SHOWN], len(problems) - NUM_SHOWN)
        super().__init__(self._message(arch, found, problems))

    @staticmethod
    def _message(arch: str, found: str | None, problems: list[str], num_more: int = 0) -> str:
        hint = " (a PAN starts from it with --from-resnet50)" if found == "resnet50" else ""
        other = f"the names of {found}{hint}: " if found not in (arch, None) else ""
        more = f"; and {num_more} more" if num_more > 0 else ""
        return f"`state_dict` must be a checkpoint of {arch}; got {other}{'; '.join(problems)}{more}."


def load_torch(arch: str, path: str | Path) -> dict:
    """Reads a network's variables from a torch or safetensors file; torch is not needed.

    Args:
      arch: As in `variables_from_torch`.
      path: A `.pth`, `.pt`, `.pth.tar` or `.safetensors` file.

    Returns:
      {"params": ..., "batch_stats": ...}.

    Raises:
      ValueError: As `read_tensors` and `variables_from_torch`.
    """
    _layout(arch)
    return variables_from_torch(arch, read_tensors(path))


def variables_from_torch(arch: str, state_dict: Mapping[str, Any]) -> dict:
    """Turns a torch state dict into the variables of this project's network.

    Width, number of classes, segments and frames of a segment follow from the shapes. The state dict may lie under
    an outer key ("state_dict", "model_state_dict", "model"), its names may start with "module.", and
    `num_batches_tracked` is not needed.

    Args:
      arch: "resnet3d18", torchvision's `r3d_18`; "i3d", the ports of I3D by A. Piergiovanni (`rgb_imagenet.pt`) and
        Y. Hasson; "resnet50", torchvision's; "pan", "pan_rgb" or "pan_pa", the Lite, RGB and PA forms of PAN as
        their authors publish them.
      state_dict: Torch name to array, in torch's layout.

    Returns:
      {"params": ..., "batch_stats": ...}, float32.

    Raises:
      ValueError: If `arch` is unknown, or tensors are missing, surplus or of another shape than the network's
        (`StateDictError`); the message says which network they are of, if of another, and names them all.
    """
    layout = _layout(arch)
    tensors = _tensors(state_dict)
    problems = [f"missing {name}" for name in layout.paths if name not in tensors]
    problems += [f"surplus {name}" for name in tensors if name not in layout.paths]
    problems += _shape_problems(layout, tensors)
    if problems:
        raise StateDictError(arch, recognise(tensors), problems)
    arrays = {path: _from_torch(tensors[name]).astype(np.float32) for name, path in layout.paths.items()}
    return unflatten_dict(jax.device_put(arrays))


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
    paths, flat = _layout(arch).paths, flatten_dict(variables)
    differing = sorted("/".join(path) for path in set(flat) ^ set(paths.values()))
    if differing:
        raise ValueError(f"`variables` must be those of {arch}; got a difference in {', '.join(differing)}.")
    return {name: _to_torch(np.asarray(flat[path])) for name, path in paths.items()}


def model_from_torch(arch: str, state_dict: Mapping[str, Any]) -> nn.Module:
    """The network that a state dict is of; width, number of classes and form are told by the tensors' shapes.

    Args:
      arch: As in `variables_from_torch`.
      state_dict: One that `variables_from_torch` takes.
    """
    return _layout(arch).model(_tensors(state_dict))


def arch_from_torch(state_dict: Mapping[str, Any]) -> str | None:
    """The architecture that a state dict is of, by its tensors' names; None if they are of none."""
    return recognise(_tensors(state_dict))


def _layout(arch: str) -> TorchLayout:
    if arch not in LAYOUTS:
        raise ValueError(f"`arch` must be one of {', '.join(LAYOUTS)}; got {arch!r}.{hint(arch, LAYOUTS)}")
    return LAYOUTS[arch]


def _tensors(state_dict: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The bare state dict: without outer key, prefix and step counters."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"`state_dict` must map names to arrays; got {type(state_dict).__name__}.")
    for key in OUTER_KEYS:
        if isinstance(state_dict.get(key), Mapping):
            return _tensors(state_dict[key])
    named = {common_name(str(name).removeprefix("module.")): value for name, value in state_dict.items()}
    return {name: np.asarray(value) for name, value in named.items() if not name.endswith("num_batches_tracked")}


def _shape_problems(layout: TorchLayout, tensors: Mapping[str, np.ndarray]) -> list[str]:
    try:
        model = layout.model(tensors)
    except KeyError:
        return []  # a tensor that tells the width is missing, and is named for that
    expected = _shapes(model, layout.input_shape(model))
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
