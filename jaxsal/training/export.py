"""A trained network as one program of JAX, which scores clips where jaxsal is not installed."""

import hashlib
from pathlib import Path
from typing import Any

import jax
import jax.export

from jaxsal.core.files import write_atomically, write_text
from jaxsal.core.locks import hold_folder
from jaxsal.core.origin import origin
from jaxsal.core.sealed import write_json
from jaxsal.recipes import Precision
from jaxsal.training import loader
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.networks import NetworkSpec

PLATFORMS = ("cpu", "cuda", "tpu")
PROGRAM, NETWORK, LOADER = "scores.stablehlo", "network.json", "loader.py"


def scoring_program(
    checkpoint: Checkpoint, platforms: tuple[str, ...] = PLATFORMS, precision: Precision = "float32"
) -> jax.export.Exported:
    """The network, its weights and its normalisation as one program for several platforms.

    It maps clips (B, T, H, W, C), float32 in [0, 1], to logits (B, K) for any B. Each platform has its own
    convolutions in it, those of `jaxsal.models.conv.convolution`.
    """
    spec = checkpoint.spec
    (batch,) = jax.export.symbolic_shape("B")
    shapes = clip_shapes(spec)
    clips = jax.tree.map(lambda shape: jax.ShapeDtypeStruct((batch, *shape), "float32"), shapes, is_leaf=_is_shape)
    classifier = spec.classifier(checkpoint.variables).with_precision(precision)
    return jax.export.export(jax.jit(jax.vmap(classifier)), platforms=platforms)(clips)


def clip_shapes(spec: NetworkSpec) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    """(T, H, W, C) of a clip; of a scene that of every spectrum, by name."""
    *size, _ = spec.clip_shape
    return {name: (*size, count) for name, count in spec.channels.items()} or spec.clip_shape


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple)


def export_network(checkpoint: Checkpoint, folder: str | Path, precision: Precision = "float32") -> dict[str, Any]:
    """Writes the program of a network, a description of it and a loader that needs JAX alone.

    The description is written last: a folder that has it is whole.

    Args:
      checkpoint: The network.
      folder: Where scores.stablehlo, network.json and loader.py go; an earlier export is replaced.
      precision: Of weights and activations; clips and logits are float32 with both.

    Returns:
      The fields of network.json.

    Raises:
      FolderInUseError: If another run holds the folder.
      OSError: If the files cannot be written.
    """
    spec, folder = checkpoint.spec, Path(folder)
    fields: dict[str, Any] = dict(
        clip=clip_shapes(spec),
        frames=spec.num_frames,
        mask=[spec.num_slices, spec.crop, spec.crop],
        value_range=[0.0, 1.0],
        classes=list(spec.classes),
        arch=spec.arch,
        spectra=spec.spectra,
        precision=precision,
        platforms=list(PLATFORMS),
        **origin(),
    )
    with hold_folder(folder, "exporting"):
        content = scoring_program(checkpoint, precision=precision).serialize()
        (folder / NETWORK).unlink(missing_ok=True)
        with write_atomically(folder / PROGRAM) as file:
            file.write(content)
        code = Path(loader.__file__).read_text(encoding="utf-8")
        write_text(folder / LOADER, code)
        fields["program_sha256"] = hashlib.sha256(content).hexdigest()
        fields["loader_sha256"] = hashlib.sha256(code.encode()).hexdigest()
        write_json(folder / NETWORK, fields)
    return fields
