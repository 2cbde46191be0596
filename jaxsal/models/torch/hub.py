"""What files beside the weights say of a network of the Hugging Face Hub."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.core.checks import check_choice, shown
from jaxsal.models.videomae import ACTIVATIONS

CONFIG, WEIGHTS = "config.json", "model.safetensors"
PREPROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json")
FORM = {"num_attention_heads": "num_heads", "layer_norm_eps": "epsilon", "hidden_act": "activation"}


class HubConfig(NamedTuple):
    """What a network is beside its weights.

    Attributes:
      form: Fields of its module that no tensor's shape tells.
      fields: How clips are cut and normalised, and the names of the classes: fields of a `NetworkSpec`.
    """

    form: dict[str, Any]
    fields: dict[str, Any]


def weights_file(source: str | Path) -> Path:
    """The file with the weights: `source` itself, or the one in a folder as the Hub has it."""
    inner = Path(source) / WEIGHTS
    return inner if is_hub_folder(source) else Path(source)


def is_hub_folder(source: str | Path) -> bool:
    """Whether a folder holds a config and weights under the Hub's names."""
    return all((Path(source) / name).is_file() for name in (CONFIG, WEIGHTS))


def read_hub_config(weights: str | Path) -> HubConfig:
    """Reads config.json and preprocessor_config.json beside a VideoMAE's weights; without them, nothing is said.

    Raises:
      ValueError: If a file is no JSON, or a field of it is not of the kind or size that it must be.
    """
    path = Path(weights).with_name(CONFIG)
    config = _read(path)
    if not config:
        return HubConfig({}, {})
    for name in ("num_frames", "num_attention_heads"):
        _check(path, name, config.get(name, 1), "a whole number from 1 to 65,535", _is_count(config.get(name, 1)))
    epsilon = config.get("layer_norm_eps", 1e-12)
    _check(path, "layer_norm_eps", epsilon, "a number in (0, 1)", isinstance(epsilon, float) and 0 < epsilon < 1)
    form = {ours: config[theirs] for theirs, ours in FORM.items() if theirs in config}
    check_choice("hidden_act", form.get("activation", "gelu"), tuple(ACTIVATIONS))
    names = config.get("id2label") or {}
    are_names = isinstance(names, dict) and all(n.isdecimal() and isinstance(names[n], str) for n in names)
    _check(path, "id2label", names, "a name for each class's number", are_names)
    fields: dict[str, Any] = {"num_frames": config["num_frames"]} if "num_frames" in config else {}
    if names:
        fields["classes"] = tuple(names[number] for number in sorted(names, key=int))
    if (size := _side(path, config, "image_size")) is not None:
        fields |= {"size": size, "crop": size}
    for name in PREPROCESSORS:
        fields |= _preprocessing(Path(weights).with_name(name))
    return HubConfig(form, fields)


def _preprocessing(path: Path) -> dict[str, Any]:
    config, fields = _read(path), {}
    for ours, theirs in (("mean", "image_mean"), ("std", "image_std")):
        if values := config.get(theirs):
            are_numbers = isinstance(values, list) and all(type(v) in (int, float) and abs(v) < 1e6 for v in values)
            _check(path, theirs, values, "a list of numbers", are_numbers)
            fields[ours] = tuple(values)
    sides = {"size": _side(path, config, "size"), "crop": _side(path, config, "crop_size")}
    return fields | {name: side for name, side in sides.items() if side is not None}


def _side(path: Path, config: Mapping[str, Any], name: str) -> int | None:
    """The shorter side of a size as the Hub's files write it: a number, a pair, or a mapping; None without one."""
    size: Any = config.get(name)
    if isinstance(size, Mapping):
        size = size.get("shortest_edge", size.get("height"))
    if isinstance(size, list) and size:
        size = size[0]
    _check(path, name, size, "a size of 1 to 65,535 pixels", size is None or _is_count(size))
    return size


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 2**16


def _check(path: Path, name: str, value: object, rule: str, holds: bool) -> None:
    if not holds:
        raise ValueError(f"`source` must have {rule} as {name} in its {path.name}; got {shown(value)} in {path}.")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`source` must have a JSON file {path.name} beside it; got {path} ({error}).") from error
    return content if isinstance(content, dict) else {}
