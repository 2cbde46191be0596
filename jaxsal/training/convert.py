"""Trained weights from PyTorch's files, to a checkpoint or to start a training from, and from a checkpoint back."""

import dataclasses
import json
from pathlib import Path
from typing import Any, TypedDict, Unpack

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import PRNGKeyArray

from jaxsal.core.checks import check_choice, check_seed
from jaxsal.core.locks import hold_folder
from jaxsal.core.origin import origin
from jaxsal.datasets.channels import usual_normalization
from jaxsal.models import PAN, VideoMAE, init_variables, pan_from_resnet50, variables_from_torch
from jaxsal.models.pretrained import kinetics400_classes
from jaxsal.models.torch.files import read_metadata, read_tensors
from jaxsal.models.torch.hub import read_hub_config, weights_file
from jaxsal.models.torch.state_dict import bare_state_dict
from jaxsal.models.torch.weights import model_from_torch, network_variables
from jaxsal.training.checkpoint import (
    Checkpoint,
    Variables,
    latest_step,
    open_checkpoint,
    open_manager,
    save_checkpoint,
)
from jaxsal.training.networks import NETWORKS, NetworkSpec
from jaxsal.training.options import FrameChoice

HEAD = ("params", "fc")  # of every architecture: the layer whose size is the number of classes


class SpecChoices(TypedDict, total=False):
    """Fields of `NetworkSpec` that a file may leave open, for an editor and a type checker."""

    spectra: str
    width: int
    num_frames: int
    stride: int
    frames: FrameChoice
    size: int
    crop: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def checkpoint_from_torch(
    source: str | Path,
    *,
    arch: str | None = None,
    entry: str | None = None,
    classes: tuple[str, ...] | None = None,
    from_resnet50: bool = False,
    seed: int = 0,
    **spec: Unpack[SpecChoices],
) -> Checkpoint:
    """Reads a trained network from a torch or safetensors file; torch is not needed.

    Args:
      source: A `.pth`, `.pt`, `.pth.tar` or `.safetensors` file with the names of torchvision, of PAN's authors, or of
        a VideoMAE of the Hugging Face Hub, whose `config.json` beside it is read; or the Hub's folder with both.
      arch: What the network is, a key of `jaxsal.training.networks.NETWORKS`; told by the tensors' names if None.
      entry: Where in the file the network is, such as "teacher", if the file holds several.
      classes: Names of the classes, in the order of the logits. If None, the names that `write_for_torch` noted in the
        file, those of Kinetics-400 for 400 classes, or "class-0" and so on.
      from_resnet50: Whether `source` is a ResNet-50 that a PAN of `classes` is to start from; the PAN's head and
        PA module are drawn anew and know nothing yet.
      seed: Of those new parts.
      **spec: Further fields of `NetworkSpec`: how clips are cut and normalised for the weights. What is left out is
        as `write_for_torch` noted it in the file, or `NetworkSpec`'s default.

    Returns:
      The network at step 0. Its origin says under "taken" what was taken off the names or left out.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is damaged or holds more than tensors, if a weight is NaN or infinite, if tensors are
        missing, surplus or of a wrong shape (the message names them), or if the classes or another field do not fit
        the network.
    """
    source = weights_file(source)
    saved, noted = read_tensors(source), {} if from_resnet50 else _noted_fields(source)
    if arch is not None:
        check_choice("arch", arch, tuple(NETWORKS))
    check_seed(seed)
    stored = "resnet50" if from_resnet50 else arch or noted.get("arch")
    held = bare_state_dict(saved, stored, entry)
    told = held.arch if held.arch in NETWORKS else "resnet3d18"  # what errors are told against
    arch = arch or ("pan" if from_resnet50 else noted.get("arch") or told)
    if from_resnet50 and not (NETWORKS[arch].from_resnet50 and classes):
        raise ValueError(f"`from_resnet50` must come with a PAN and its classes; got {arch} and {classes}.")
    stored = stored or arch
    variables = network_variables(stored, held)
    model, channels = model_from_torch(stored, held)
    if isinstance(model, VideoMAE):
        config = read_hub_config(source)
        model, noted = model.clone(**(dict(noted.get("form", ())) or config.form)), config.fields | noted
    classes = classes or noted.get("classes") or _class_names(model.num_classes)
    usual = {"num_frames": _num_frames(arch, model), **usual_normalization(channels), **NETWORKS[arch].published}
    form = tuple((name, getattr(model, name)) for name in NETWORKS[arch].form)
    fields = usual | noted | {"width": model.width, "form": form} | dict(spec)
    network = NetworkSpec(**(fields | {"classes": classes, "arch": arch}))
    if from_resnet50:
        variables = _pan_variables(network, variables, jax.random.key(seed))
    elif len(classes) != model.num_classes:
        raise ValueError(f"`classes` must be {model.num_classes}, one for each logit; got {len(classes)}: {classes}.")
    elif model != network.model():
        raise ValueError(f"`source` must hold the network {network.model()}; got {model}.")
    elif len(network.mean) != channels:
        raise ValueError(f"`mean` must have {channels} values, one for each channel of a clip; got {network.mean}.")
    return Checkpoint(network, variables, 0, None, origin(converted_from=Path(source).name, taken=list(held.notes)))


def _num_frames(arch: str, model: nn.Module) -> int:
    """The frames of a clip: as many as a PAN's segments have, the published network's for others."""
    return model.num_segments * model.frames_per_mask if isinstance(model, PAN) else NETWORKS[arch].num_frames


def _class_names(num_classes: int) -> tuple[str, ...]:
    """Names where a file has none: those of Kinetics-400 for 400 classes, "class-0" and so on for others."""
    names = kinetics400_classes()
    return names if num_classes == len(names) else tuple(f"class-{number}" for number in range(num_classes))


def _noted_fields(source: str | Path) -> dict[str, Any]:
    """The fields of a `NetworkSpec` that `write_for_torch` noted in a file; none in a file of another program."""
    metadata = read_metadata(source)
    names = [field.name for field in dataclasses.fields(NetworkSpec) if field.name in metadata]
    if not {"classes", "arch", "mean", "std"} <= set(names):
        return {}
    values = {name: json.loads(metadata[name]) for name in names}
    return {name: getattr(NetworkSpec.from_json(values), name) for name in names}


def starting_variables(spec: NetworkSpec, path: str | Path, *, seed: int = 0) -> Variables:
    """Reads weights to start a training from; a head for other classes is replaced by a random one.

    Args:
      spec: What will be trained.
      path: A torch or safetensors file of the same network, for a PAN also one of ResNet-50; or the folder of a run.
      seed: Of the random parts.

    Raises:
      FileNotFoundError: If there is no such file or folder.
      ValueError: If the file cannot be read or its tensors are not those of such a network.
    """
    check_seed(seed)
    path, key = Path(path), jax.random.fold_in(jax.random.key(seed), 0)
    read = open_checkpoint(path).variables if path.is_dir() else _variables_from_torch(spec, path, key)
    return with_fitting_head(spec, read, key, source=path)


def with_fitting_head(
    spec: NetworkSpec, read: Variables, key: PRNGKeyArray, *, source: str | Path, keep: bool = True
) -> Variables:
    """Weights of a network for a spec of other classes: all but the head, which is drawn anew.

    Args:
      spec: What the weights are for.
      read: The weights of a network like it.
      key: Of the new head.
      source: Where they are from, for the message.
      keep: Whether a head for as many classes is kept.

    Raises:
      ValueError: If they are not those of such a network.
    """
    fresh = flatten_dict(init_variables(spec.model(), key, spec.batch_shape))
    given = flatten_dict(read)
    head = [name for name in fresh.keys() & given.keys() if _is_of_head(name)]
    if not keep or any(given[name].shape != fresh[name].shape for name in head):
        given |= {name: fresh[name] for name in head}
    wrong = sorted(
        "/".join(name)
        for name in fresh.keys() | given.keys()
        if name not in fresh or name not in given or fresh[name].shape != given[name].shape
    )
    if wrong:
        names = ", ".join(wrong[:4]) + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else "")
        raise ValueError(
            f"`init` must fit a {spec.arch} of width {spec.width}; got {source}, which differs in {names}."
        )
    return unflatten_dict(given)


def _is_of_head(name: tuple[str, ...]) -> bool:
    """Whether a weight is of the last layer; fused networks have theirs in one of their modules."""
    return name[:1] == HEAD[:1] and HEAD[1] in name[1:3]


def _variables_from_torch(spec: NetworkSpec, path: Path, key: PRNGKeyArray) -> Variables:
    saved = read_tensors(path)
    if NETWORKS[spec.arch].from_resnet50 and bare_state_dict(saved).arch == "resnet50":
        return _pan_variables(spec, variables_from_torch("resnet50", saved), key)
    return variables_from_torch(spec.arch, saved)


def _pan_variables(spec: NetworkSpec, resnet50: Variables, key: PRNGKeyArray) -> Variables:
    model = spec.model()
    assert isinstance(model, PAN)
    num_segments, variant = model.num_segments, model.variant
    return pan_from_resnet50(resnet50, len(spec.classes), variant=variant, num_segments=num_segments, key=key)


def save_as_run(checkpoint: Checkpoint, directory: str | Path) -> None:
    """Writes a checkpoint where `jaxsal explain` and `evaluate` look for the one of a run.

    Raises:
      ValueError: If the folder holds one already.
    """
    inner = Path(directory) / "checkpoints"
    with hold_folder(directory, "converting"):
        if latest_step(inner) is not None:
            raise ValueError(f"`output` must be a folder without a checkpoint; got {directory}.")
        with open_manager(inner) as manager:
            save_checkpoint(manager, checkpoint)
