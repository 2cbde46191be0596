"""Weights to start a training from: published ones in torch's files, or those of an earlier run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import PRNGKeyArray

from jaxsal.models import init_variables, pan_from_resnet50, variables_from_torch
from jaxsal.models.torch.files import read_tensors
from jaxsal.models.torch.weights import arch_from_torch
from jaxsal.training.checkpoint import open_checkpoint
from jaxsal.training.networks import NetworkSpec

HEAD = ("params", "fc")  # of every architecture: the layer whose size is the number of classes


def _as_it_is(spec: NetworkSpec, variables: Any, key: PRNGKeyArray) -> Any:
    return variables


def _pan_of_resnet50(spec: NetworkSpec, variables: Any, key: PRNGKeyArray) -> Any:
    model: Any = spec.model()
    return pan_from_resnet50(
        variables, len(spec.classes), variant=model.variant, num_segments=model.num_segments, key=key
    )


# By architecture: the kinds of torch files that it can start from, and what becomes of their variables.
SOURCES: dict[str, dict[str, Callable[[NetworkSpec, Any, PRNGKeyArray], Any]]] = {
    "resnet3d18": {"resnet3d18": _as_it_is},
    "pan": {"pan": _as_it_is, "resnet50": _pan_of_resnet50},
    "pan_rgb": {"pan_rgb": _as_it_is, "resnet50": _pan_of_resnet50},
    "pan_pa": {"pan_pa": _as_it_is, "resnet50": _pan_of_resnet50},
}


def starting_variables(spec: NetworkSpec, path: str | Path, *, seed: int = 0) -> dict:
    """Reads weights to start a training from; a head for other classes is replaced by a random one.

    Args:
      spec: What will be trained.
      path: A torch or safetensors file of the same network, for a PAN also one of ResNet-50; or the folder of a run.
      seed: Of the random parts.

    Returns:
      {"params": ..., "batch_stats": ...} of `spec.model()`.

    Raises:
      FileNotFoundError: If there is no such file or folder.
      ValueError: If the file cannot be read or its tensors are not those of such a network.
    """
    path = Path(path)
    key = jax.random.fold_in(jax.random.key(seed), 0)
    found = open_checkpoint(path).variables if path.is_dir() else _from_torch(spec, path, key)
    fresh = flatten_dict(init_variables(spec.model(), key, (1, *spec.clip_shape)))
    given = flatten_dict(found)
    if any(given[name].shape != fresh[name].shape for name in fresh if name[:2] == HEAD and name in given):
        given = {name: fresh[name] if name[:2] == HEAD else value for name, value in given.items()}
    wrong = sorted(
        "/".join(name)
        for name in fresh.keys() | given.keys()
        if name not in fresh or name not in given or fresh[name].shape != given[name].shape
    )
    if wrong:
        names = ", ".join(wrong[:4]) + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else "")
        raise ValueError(f"`init` must fit a {spec.arch} of width {spec.width}; got {path}, which differs in {names}.")
    return unflatten_dict(given)


def _from_torch(spec: NetworkSpec, path: Path, key: PRNGKeyArray) -> Any:
    tensors = read_tensors(path)
    kinds, found = SOURCES[spec.arch], arch_from_torch(tensors)
    kind = found if found in kinds else spec.arch
    return kinds[kind](spec, variables_from_torch(kind, tensors), key)
