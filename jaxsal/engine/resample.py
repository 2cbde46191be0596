"""Linear resampling, one small matrix per axis: exact, differentiable, and cheap for masks and maps.

Three alignments are in use in the field and differ by fractions of a voxel:

- "corners": output index i reads source coordinate i (n_in - 1) / (n_out - 1); corner goes to corner.
  PyTorch's `align_corners=True`, the study's choice for every map and mask.
- "centers": coordinate (i + 1/2) n_in / n_out - 1/2, clamped at the borders. PyTorch's default and
  that of `jax.image.resize` without antialiasing.
- "mirror": as "centers", but a coordinate outside the source is mirrored about the centre of the border
  voxel, so the outer half cell mixes in the second node. skimage's `resize(order=1, mode="reflect")`,
  which the official RISE and SIDU code calls.

None of them antialiases.
"""

from collections.abc import Sequence
from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsal.core.resize import linear_weights
from jaxsal.recipes import Alignment

ALIGNMENTS: tuple[str, ...] = get_args(Alignment)


def linear_matrix(num_in: int, num_out: int, alignment: Alignment = "corners") -> Float[np.ndarray, "num_out num_in"]:
    """The matrix that resamples `num_in` values linearly to `num_out`.

    Args:
      num_in: Length of the source axis.
      num_out: Length of the result.
      alignment: "corners", "centers" or "mirror", see the module's text.

    Returns:
      Rows that sum to 1, with at most two entries that are not 0.

    Raises:
      ValueError: If a length is below 1 or the alignment is unknown.
    """
    if num_in < 1 or num_out < 1:
        raise ValueError(f"`num_in` and `num_out` must be at least 1; got {num_in} and {num_out}.")
    if alignment not in ALIGNMENTS:
        raise ValueError(f"`alignment` must be one of {ALIGNMENTS}; got {alignment!r}.")
    index = np.arange(num_out)
    if alignment == "corners":
        coordinate = index * ((num_in - 1) / max(num_out - 1, 1))
    else:
        coordinate = (index + 0.5) * (num_in / num_out) - 0.5
    if alignment == "mirror":
        last = num_in - 1
        coordinate = last - np.abs(last - np.abs(coordinate))
    return linear_weights(np.clip(coordinate, 0, num_in - 1), num_in).astype(np.float32)


def stretch(
    values: Float[Array, "..."], matrices: Sequence[Float[Array, "_ _"] | Float[np.ndarray, "_ _"]]
) -> Float[Array, "..."]:
    """Applies matrix i (n_out, n_in) to axis i of `values`; further axes are left as they are.

    Float32 products even where the accelerator's default is lower.
    """
    for axis, matrix in enumerate(matrices):
        moved = jnp.tensordot(
            jnp.asarray(matrix, values.dtype), values, axes=(1, axis), precision=jax.lax.Precision.HIGHEST
        )
        values = jnp.moveaxis(moved, 0, axis)
    return values


def resample(
    values: Float[Array, "..."], shape: Sequence[int], alignment: Alignment = "corners"
) -> Float[Array, "..."]:
    """Resamples the leading axes of `values` linearly to `shape`; further axes are left as they are.

    Args:
      values: An array of at least `len(shape)` axes.
      shape: New lengths of the leading axes.
      alignment: "corners", "centers" or "mirror", see the module's text.

    Returns:
      The resampled array; an axis that keeps its length keeps its values.
    """
    matrices = [linear_matrix(n, m, alignment) for n, m in zip(values.shape, shape, strict=False)]
    return stretch(values, matrices)


@partial(jax.jit, static_argnames=("factor", "time"))
def degrade(clip: Float[Array, "T H W C"], factor: int, *, time: bool = True) -> Float[Array, "T H W C"]:
    """A clip down to 1 / `factor` of its size and back, by plain linear point sampling (the study's blur).

    Sizes are floor(n / factor), at least 1, where a single sample is the first one.

    Args:
      clip: The clip.
      factor: How much smaller each axis gets in between, at least 1.
      time: Whether the time axis is degraded too.

    Raises:
      ValueError: If `factor` is below 1.
    """
    if factor < 1:
        raise ValueError(f"`factor` must be at least 1; got {factor}.")
    num_frames, height, width = clip.shape[:3]
    small = [max(int(n * (1 / factor)), 1) for n in (num_frames, height, width)]
    if not time:
        small[0] = num_frames
    return resample(resample(clip, small), (num_frames, height, width))
