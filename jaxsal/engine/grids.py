"""How the random grids of RISE masks are drawn: every way a pure function of (key, number of the mask).

Each draws a uniform number per cell of the grid, and a cell is kept where that is below `keep_prob`. For one mask the
numbers are independent in all three ways, so every map is unbiased; they differ in how masks go together.

Sizes of grids and cells are data. A grid may be padded: cell (i, j, k) gets the number that it would get without.
"""

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from jaxsal.core.types import AnyArray
from jaxsal.recipes import MAX_SOBOL, Sampling

BLOCK = 31  # a prime, so that every slope takes the slots of a block to all strata
_BLOCKS = 2**20  # keeps the keys of blocks apart from those of masks
_SOBOL_BITS = MAX_SOBOL.bit_length() - 1

Shape = tuple[int, int, int]
Counts = Int[AnyArray, "3"]


def draw_grid(
    key: PRNGKeyArray,
    mask_id: Int[Array, ""],
    grid_shape: Counts,
    cell: Counts,
    sampling: Sampling = "independent",
    *,
    padded: Shape | None = None,
) -> tuple[Float[Array, "st sh sw"], Int[Array, "3"]]:
    """Uniform numbers in [0, 1) of all cells, and an offset in [0, cell) per axis.

    Args:
      key: A threefry key.
      mask_id: The number of the mask.
      grid_shape: Cells per axis.
      cell: Voxels per cell, per axis.
      sampling: "independent": masks have nothing to do with each other. "stratified": of every 31 masks in a row each
        has another 31st of [0, 1) in a cell, so that a cell is kept in 31 p of them, up to one. "sobol": cells and
        offsets are the dimensions of a Sobol sequence, shifted by the key; below mask 2^17.
      padded: The shape of the result, at least `grid_shape`, which it is by default; cells beyond that get 1.

    References:
      Joe and Kuo, "Constructing Sobol sequences with better two-dimensional projections", 2008 (as in SciPy).
    """
    if padded is None:
        depth, rows, columns = np.asarray(grid_shape).tolist()
        padded = depth, rows, columns
    draw = {"independent": _independent, "stratified": _stratified, "sobol": _sobol}[sampling]
    grid_shape, cell = (jnp.asarray(counts, jnp.int32) for counts in (grid_shape, cell))
    numbers, offset = draw(key, jnp.asarray(mask_id), math.prod(padded), grid_shape.prod(), cell)
    i, j, k = (jax.lax.broadcasted_iota(jnp.int32, padded, axis) for axis in range(3))
    inside = (i < grid_shape[0]) & (j < grid_shape[1]) & (k < grid_shape[2])
    place = (i * grid_shape[1] + j) * grid_shape[2] + k
    return jnp.where(inside, numbers[jnp.where(inside, place, 0)], 1.0), offset


Draws = tuple[Float[Array, " most"], Int[Array, "3"]]
"""A number for each of up to `most` cells, and the offset."""


def _independent(
    key: PRNGKeyArray, mask_id: Int[Array, ""], most: int, num_cells: Int[Array, ""], cell: Int[Array, "3"]
) -> Draws:
    grid_key, offset_key = jax.random.split(jax.random.fold_in(key, mask_id))
    draws = jax.random.uniform(grid_key, (most,), jnp.float32)
    return draws, jax.random.randint(offset_key, (3,), 0, cell, jnp.int32)


def _stratified(
    key: PRNGKeyArray, mask_id: Int[Array, ""], most: int, num_cells: Int[Array, ""], cell: Int[Array, "3"]
) -> Draws:
    """((a slot + b) mod 31 + v) / 31 with a, b and v of the block and the cell; offsets as for "independent"."""
    block, slot = mask_id // BLOCK, mask_id % BLOCK
    block_key = jax.random.fold_in(jax.random.fold_in(key, block), _BLOCKS)
    slope_key, start_key, place_key = jax.random.split(block_key, 3)
    slope = jax.random.randint(slope_key, (most,), 1, BLOCK, jnp.int32)
    start = jax.random.randint(start_key, (most,), 0, BLOCK, jnp.int32)
    place = jax.random.uniform(place_key, (most,), jnp.float32)
    stratum = (slope * slot.astype(jnp.int32) + start) % BLOCK
    draws = (stratum.astype(jnp.float32) + place) / BLOCK
    return draws, _independent(key, mask_id, 1, num_cells, cell)[1]


def _sobol(
    key: PRNGKeyArray, mask_id: Int[Array, ""], most: int, num_cells: Int[Array, ""], cell: Int[Array, "3"]
) -> Draws:
    """Point n is the exclusive or of the direction numbers at the bits of n's Gray code, and of the key's shift."""
    number = mask_id.astype(jnp.uint32)
    gray = number ^ (number >> np.uint32(1))
    bits = (gray >> jnp.arange(_SOBOL_BITS, dtype=jnp.uint32)) & np.uint32(1)
    chosen = bits[:, None] * jnp.asarray(_direction_numbers(most + 3))
    point = jax.lax.reduce(chosen, np.uint32(0), jax.lax.bitwise_xor, (0,))
    point = point ^ jax.random.bits(key, (most + 3,), jnp.uint32)
    uniform = (point >> np.uint32(8)).astype(jnp.float32) * np.float32(2**-24)
    place = jax.lax.dynamic_slice_in_dim(uniform, num_cells, 3)
    offset = jnp.floor(place * cell.astype(jnp.float32)).astype(jnp.int32)
    return uniform[:most], jnp.minimum(offset, cell - 1)


@cache
def _direction_numbers(dimensions: int) -> UInt32[np.ndarray, "bits dimensions"]:
    """The direction numbers: number 2^j - 1 of the sequence, whose Gray code has bit j - 1 alone, for j = 1, 2, .."""
    from scipy.stats.qmc import Sobol

    if dimensions > Sobol.MAXDIM:
        most = Sobol.MAXDIM - 3
        raise ValueError(
            f"`grid_shape` must have at most {most:,} cells with sampling 'sobol'; got {dimensions - 3:,}."
        )
    sobol, drawn = Sobol(dimensions, scramble=False, bits=30), 0
    numbers = []
    for bit in range(_SOBOL_BITS):
        wanted = 2 ** (bit + 1) - 1
        sobol.fast_forward(wanted - drawn)
        numbers.append(sobol.random(1)[0] * 2.0**32)
        drawn = wanted + 1
    return np.stack(numbers).astype(np.uint32)


def block_axis(size: int, count: int, stride: int | None) -> Float[np.ndarray, "n size"]:
    """The blocks along an axis, each of ceil(size / count) voxels; the last one ends where the axis does."""
    length = math.ceil(size / count)
    step = min(stride or length, length)
    starts = np.minimum(np.arange(math.ceil((size - length) / step) + 1) * step, size - length)
    places = np.arange(size)
    return ((places >= starts[:, None]) & (places < starts[:, None] + length)).astype(np.float32)
