"""What files beside the weights say of a network of the Hugging Face Hub."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.core.checks import check_choice
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
      ValueError: If a file is no JSON, or names a function between layers that is not known.
    """
    config = _read(Path(weights).with_name(CONFIG))
    if not config:
        return HubConfig({}, {})
    form = {ours: config[theirs] for theirs, ours in FORM.items() if theirs in config}
    check_choice("hidden_act", form.get("activation", "gelu"), tuple(ACTIVATIONS))
    names = config.get("id2label", {})
    fields: dict[str, Any] = {"num_frames": config["num_frames"]} if "num_frames" in config else {}
    if names:
        fields["classes"] = tuple(names[number] for number in sorted(names, key=int))
    size = _side(config.get("image_size"))
    fields |= {"size": size, "crop": size} if size else {}
    for name in PREPROCESSORS:
        fields |= _preprocessing(_read(Path(weights).with_name(name)))
    return HubConfig(form, fields)


def _preprocessing(config: Mapping[str, Any]) -> dict[str, Any]:
    given = {"mean": config.get("image_mean"), "std": config.get("image_std")}
    fields: dict[str, Any] = {name: tuple(values) for name, values in given.items() if values}
    sides = {"size": _side(config.get("size")), "crop": _side(config.get("crop_size"))}
    return fields | {name: side for name, side in sides.items() if side}


def _side(size: object) -> int | None:
    """The shorter side of a size as the Hub's files write it: a number, a pair, or a mapping."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge", size.get("height"))
    if isinstance(size, list | tuple):
        size = size[0]
    return size if isinstance(size, int) else None


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"`source` must have a JSON file {path.name} beside it; got {path} ({error}).") from error
    return content if isinstance(content, dict) else {}
