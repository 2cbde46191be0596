"""Toom-Cook (Winograd) convolution over time: output frames that share their 2-D convolutions."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal.models.once import once
from jaxsal.models.plane import Padding, Triple, convolve_frames, count_frames

POINTS = (0, 1, -1, 2, -2)  # of the transforms over time, beside infinity; more of them cost precision


def transformed_frames(
    inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding, num_outputs: int
) -> jax.Array:
    """Toom-Cook over time: m output frames by m + t - 1 2-D convolutions instead of m t.

    The t frames of the kernel and the m + t - 1 input frames of a tile are the coefficients of polynomials in time;
    their values at as many points are convolved in the plane, and the products give m output frames back. With
    m = 4 and t = 3 that is half the work; the rounding error is 2e-6 of the maximum, in a whole network too.

    Args:
      inputs: (B, T, H, W, C).
      kernel: (t, h, w, C, D).
      strides: That over time is 1.
      padding: As in `conv3d`.
      num_outputs: m, the output frames of a tile.

    References:
      Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, https://arxiv.org/abs/1509.09308
    """
    num_frames, num_taps = count_frames(inputs, kernel, strides, padding), kernel.shape[0]
    num_tiles = -(-num_frames // num_outputs)
    before, length = padding[0][0], num_tiles * num_outputs + num_taps - 1
    inputs = jnp.pad(inputs, [(0, 0), (before, length - before - inputs.shape[1]), (0, 0), (0, 0), (0, 0)])
    reach = num_outputs * (num_tiles - 1) + 1
    frames = [inputs[:, first : first + reach : num_outputs] for first in range(num_outputs + num_taps - 1)]
    transform = toom_cook(num_outputs, num_taps)
    sums = once([_weighted_sum(weights, frames) for weights in transform.inputs], kernel)
    products = [
        convolve_frames(of_frames, _weighted_sum(weights, kernel), strides, padding)
        for of_frames, weights in zip(sums, transform.kernel, strict=True)
    ]
    outputs = jnp.stack([_weighted_sum(weights, products) for weights in transform.outputs], axis=2)
    return outputs.reshape(outputs.shape[0], -1, *outputs.shape[3:])[:, :num_frames]


class ToomCook(NamedTuple):
    """y = A ((G g) * (B d)), elementwise *, is y_i = sum_j d_(i+j) g_j."""

    outputs: np.ndarray  # A, (m, m + t - 1)
    kernel: np.ndarray  # G, (m + t - 1, t)
    inputs: np.ndarray  # B, (m + t - 1, m + t - 1)


@cache
def toom_cook(num_outputs: int, num_taps: int) -> ToomCook:
    """The transforms for m outputs of a filter of t taps; m + t - 2 points of `POINTS` and infinity."""
    points = np.asarray(POINTS[: num_outputs + num_taps - 2], np.float64)
    at_infinity = np.eye(num_outputs + num_taps - 1)[-1]
    others = [np.delete(points, index) for index in range(len(points))]
    scales = np.asarray([np.prod(point - rest) for point, rest in zip(points, others, strict=True)])
    outputs = np.append(points[None] ** np.arange(num_outputs)[:, None], at_infinity[-num_outputs:, None], axis=1)
    kernel = np.append(points[:, None] ** np.arange(num_taps) / scales[:, None], at_infinity[None, -num_taps:], axis=0)
    inputs = np.asarray([np.append(np.poly(rest)[::-1], 0) for rest in others] + [np.poly(points)[::-1]])
    for array in (outputs, kernel, inputs):
        array.flags.writeable = False  # all callers share them
    return ToomCook(outputs, kernel, inputs)


def _weighted_sum(weights: np.ndarray, arrays: Sequence[jax.Array] | jax.Array) -> jax.Array:
    """Sum of the arrays whose weight is not 0."""
    terms = [float(weight) * arrays[index] for index, weight in enumerate(weights) if weight]
    return sum(terms[1:], start=terms[0])


class Tile(NamedTuple):
    """How output frames are grouped."""

    num_outputs: int  # of a tile
    convolutions: int  # of all tiles


def best_tile(num_frames: int, num_taps: int) -> Tile:
    """The tile with the fewest 2-D convolutions, and of those the smallest, whose error is least."""
    sizes = range(1, max(1, len(POINTS) + 2 - num_taps) + 1)
    tiles = [Tile(size, -(-num_frames // size) * (size + num_taps - 1)) for size in sizes]
    return min(tiles, key=lambda tile: tile.convolutions)
