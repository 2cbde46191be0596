"""A checkpoint's variables as a file that PyTorch loads."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from jaxsal.core.files import write_atomically
from jaxsal.models import variables_to_torch
from jaxsal.training.checkpoint import Checkpoint


def write_for_torch(checkpoint: Checkpoint, path: str | Path) -> dict[str, np.ndarray]:
    """Writes a network's weights to a safetensors file that its PyTorch original loads strictly.

    Args:
      checkpoint: The network.
      path: A `.safetensors` file; its metadata holds the fields of the checkpoint's `NetworkSpec` as JSON, which
        `checkpoint_from_torch` reads back.

    Returns:
      The state dict that was written, torch name to array.

    Raises:
      ValueError: If the file's name has another suffix.
    """
    from safetensors.numpy import save

    if Path(path).suffix != ".safetensors":
        raise ValueError(f"`output` must be a .safetensors file; got {path}.")
    state_dict = variables_to_torch(checkpoint.spec.arch, checkpoint.variables)
    fields = dataclasses.asdict(checkpoint.spec)
    metadata = {"format": "pt"} | {name: json.dumps(value) for name, value in fields.items()}
    with write_atomically(path) as file:
        file.write(_in_order(save(state_dict, metadata)))
    return state_dict


def _in_order(content: bytes) -> bytes:
    """A safetensors file with the metadata by name; the library writes them in another order each time."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]
