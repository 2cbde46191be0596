"""Loads the scoring program that `jaxsal export` wrote beside this file: needs JAX and flatbuffers, not jaxsal."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
from jax.typing import ArrayLike

Clip = ArrayLike | dict[str, ArrayLike]


class Exported:
    """A classifier as one compiled program.

    Attributes:
      network: The fields of network.json: shapes of a clip and of a mask, classes, range of values, versions.
      logits: Maps clips (B, T, H, W, C), float32 in [0, 1], or those of each spectrum by name, to logits (B, K).
    """

    def __init__(self, folder: str | Path):
        self.network = _network(Path(folder, "network.json"))
        _checked(Path(folder, "loader.py"), self.network.get("loader_sha256"))
        content = _checked(Path(folder, "scores.stablehlo"), self.network["program_sha256"])
        self.logits = jax.jit(jax.export.deserialize(bytearray(content)).call)

    def score(self, clip: Clip, masks: ArrayLike, baseline: Clip) -> jax.Array:
        """Logits (B, K) of clip * m + baseline * (1 - m) for masks m (B, T', H, W) in [0, 1]; T' divides T."""
        masks = jnp.asarray(masks, "float32")
        kept = jnp.repeat(masks, self.network["frames"] // masks.shape[1], axis=1)[..., None]
        return self.logits(jax.tree.map(lambda values, other: values * kept + other * (1 - kept), clip, baseline))


def _checked(path: Path, digest: str | None) -> bytes:
    """The bytes of a file that has its checksum; exports of before the loader had one lack it."""
    content = path.read_bytes()
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path} is damaged: it does not have its checksum. Run `jaxsal export` again.")
    return content


def _network(path: Path) -> dict[str, Any]:
    """The fields of network.json, whose checksum is that of the other fields."""
    try:
        fields = json.loads(path.read_bytes())
        seal = fields.pop("sha256")
        if seal == hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest():
            return fields
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        pass
    raise ValueError(f"{path} is damaged: it does not have its checksum. Run `jaxsal export` again.")


def load_exported(folder: str | Path) -> Exported:
    """Opens the program in a folder of `jaxsal export`; it runs on the platforms that network.json names.

    Raises:
      FileNotFoundError: If a file is missing.
      ValueError: If one of the three is damaged.
    """
    return Exported(folder)
