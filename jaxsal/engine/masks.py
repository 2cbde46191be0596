"""Mask families: pure functions from a mask's number to the mask, which 1 keeps and 0 replaces.

Mask n of a family depends on n and on the family's own data alone, never on a batch, a device or the mask
before it. A family is a pytree, so it enters compiled programs as an argument; it is asked for a mask where
that is scored, so that no array of all masks ever exists.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxsal.core.checks import check_choice, check_shape
from jaxsal.engine.grids import SAMPLINGS, Sampling, draw_grid
from jaxsal.engine.resample import ALIGNMENTS, Alignment, linear_matrix, resample, stretch

TemporalCell = Literal["own", "spatial"]
FrameSlices = Literal["aligned", "modulo"]

SUM_CHUNK = 256


@runtime_checkable
class MaskFamily(Protocol):
    """Masks by number: `num_masks` of them, each (Tm, H, W) or (T, H, W, C)."""

    @property
    def num_masks(self) -> Any:
        """How many masks there are, an integer."""

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "..."]:
        """The mask of that number."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DenseMasks:
    """Masks that exist already, (N, Tm, H, W)."""

    masks: Float[Array, "N Tm H W"]

    @property
    def num_masks(self) -> int:
        """N."""
        return self.masks.shape[0]

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "Tm H W"]:
        """Mask `mask_id` of the array."""
        return self.masks[mask_id]


def cell_shape(
    shape: tuple[int, int, int], grid_shape: tuple[int, int, int], temporal_cell: TemporalCell = "own"
) -> tuple[int, int, int]:
    """How many voxels one cell of a random grid spans: ceil(size / cells) per axis.

    Args:
      shape: (Tm, H, W) of the mask.
      grid_shape: Cells per axis, (s_t, s_h, s_w).
      temporal_cell: "own" uses s_t in time; "spatial" uses s_h there too, as the study's code does.
    """
    time_cells = grid_shape[1] if temporal_cell == "spatial" else grid_shape[0]
    cells = (time_cells, *grid_shape[1:])
    time, height, width = (math.ceil(size / count) for size, count in zip(shape, cells, strict=True))
    return time, height, width


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RiseMasks:
    """Random binary grids, stretched to one cell more than the clip and cut out at a random offset.

    M_n = window of up(G_n) of size (Tm, H, W) at offset o_n; G_n has independent entries, 1 with probability
    `keep_prob`; o_n is uniform in [0, cell) per axis. Grid and offset n depend on (key, n) alone.

    Attributes:
      key: A threefry key; other generators depend on the batch they are drawn in.
      num_masks: N; any mask number is valid, N is how many a run takes.
      keep_prob: Chance of keeping a cell, in (0, 1].
      shape: (Tm, H, W) of a mask.
      grid_shape: Cells per axis, (s_t, s_h, s_w).
      alignment: How the grid is stretched, see `jaxsal.engine.resample`.
      temporal_cell: Which cell count sets the length of a cell in time, see `cell_shape`.
      sampling: How the grids go together, see `jaxsal.engine.grids`.

    References:
      Petsiuk et al., "RISE", BMVC 2018, https://arxiv.org/abs/1806.07421
    """

    key: PRNGKeyArray
    num_masks: int | Int[Array, ""]
    keep_prob: float | Float[Array, ""]
    shape: tuple[int, int, int] = field(metadata=dict(static=True))
    grid_shape: tuple[int, int, int] = field(metadata=dict(static=True))
    alignment: Alignment = field(metadata=dict(static=True))
    temporal_cell: TemporalCell = field(metadata=dict(static=True))
    sampling: Sampling = field(default="independent", metadata=dict(static=True))
    endless = True  # masks beyond `num_masks` are there too, for runs that go on

    def __post_init__(self):
        check_shape("shape", self.shape)
        check_shape("grid_shape", self.grid_shape)
        check_choice("alignment", self.alignment, ALIGNMENTS)
        check_choice("temporal_cell", self.temporal_cell, get_args(TemporalCell))
        check_choice("sampling", self.sampling, SAMPLINGS)
        if isinstance(self.keep_prob, float) and not 0 < self.keep_prob <= 1:
            raise ValueError(f"`keep_prob` must be in (0, 1]; got {self.keep_prob}.")

    @property
    def cell(self) -> tuple[int, int, int]:
        """Voxels per cell, per axis."""
        return cell_shape(self.shape, self.grid_shape, self.temporal_cell)

    def stretch_matrices(self) -> list[Float[np.ndarray, "up cells"]]:
        """Per axis, the matrix from grid cells to the stretched grid, from which windows are cut."""
        spatial = self.temporal_cell == "spatial"
        cells = (self.grid_shape[1] if spatial else self.grid_shape[0], *self.grid_shape[1:])
        sizes = [(count + 1) * cell for count, cell in zip(cells, self.cell, strict=True)]
        return [linear_matrix(count, size, self.alignment) for count, size in zip(self.grid_shape, sizes, strict=True)]

    def grid_and_offset(self, mask_id: Int[Array, ""]) -> tuple[Bool[Array, "st sh sw"], Int[Array, "3"]]:
        """The random numbers behind mask `mask_id`."""
        draws, offset = draw_grid(self.key, mask_id, self.grid_shape, self.cell, self.sampling)
        return draws < self.keep_prob, offset

    def window(self, grid: Array, offset: Int[Array, "3"]) -> Float[Array, "Tm H W"]:
        """The mask that a grid and an offset make."""
        windows = [
            jax.lax.dynamic_slice_in_dim(jnp.asarray(matrix), offset[axis], self.shape[axis])
            for axis, matrix in enumerate(self.stretch_matrices())
        ]
        precision = jax.lax.Precision.HIGHEST
        return jnp.einsum("ta,hb,wc,abc->thw", *windows, grid.astype(jnp.float32), precision=precision)

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "Tm H W"]:
        """Mask `mask_id`."""
        return self.window(*self.grid_and_offset(mask_id))

    def weighted_sum(self, weights: Float[Array, "N K"], ids: Int[Array, " N"]) -> Float[Array, "K Tm H W"]:
        """sum_n weights[n] M_n, gathered per offset in grid space and stretched once.

        Voxel v of mask n reads row v + o_n of the stretch matrix. Summing the weighted grids per offset first
        leaves (cells x offsets) numbers per axis, which one matrix per axis takes to voxels. The cost does not
        depend on the clip's size but for that last step.
        """
        num_classes = weights.shape[1]
        cell, grid_shape = self.cell, self.grid_shape
        padding = -len(ids) % SUM_CHUNK
        ids = jnp.pad(ids, (0, padding)).reshape(-1, SUM_CHUNK)
        weights = jnp.pad(weights, ((0, padding), (0, 0))).reshape(-1, SUM_CHUNK, num_classes)

        def add_chunk(sums, chunk):
            chunk_ids, chunk_weights = chunk
            grids, offsets = jax.vmap(self.grid_and_offset)(chunk_ids)
            weighted = grids[..., None].astype(weights.dtype) * chunk_weights[:, None, None, None]
            return sums.at[tuple(offsets.T)].add(weighted), None

        sums, _ = jax.lax.scan(add_chunk, jnp.zeros((*cell, *grid_shape, num_classes), weights.dtype), (ids, weights))
        matrices = []
        for axis, matrix in enumerate(self.stretch_matrices()):
            rows = np.arange(self.shape[axis])[:, None] + np.arange(cell[axis])[None]
            matrices.append(matrix[rows].reshape(self.shape[axis], -1))
        sums = sums.transpose(0, 3, 1, 4, 2, 5, 6)
        sums = sums.reshape(*(c * g for c, g in zip(cell, grid_shape, strict=True)), num_classes)
        return jnp.moveaxis(stretch(sums, matrices), -1, 0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ActivationMasks:
    """SIDU's masks: one per channel of the last features, thresholded, then stretched to the clip.

    M_k = up(1[A_k > threshold]); edges stay soft, since the stretch comes after the threshold.
    """

    activations: Float[Array, "t h w d"]
    threshold: float | Float[Array, ""]
    shape: tuple[int, int, int] = field(metadata=dict(static=True))
    alignment: Alignment = field(metadata=dict(static=True))

    def __post_init__(self):
        check_shape("shape", self.shape)
        check_choice("alignment", self.alignment, ALIGNMENTS)

    @property
    def num_masks(self) -> int:
        """One mask per channel."""
        return self.activations.shape[-1]

    def binary(self) -> Float[Array, "t h w d"]:
        """1 where a channel is above the threshold."""
        return (self.activations > self.threshold).astype(jnp.float32)

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "Tm H W"]:
        """The mask of channel `mask_id`."""
        channel = (self.activations[..., mask_id] > self.threshold).astype(jnp.float32)
        return resample(channel, self.shape, self.alignment)

    def weighted_sum(self, weights: Float[Array, "d K"]) -> Float[Array, "K Tm H W"]:
        """sum_k weights[k] M_k, summed over the small binary maps and stretched once."""
        sums = jnp.tensordot(self.binary(), weights, axes=1, precision=jax.lax.Precision.HIGHEST)
        return jnp.moveaxis(resample(sums, self.shape, self.alignment), -1, 0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RankMasks:
    """Masks of deletion and insertion: mask s concerns the `counts[s]` elements of lowest rank.

    Attributes:
      ranks: 0 for the most salient element, (Tm, H, W) or (T, H, W, C).
      counts: How many elements each step concerns, (S,).
      keep: True keeps those elements and replaces the rest (insertion), False replaces them (deletion).
    """

    ranks: Int[Array, "..."]
    counts: Int[Array, " S"]
    keep: bool | Bool[Array, ""]

    @property
    def num_masks(self) -> int:
        """One mask per step."""
        return self.counts.shape[0]

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "..."]:
        """The mask of step `mask_id`."""
        concerned = self.ranks < self.counts[mask_id]
        return (concerned == self.keep).astype(jnp.float32)


def expand_mask(
    mask: Float[Array, "..."], num_frames: int, frame_slices: FrameSlices = "aligned"
) -> Float[Array, "..."]:
    """A mask at the clip's frames and channels: (Tm, H, W) to (T, H, W, 1); (T, H, W, C) stays.

    Args:
      mask: The mask; Tm divides T.
      num_frames: T.
      frame_slices: "aligned" gives frame f the slice f // (T / Tm); "modulo" gives it f mod Tm, as the study's
        code does for PAN's RISE masks.
    """
    if mask.ndim == 4:
        return mask
    repeats = num_frames // mask.shape[0]
    if frame_slices == "modulo":
        return jnp.tile(mask, (repeats, 1, 1))[..., None]
    return jnp.repeat(mask, repeats, axis=0)[..., None]
