"""Toom-Cook (Winograd) convolution over frames or rows: outputs that share the convolutions of what is left."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal.models.cpu.once import once
from jaxsal.models.cpu.plane import Pair, count_outputs

MOST_POINTS = 5  # of the transforms, beside infinity; more of them cost precision


def transformed(
    inputs: jax.Array,
    kernel: jax.Array,
    padding: Pair,
    convolve: Callable[[jax.Array, jax.Array], jax.Array],
) -> jax.Array:
    """Toom-Cook over the first axis after the batch: m outputs by m + t - 1 convolutions instead of m t.

    The t slices of the kernel and the m + t - 1 input slices of a tile are the coefficients of polynomials; their
    values at as many points are convolved over the axes that are left, and the products give m output slices back.
    m is that of `best_tile`. With m = 4 and t = 3 that is half the work, and twice over, for frames and for rows, a
    quarter; the rounding error is 2e-6 of the maximum then.

    Args:
      inputs: (B, T, .., C).
      kernel: (t, .., C, D).
      padding: Zeros before and after the first axis.
      convolve: The convolution over the other axes, of inputs (B, tiles, .., C) and one slice of a kernel.

    References:
      Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, https://arxiv.org/abs/1509.09308
    """
    num_taps, length = kernel.shape[0], inputs.shape[1]
    size = count_outputs(inputs, kernel, 1, padding)
    num_outputs = best_tile(size, num_taps).num_outputs
    num_tiles = -(-size // num_outputs)
    after = num_tiles * num_outputs + num_taps - 1 - length - padding[0]
    inputs = jnp.pad(inputs, [(0, 0), (padding[0], after), *[(0, 0)] * (inputs.ndim - 2)])
    reach = num_outputs * (num_tiles - 1) + 1
    slices = [inputs[:, first : first + reach : num_outputs] for first in range(num_outputs + num_taps - 1)]
    transform = toom_cook(num_outputs, num_taps)
    sums = once([_weighted_sum(weights, slices) for weights in transform.inputs], kernel)
    products = [
        convolve(of_slices, _weighted_sum(weights, kernel))
        for of_slices, weights in zip(sums, transform.kernel, strict=True)
    ]
    outputs = jnp.stack([_weighted_sum(weights, products) for weights in transform.outputs], axis=2)
    return outputs.reshape(outputs.shape[0], num_tiles * num_outputs, *outputs.shape[3:])[:, :size]


class ToomCook(NamedTuple):
    """y = A ((G g) * (B d)), elementwise *, is y_i = sum_j d_(i+j) g_j."""

    outputs: np.ndarray  # A, (m, m + t - 1)
    kernel: np.ndarray  # G, (m + t - 1, t)
    inputs: np.ndarray  # B, (m + t - 1, m + t - 1)


@cache
def toom_cook(num_outputs: int, num_taps: int) -> ToomCook:
    """The transforms for m outputs of a filter of t taps, by m + t - 2 points and infinity.

    Raises:
      ValueError: If that is more than `MOST_POINTS`.
    """
    if num_outputs + num_taps - 2 > MOST_POINTS:
        raise ValueError(f"`num_taps` must be at most {MOST_POINTS + 2 - num_outputs}; got {num_taps}.")
    points = _points(num_outputs + num_taps - 2)
    at_infinity = np.eye(num_outputs + num_taps - 1)[-1]
    others = [np.delete(points, index) for index in range(len(points))]
    scales = np.asarray([np.prod(point - rest) for point, rest in zip(points, others, strict=True)])
    outputs = np.append(points[None] ** np.arange(num_outputs)[:, None], at_infinity[-num_outputs:, None], axis=1)
    kernel = np.append(points[:, None] ** np.arange(num_taps) / scales[:, None], at_infinity[None, -num_taps:], axis=0)
    inputs = np.asarray([np.append(np.poly(rest)[::-1], 0) for rest in others] + [np.poly(points)[::-1]])
    for array in (outputs, kernel, inputs):
        array.flags.writeable = False  # all callers share them
    return ToomCook(outputs, kernel, inputs)


def _points(count: int) -> np.ndarray:
    """Few and small. Five are symmetric about 0 and about 1, by inversion, which errs less than 0, 1, -1, 2, -2."""
    root = np.sqrt(2.0)
    return np.asarray([0, 1 / root, -1 / root, root, -root] if count == MOST_POINTS else [0, 1, -1, 2][:count])


def _weighted_sum(weights: np.ndarray, arrays: Sequence[jax.Array] | jax.Array) -> jax.Array:
    """Sum of the arrays whose weight is not 0."""
    terms = [float(weight) * arrays[index] for index, weight in enumerate(weights) if weight]
    return sum(terms[1:], start=terms[0])


class Tile(NamedTuple):
    """How output frames or rows are grouped."""

    num_outputs: int  # of a tile
    convolutions: int  # of all tiles


def best_tile(size: int, num_taps: int) -> Tile:
    """The tile with the fewest convolutions, and of those the smallest, whose error is least."""
    sizes = range(1, max(1, MOST_POINTS + 2 - num_taps) + 1)
    tiles = [Tile(num_outputs, -(-size // num_outputs) * (num_outputs + num_taps - 1)) for num_outputs in sizes]
    return min(tiles, key=lambda tile: tile.convolutions)
