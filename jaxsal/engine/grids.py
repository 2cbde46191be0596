"""How the random grids of RISE masks are drawn: every way a pure function of (key, number of the mask).

Each draws a uniform number per cell of the grid, and a cell is kept where that is below `keep_prob`. For one mask the
numbers are independent in all three ways, so every map is unbiased; they differ in how masks go together.
"""

import math
from functools import cache
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

Sampling = Literal["independent", "stratified", "sobol"]
SAMPLINGS: tuple[str, ...] = get_args(Sampling)
BLOCK = 31  # a prime, so that every slope takes the slots of a block to all strata
_BLOCKS = 2**20  # keeps the keys of blocks apart from those of masks
_SOBOL_BITS = 17
MAX_SOBOL = 2**_SOBOL_BITS

Shape = tuple[int, int, int]
Draws = tuple[Float[Array, "st sh sw"], Int[Array, "3"]]


def draw_grid(
    key: PRNGKeyArray, mask_id: Int[Array, ""], grid_shape: Shape, cell: Shape, sampling: Sampling = "independent"
) -> Draws:
    """Uniform numbers in [0, 1) of all cells, and an offset in [0, cell) per axis.

    Args:
      key: A threefry key.
      mask_id: The number of the mask.
      grid_shape: Cells per axis.
      cell: Voxels per cell, per axis.
      sampling: "independent": masks have nothing to do with each other. "stratified": of every 31 masks in a row each
        has another 31st of [0, 1) in a cell, so that a cell is kept in 31 p of them, up to one. "sobol": cells and
        offsets are the dimensions of a Sobol sequence, shifted by the key; below mask 2^17.

    References:
      Joe and Kuo, "Constructing Sobol sequences with better two-dimensional projections", 2008 (as in SciPy).
    """
    return {"independent": _independent, "stratified": _stratified, "sobol": _sobol}[sampling](
        key, jnp.asarray(mask_id), grid_shape, cell
    )


def _independent(key: PRNGKeyArray, mask_id: Int[Array, ""], grid_shape: Shape, cell: Shape) -> Draws:
    grid_key, offset_key = jax.random.split(jax.random.fold_in(key, mask_id))
    draws = jax.random.uniform(grid_key, grid_shape, jnp.float32)
    return draws, jax.random.randint(offset_key, (3,), 0, jnp.array(cell, jnp.int32), jnp.int32)


def _stratified(key: PRNGKeyArray, mask_id: Int[Array, ""], grid_shape: Shape, cell: Shape) -> Draws:
    """((a slot + b) mod 31 + v) / 31 with a, b and v of the block and the cell; offsets as for "independent"."""
    block, slot = mask_id // BLOCK, mask_id % BLOCK
    block_key = jax.random.fold_in(jax.random.fold_in(key, block), _BLOCKS)
    slope_key, start_key, place_key = jax.random.split(block_key, 3)
    slope = jax.random.randint(slope_key, grid_shape, 1, BLOCK, jnp.int32)
    start = jax.random.randint(start_key, grid_shape, 0, BLOCK, jnp.int32)
    place = jax.random.uniform(place_key, grid_shape, jnp.float32)
    stratum = (slope * slot.astype(jnp.int32) + start) % BLOCK
    draws = (stratum.astype(jnp.float32) + place) / BLOCK
    return draws, _independent(key, mask_id, grid_shape, cell)[1]


def _sobol(key: PRNGKeyArray, mask_id: Int[Array, ""], grid_shape: Shape, cell: Shape) -> Draws:
    """Point n is the exclusive or of the direction numbers at the bits of n's Gray code, and of the key's shift."""
    num_cells = math.prod(grid_shape)
    number = mask_id.astype(jnp.uint32)
    gray = number ^ (number >> np.uint32(1))
    bits = (gray >> jnp.arange(_SOBOL_BITS, dtype=jnp.uint32)) & np.uint32(1)
    chosen = bits[:, None] * jnp.asarray(_direction_numbers(num_cells + 3))
    point = jax.lax.reduce(chosen, np.uint32(0), jax.lax.bitwise_xor, (0,))
    point = point ^ jax.random.bits(key, (num_cells + 3,), jnp.uint32)
    uniform = (point >> np.uint32(8)).astype(jnp.float32) * np.float32(2**-24)
    offset = jnp.floor(uniform[num_cells:] * jnp.array(cell, jnp.float32)).astype(jnp.int32)
    return uniform[:num_cells].reshape(grid_shape), jnp.minimum(offset, jnp.array(cell, jnp.int32) - 1)


@cache
def _direction_numbers(dimensions: int) -> UInt32[np.ndarray, "bits dimensions"]:
    """The direction numbers: number 2^j - 1 of the sequence, whose Gray code has bit j - 1 alone, for j = 1, 2, .."""
    from scipy.stats.qmc import Sobol

    sobol, drawn = Sobol(dimensions, scramble=False, bits=30), 0
    numbers = []
    for bit in range(_SOBOL_BITS):
        wanted = 2 ** (bit + 1) - 1
        sobol.fast_forward(wanted - drawn)
        numbers.append(sobol.random(1)[0] * 2.0**32)
        drawn = wanted + 1
    return np.stack(numbers).astype(np.uint32)
