"""The matrix by which every linear resizing of the package is done: of frames, of crops, of masks and maps."""

from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Float

AnyArray = TypeVar("AnyArray", np.ndarray, jax.Array)


def linear_weights(
    centres: Float[AnyArray, " new_size"],
    size: int,
    *,
    support: float | Float[AnyArray, ""] = 1.0,
    start: int | Float[AnyArray, ""] = 0,
    length: int | Float[AnyArray, ""] | None = None,
) -> Float[AnyArray, "new_size size"]:
    """The matrix that reads an axis at some coordinates, weighing its values with triangles.

    w(i, j) ~ max(0, 1 - |j - centre_i| / support) for start <= j < start + length, else 0; each row sums to 1.

    Args:
      centres: Where to read, in units of the axis's indices; of NumPy or JAX, as the result is then.
      size: Of the axis.
      support: Half the width of a triangle: 1 interpolates between neighbours, the factor of a reduction antialiases.
      start: First index of the part that is looked at; may be traced.
      length: Of the part; may be traced. The whole axis is looked at if None.
    """
    xp = centres.__array_namespace__()
    nodes = xp.arange(size, dtype=centres.dtype)
    weights = xp.maximum(1 - xp.abs(nodes - centres[:, None]) / support, 0)
    if length is not None:
        weights = xp.where((nodes >= start) & (nodes < start + length), weights, 0)
    return weights / weights.sum(axis=1, keepdims=True)
