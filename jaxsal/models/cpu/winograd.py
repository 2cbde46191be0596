"""Toom-Cook (Winograd) convolution over an axis: outputs that share the convolutions over the axes that are left."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsal.models.cpu.axes import Convolve, Pads, count_outputs, first_axis, once, pad_axis

MOST_POINTS = 5  # of the transforms, beside infinity; more of them cost precision
WORTHWHILE = 0.8  # of the convolutions must be left for the transforms to pay


def winograd(inputs: jax.Array, kernel: jax.Array, stride: int, pads: Pads, convolve: Convolve) -> jax.Array:
    """Toom-Cook over the first axis, with a stride of one: m outputs by m + t - 1 convolutions instead of m t.

    The t slices of the kernel and the m + t - 1 input slices of a tile are the coefficients of polynomials; their
    values at as many points are convolved over the axes that are left, and the products give m output slices back.
    m is that of `best_tile`. With m = 4 and t = 3 that is half the work, and twice over, for frames and for rows, a
    quarter; the rounding error is 2e-6 of the maximum then.

    References:
      Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, https://arxiv.org/abs/1509.09308
    """
    axis, num_taps = first_axis(inputs, kernel), len(kernel)
    length = inputs.shape[axis]
    size = count_outputs(length, num_taps, stride, pads)
    num_outputs = best_tile(size, num_taps).num_outputs
    num_tiles = -(-size // num_outputs)
    inputs = pad_axis(inputs, axis, (pads[0], num_tiles * num_outputs + num_taps - 1 - length - pads[0]))
    reach = num_outputs * (num_tiles - 1) + 1
    starts = range(num_outputs + num_taps - 1)
    slices = [lax.slice_in_dim(inputs, start, start + reach, num_outputs, axis) for start in starts]
    transform = toom_cook(num_outputs, num_taps)
    sums = once([_weighted_sum(weights, slices) for weights in transform.inputs], kernel)
    taps = [_weighted_sum(weights, kernel) for weights in transform.kernel]
    products = list(map(convolve, sums, taps))
    outputs = jnp.stack([_weighted_sum(weights, products) for weights in transform.outputs], axis=axis + 1)
    outputs = outputs.reshape(*outputs.shape[:axis], num_tiles * num_outputs, *outputs.shape[axis + 2 :])
    return lax.slice_in_dim(outputs, 0, size, axis=axis)


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


def count_tiles(size: int, num_taps: int, by_taps: int) -> int:
    """The tiles of an axis; 0 where their convolutions are not few enough beside those `by_taps`."""
    tile = best_tile(size, num_taps)
    return -(-size // tile.num_outputs) if tile.convolutions <= WORTHWHILE * by_taps else 0
