"""RISE's masks: random grids, stretched; grids of any size share a program, since their sizes are data."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from jaxsal.core.checks import check_choice, check_shape
from jaxsal.core.types import AnyArray
from jaxsal.engine.grids import draw_grid
from jaxsal.engine.resample import linear_matrix, stretch
from jaxsal.recipes import Alignment, Sampling, TemporalCell

SUM_CHUNK = 256


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


class Padding(NamedTuple):
    """Sizes that several families fit into: cells of a grid, voxels of a cell, and rows of a stretched axis."""

    cells: tuple[int, int, int]
    cell: tuple[int, int, int]
    rows: tuple[int, int, int]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RiseMasks:
    """Random binary grids, stretched to one cell more than the clip and cut out at a random offset.

    M_n = window of up(G_n) of size (Tm, H, W) at offset o_n; G_n has independent entries, 1 with probability
    `keep_prob`; o_n is uniform in [0, cell) per axis. Grid and offset n depend on (key, n) alone.

    Sizes of the grid are data, so families of other grids share a program where they are padded alike. Of a scene in S
    spectra there are S keys, and mask n is that of every key side by side, (S, Tm, H, W): independent of each other.

    Attributes:
      key: A threefry key; other generators depend on the batch they are drawn in. Of a scene S keys.
      num_masks: N; any mask number is valid, N is how many a run takes.
      keep_prob: Chance of keeping a cell, in (0, 1].
      grid_shape: Cells per axis, (s_t, s_h, s_w).
      cell: Voxels per cell, per axis.
      matrices: Per axis, from grid cells to the stretched grid, zero beyond the family's own.
      shape: (Tm, H, W) of a mask.
      sampling: How the grids go together, see `jaxsal.engine.grids`.
      most: The most voxels of a cell, per axis, of all families that are padded alike.

    References:
      Petsiuk et al., "RISE", BMVC 2018, https://arxiv.org/abs/1806.07421
    """

    key: Key[Array, "*S"]
    num_masks: Int[AnyArray, ""]
    keep_prob: Float[AnyArray, ""]
    grid_shape: Int[AnyArray, "3"]
    cell: Int[AnyArray, "3"]
    matrices: tuple[Float[AnyArray, "_ _"], ...]
    shape: tuple[int, int, int] = field(metadata=dict(static=True))
    sampling: Sampling = field(metadata=dict(static=True))
    most: tuple[int, int, int] = field(metadata=dict(static=True))
    endless = True  # masks beyond `num_masks` are there too, for runs that go on

    @classmethod
    def draw(
        cls,
        key: Key[Array, "*S"],
        num_masks: int,
        keep_prob: float,
        shape: tuple[int, int, int],
        grid_shape: tuple[int, int, int],
        alignment: Alignment = "mirror",
        temporal_cell: TemporalCell = "own",
        sampling: Sampling = "independent",
    ) -> "RiseMasks":
        """The family of a key.

        Args:
          key: A threefry key, or one for each spectrum of a scene, (S,).
          num_masks: N.
          keep_prob: Chance of keeping a cell, in (0, 1].
          shape: (Tm, H, W) of a mask.
          grid_shape: Cells per axis, (s_t, s_h, s_w).
          alignment: How the grid is stretched, see `jaxsal.engine.resample`.
          temporal_cell: Which count sets the length of a cell in time, see `cell_shape`.
          sampling: How the grids go together, see `jaxsal.engine.grids`.

        Raises:
          TypeError: If a count is no integer.
          ValueError: If a value or a name is not allowed.
        """
        check_shape("shape", shape)
        check_shape("grid_shape", grid_shape)
        check_choice("alignment", alignment, get_args(Alignment))
        check_choice("temporal_cell", temporal_cell, get_args(TemporalCell))
        check_choice("sampling", sampling, get_args(Sampling))
        if not 0 < keep_prob <= 1:
            raise ValueError(f"`keep_prob` must be in (0, 1]; got {keep_prob}.")
        cell = cell_shape(shape, grid_shape, temporal_cell)
        cells = (grid_shape[1] if temporal_cell == "spatial" else grid_shape[0], *grid_shape[1:])
        lengths = [(count + 1) * size for count, size in zip(cells, cell, strict=True)]
        matrices = [linear_matrix(count, rows, alignment) for count, rows in zip(grid_shape, lengths, strict=True)]
        sizes = np.asarray(grid_shape, np.int32), np.asarray(cell, np.int32)
        count, chance = np.asarray(num_masks, np.int32), np.asarray(keep_prob, np.float32)
        return cls(key, count, chance, *sizes, tuple(matrices), shape, sampling, cell)

    @property
    def padding(self) -> Padding:
        """The sizes of this family's arrays."""
        rows, cells = zip(*(matrix.shape for matrix in self.matrices), strict=True)
        return Padding(cells, self.most, rows)

    def padded(self, padding: Padding) -> "RiseMasks":
        """The same masks, number by number, from arrays of other sizes, see `common_padding`."""
        matrices = tuple(
            np.pad(matrix, [(0, rows - matrix.shape[0]), (0, cells - matrix.shape[1])])
            for matrix, rows, cells in zip(self.matrices, padding.rows, padding.cells, strict=True)
        )
        return dataclasses.replace(self, matrices=matrices, most=padding.cell)

    def grid_and_offset(self, mask_id: Int[Array, ""]) -> tuple[Bool[Array, "st sh sw"], Int[Array, "3"]]:
        """The random numbers behind mask `mask_id`."""
        padded = self.padding.cells
        draws, offset = draw_grid(self.key, mask_id, self.grid_shape, self.cell, self.sampling, padded=padded)
        return draws < self.keep_prob, offset

    def window(
        self, grid: Array, offset: Int[Array, "3"], pools: Sequence[Float[AnyArray, "_ _"]] = ()
    ) -> Float[Array, "_ _ _"]:
        """The mask that a grid and an offset make, (Tm, H, W); where `pools` are given, pools[axis] @ mask per axis."""
        windows = [
            jax.lax.dynamic_slice_in_dim(jnp.asarray(matrix), offset[axis], self.shape[axis])
            for axis, matrix in enumerate(self.matrices)
        ]
        precision = jax.lax.Precision.HIGHEST
        if pools:
            windows = [jnp.matmul(*pair, precision=precision) for pair in zip(pools, windows, strict=True)]
        return jnp.einsum("ta,hb,wc,abc->thw", *windows, grid.astype(jnp.float32), precision=precision)

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "*S Tm H W"]:
        """Mask `mask_id`."""
        return self.pooled(mask_id, ())

    def pooled(self, mask_id: Int[Array, ""], pools: Sequence[Float[AnyArray, "_ _"]]) -> Float[Array, "*S _ _ _"]:
        """Mask `mask_id`, or pools[axis] @ mask per axis without making the mask."""
        if self.key.ndim:
            return jax.vmap(lambda key: dataclasses.replace(self, key=key).pooled(mask_id, pools))(self.key)
        return self.window(*self.grid_and_offset(mask_id), pools)

    def weighted_sum(self, weights: Float[Array, "N K"], ids: Int[Array, " N"]) -> Float[Array, "K *S Tm H W"]:
        """sum_n weights[n] M_n, gathered per offset in grid space and stretched once.

        Voxel v of mask n reads row v + o_n of the stretch matrix. Summing the weighted grids per offset first
        leaves (cells x offsets) numbers per axis, which one matrix per axis takes to voxels. The cost does not
        depend on the clip's size but for that last step.
        """
        if self.key.ndim:
            of_each = jax.lax.map(lambda key: dataclasses.replace(self, key=key).weighted_sum(weights, ids), self.key)
            return jnp.moveaxis(of_each, 0, 1)
        num_classes = weights.shape[1]
        cells, most, _ = self.padding
        padding = -len(ids) % SUM_CHUNK
        ids = jnp.pad(ids, (0, padding)).reshape(-1, SUM_CHUNK)
        weights = jnp.pad(weights, ((0, padding), (0, 0))).reshape(-1, SUM_CHUNK, num_classes)

        def add_chunk(sums, chunk):
            chunk_ids, chunk_weights = chunk
            grids, offsets = jax.vmap(self.grid_and_offset)(chunk_ids)
            weighted = grids[..., None].astype(weights.dtype) * chunk_weights[:, None, None, None]
            return sums.at[tuple(offsets.T)].add(weighted), None

        sums, _ = jax.lax.scan(add_chunk, jnp.zeros((*most, *cells, num_classes), weights.dtype), (ids, weights))
        matrices = []
        for axis, matrix in enumerate(self.matrices):
            rows = np.arange(self.shape[axis])[:, None] + np.arange(most[axis])[None]
            rows = np.minimum(rows, matrix.shape[0] - 1)  # beyond are offsets that this family never has
            matrices.append(jnp.asarray(matrix)[rows].reshape(self.shape[axis], -1))
        sums = sums.transpose(0, 3, 1, 4, 2, 5, 6)
        sums = sums.reshape(*(c * g for c, g in zip(most, cells, strict=True)), num_classes)
        return jnp.moveaxis(stretch(sums, matrices), -1, 0)


def common_padding(families: Sequence[RiseMasks]) -> Padding:
    """The least sizes that all families fit into."""
    largest = np.max([[*family.padding] for family in families], axis=0).tolist()
    return Padding(*map(tuple, largest))
