"""What is fast on a CPU: 3-D convolutions by 2-D ones over frames, 1x1 ones as products, few outputs by blocks."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Pair = tuple[int, int]
Triple = tuple[int, int, int]
PlanePadding = tuple[Pair, Pair]
Padding = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

FEW_CHANNELS = 16  # input channels up to which joining the kernel's frames is faster than splitting it
POINTS = (0, 1, -1, 2, -2)  # of the transforms over time, beside infinity; more of them cost precision
WORTHWHILE = 0.8  # of the 2-D convolutions must be left for the transforms to pay


def planar_convolution(inputs: jax.Array, kernel: jax.Array, *, strides: Triple, padding: Padding) -> jax.Array:
    """The convolution of `conv3d` by the fastest of four exact ways, chosen by the shapes.

    Without steps over time each 2-D convolution is shared by several frames (`transformed_frames`) where there are
    enough of them. Else one 2-D convolution takes the frames under the kernel as channels (`joined_frames`), or,
    with more channels, each frame of the kernel has its own (`split_kernel`). A single tap is a matrix product.
    """
    if kernel.shape[:3] == (1, 1, 1):
        return inputs[:, :: strides[0], :: strides[1], :: strides[2]] @ kernel[0, 0, 0]
    if strides[0] == 1 and jnp.finfo(inputs.dtype).bits >= 32:
        reaches = _reaches(inputs, kernel, strides, padding)
        tile = _best_tile(_num_outputs(inputs, kernel, strides, padding), kernel.shape[0])
        if tile.convolutions <= WORTHWHILE * sum(reach.last - reach.first + 1 for reach in reaches):
            return transformed_frames(inputs, kernel, strides, padding, tile.num_outputs)
    if inputs.shape[-1] <= FEW_CHANNELS:
        return joined_frames(inputs, kernel, strides, padding)
    return split_kernel(inputs, kernel, strides, padding)


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
    num_frames, num_taps = _num_outputs(inputs, kernel, strides, padding), kernel.shape[0]
    num_tiles = -(-num_frames // num_outputs)
    before, length = padding[0][0], num_tiles * num_outputs + num_taps - 1
    inputs = jnp.pad(inputs, [(0, 0), (before, length - before - inputs.shape[1]), (0, 0), (0, 0), (0, 0)])
    reach = num_outputs * (num_tiles - 1) + 1
    frames = [inputs[:, first : first + reach : num_outputs] for first in range(num_outputs + num_taps - 1)]
    transform = toom_cook(num_outputs, num_taps)
    products = [
        convolve_frames(_weighted_sum(of_frames, frames), _weighted_sum(of_kernel, kernel), strides, padding)
        for of_frames, of_kernel in zip(transform.inputs, transform.kernel, strict=True)
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
    return ToomCook(outputs, kernel, inputs)


def _weighted_sum(weights: np.ndarray, arrays: Sequence[jax.Array] | jax.Array) -> jax.Array:
    """Sum of the arrays whose weight is not 0."""
    terms = [float(weight) * arrays[index] for index, weight in enumerate(weights) if weight]
    return sum(terms[1:], start=terms[0])


class _Tile(NamedTuple):
    num_outputs: int
    convolutions: int  # of all tiles


def _best_tile(num_frames: int, num_taps: int) -> _Tile:
    """The tile with the fewest 2-D convolutions, and of those the smallest, whose error is least."""
    sizes = range(1, max(1, len(POINTS) + 2 - num_taps) + 1)
    tiles = [_Tile(size, -(-num_frames // size) * (size + num_taps - 1)) for size in sizes]
    return min(tiles, key=lambda tile: tile.convolutions)


def joined_frames(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    """One 2-D convolution; its input channels are those of all frames under the kernel."""
    num_frames = _num_outputs(inputs, kernel, strides, padding)
    inputs = jnp.pad(inputs, [(0, 0), padding[0], (0, 0), (0, 0), (0, 0)])
    length = strides[0] * (num_frames - 1) + 1
    taps = [inputs[:, tap : tap + length : strides[0]] for tap in range(kernel.shape[0])]
    plane = jnp.concatenate(list(kernel), axis=-2)
    return convolve_frames(jnp.concatenate(taps, axis=-1), plane, strides, padding)


def split_kernel(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    """One 2-D convolution for each frame of the kernel, of those frames alone that are not padding."""
    num_frames = _num_outputs(inputs, kernel, strides, padding)
    parts = []
    for plane, reach in zip(kernel, _reaches(inputs, kernel, strides, padding), strict=True):
        if reach.last < reach.first:
            continue
        frames = inputs[:, reach.start : reach.stop : strides[0]]
        part = convolve_frames(frames, plane, strides, padding)
        around = (reach.first, num_frames - 1 - reach.last)
        parts.append(jnp.pad(part, [(0, 0), around, (0, 0), (0, 0), (0, 0)]))
    return sum(parts[1:], start=parts[0])


def convolve_frames(frames: jax.Array, plane: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    """The same 2-D convolution of every frame."""
    images = convolve_images(frames.reshape(-1, *frames.shape[2:]), plane, strides=strides[1:], padding=padding[1:])
    return images.reshape(*frames.shape[:2], *images.shape[1:])


def image_convolution(images: jax.Array, kernel: jax.Array, *, strides: Pair, padding: PlanePadding) -> jax.Array:
    """A 2-D convolution; of one tap it is a matrix product."""
    if kernel.shape[:2] == (1, 1):
        return images[:, :: strides[0], :: strides[1]] @ kernel[0, 0]
    return convolve_images(images, kernel, strides=strides, padding=padding)


def convolve_blocks(images: jax.Array, kernel: jax.Array, padding: PlanePadding, size: int) -> jax.Array:
    """A convolution without steps by one with steps of `size` whose outputs are those of a block of pixels.

    `size`^2 times the outputs for each patch that is read, with `size` - 1 more taps each way. It pays where a
    large kernel has few outputs, so that time goes into reading patches: with PAN's 7x7 to 8 channels blocks of 4
    took half the time of blocks of 2, which took a fifth of that of single pixels; larger ones took longer again.

    Args:
      images: (N, H, W, C).
      kernel: (h, w, C, D).
      padding: Zeros before and after, for height and width.
      size: Pixels of a block, each way.

    Returns:
      (N, rows, columns, size, size, D), rows and columns of blocks and places in a block; the blocks at the end
      reach beyond the outputs where `size` does not divide their number.
    """
    around = []
    for length, taps, pads in zip(images.shape[1:3], kernel.shape[:2], padding, strict=True):
        num_blocks = -(-(length + sum(pads) - taps + 1) // size)
        around.append((pads[0], size * num_blocks - 1 + taps - length - pads[0]))
    offsets = [(offset, size - 1 - offset) for offset in range(size)]
    shifted = [jnp.pad(kernel, [down, right, (0, 0), (0, 0)]) for down in offsets for right in offsets]
    outputs = convolve_images(images, jnp.concatenate(shifted, axis=-1), strides=(size, size), padding=around)
    return outputs.reshape(*outputs.shape[:3], size, size, -1)


def convolve_images(
    images: jax.Array, kernel: jax.Array, *, strides: Sequence[int], padding: Sequence[Pair]
) -> jax.Array:
    """XLA's 2-D convolution."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(images, kernel, strides, padding, dimension_numbers=layout)


def _num_outputs(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> int:
    return (inputs.shape[1] + sum(padding[0]) - kernel.shape[0]) // strides[0] + 1


class _Reach(NamedTuple):
    first: int  # the output frames whose tap falls on an input frame, first to last
    last: int
    start: int  # those input frames, as a slice
    stop: int


def _reaches(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> list[_Reach]:
    """For each tap over time the output frames o for which o * stride + offset is an input frame, not padding."""
    num_inputs, num_outputs, stride = inputs.shape[1], _num_outputs(inputs, kernel, strides, padding), strides[0]
    reaches = []
    for offset in range(-padding[0][0], kernel.shape[0] - padding[0][0]):
        first = max(0, -(offset // stride))
        last = min(num_outputs - 1, (num_inputs - 1 - offset) // stride)
        reaches.append(_Reach(first, last, first * stride + offset, last * stride + offset + 1))
    return reaches
