"""RISE masks of any grid by one compiled program: sizes of grids and cells are data, padded to the largest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxsal.engine.masks import FrameSlices, RiseMasks


class Padding(NamedTuple):
    """The largest grid and the longest stretched axes of several families: (s_t, s_h, s_w) and (rows per axis)."""

    grid_shape: tuple[int, int, int]
    lengths: tuple[int, int, int]


def common_padding(families: Sequence[RiseMasks]) -> Padding:
    """The least padding that all families fit into."""
    grids = np.max([family.grid_shape for family in families], axis=0)
    lengths = np.max([[len(matrix) for matrix in family.stretch_matrices()] for family in families], axis=0)
    return Padding(tuple(grids.tolist()), tuple(lengths.tolist()))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PaddedRiseMasks:
    """The masks of a `RiseMasks`, number by number, at the clip's frames; only the padding shapes the program.

    Attributes:
      key: The family's key.
      num_masks: N.
      keep_prob: Chance of keeping a cell.
      grid_shape: Cells per axis.
      cell: Voxels per cell, per axis.
      rows: The mask frame that each frame of the clip reads, (T,).
      matrices: Per axis, from grid cells to the stretched grid, zero beyond the family's own.
      shape: (T, H, W).
    """

    key: PRNGKeyArray
    num_masks: int | Int[Array, ""]
    keep_prob: float | Float[Array, ""]
    grid_shape: Int[Array, "3"]
    cell: Int[Array, "3"]
    rows: Int[Array, " T"]
    matrices: tuple[Float[Array, "_ _"], ...]
    shape: tuple[int, int, int] = field(metadata=dict(static=True))

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "T H W"]:
        """Mask `mask_id`: as `RiseMasks` draws and stretches it.

        Entry (i, j, k) of a grid is draw number (i s_h + j) s_w + k of the grid's key, whatever the padding.
        """
        grid_key, offset_key = jax.random.split(jax.random.fold_in(self.key, mask_id))
        padded = tuple(matrix.shape[1] for matrix in self.matrices)
        places = [jnp.arange(size, dtype=jnp.int32) for size in padded]
        i, j, k = jnp.meshgrid(*places, indexing="ij")
        _, height, width = self.grid_shape
        inside = (i < self.grid_shape[0]) & (j < height) & (k < width)
        draws = jax.random.uniform(grid_key, (int(np.prod(padded)),), jnp.float32)
        drawn = draws[jnp.where(inside, (i * height + j) * width + k, 0)]
        grid = (inside & (drawn < self.keep_prob)).astype(jnp.float32)
        offset = jax.random.randint(offset_key, (3,), 0, self.cell, jnp.int32)
        windows = [
            self.matrices[0][offset[0] + self.rows],
            jax.lax.dynamic_slice_in_dim(self.matrices[1], offset[1], self.shape[1]),
            jax.lax.dynamic_slice_in_dim(self.matrices[2], offset[2], self.shape[2]),
        ]
        return jnp.einsum("ta,hb,wc,abc->thw", *windows, grid, precision=jax.lax.Precision.HIGHEST)


def pad_masks(
    masks: RiseMasks, num_frames: int, padding: Padding, frame_slices: FrameSlices = "aligned"
) -> PaddedRiseMasks:
    """A family with its sizes as data.

    Args:
      masks: The family; its T' divides `num_frames`.
      num_frames: T, frames of the clip.
      padding: Of all families that are to share a program.
      frame_slices: Which slice of a mask a frame gets, see `jaxsal.engine.masks.expand_mask`.

    Raises:
      ValueError: If the masks are not drawn independently of each other.
    """
    if masks.sampling != "independent":
        raise ValueError(f"`sampling` must be 'independent' for masks of padded grids; got {masks.sampling!r}.")
    slices = np.arange(num_frames)
    rows = slices % masks.shape[0] if frame_slices == "modulo" else slices // (num_frames // masks.shape[0])
    matrices = []
    for matrix, length, cells in zip(masks.stretch_matrices(), padding.lengths, padding.grid_shape, strict=True):
        matrices.append(np.pad(matrix, [(0, length - matrix.shape[0]), (0, cells - matrix.shape[1])]))
    return PaddedRiseMasks(
        key=masks.key,
        num_masks=masks.num_masks,
        keep_prob=masks.keep_prob,
        grid_shape=jnp.asarray(masks.grid_shape, jnp.int32),
        cell=jnp.asarray(masks.cell, jnp.int32),
        rows=jnp.asarray(rows, jnp.int32),
        matrices=tuple(jnp.asarray(matrix) for matrix in matrices),
        shape=(num_frames, *masks.shape[1:]),
    )
