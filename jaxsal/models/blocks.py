"""Convolutions with few outputs on CPU: a block of neighbouring pixels as more outputs of a wider kernel.

The matrix products of a convolution have as many columns as it has outputs, and with few of them time goes into
reading patches. A block of r x c pixels is r c times the outputs for a patch that is hardly larger; zeros of the
shifted kernels are what it costs. Exact but for rounding.
"""

import math

import jax
import jax.numpy as jnp

from jaxsal.models.plane import Padding, Pair, PlanePadding, Triple, convolve_images

SHAPES: tuple[Pair, ...] = ((1, 2), (2, 2), (2, 3))
LARGE = 25  # taps from which on patches are so dear that blocks pay with more outputs
OUTPUTS = {True: 48, False: 32}  # enough of a block, with large kernels and with small ones
FEW_CHANNELS = 16  # inputs and outputs up to which a small kernel is worth it


def block_shape(kernel_shape: tuple[int, ...]) -> Pair:
    """The rows and columns of pixels that a kernel (h, w, C, D) is best applied to at once; (1, 1) of most."""
    *taps, channels, outputs = kernel_shape
    large = math.prod(taps) >= LARGE
    if math.prod(taps) == 1 or outputs >= OUTPUTS[large] or (not large and max(channels, outputs) > FEW_CHANNELS):
        return 1, 1
    enough = [shape for shape in SHAPES if math.prod(shape) * outputs >= OUTPUTS[large]]
    return enough[0] if enough else (2, 2)


def convolve_plane(images: jax.Array, kernel: jax.Array, *, strides: Pair, padding: PlanePadding) -> jax.Array:
    """A 2-D convolution of images (N, H, W, C), by blocks where that is faster."""
    shape = block_shape(kernel.shape) if jnp.finfo(images.dtype).bits >= 32 else (1, 1)
    if shape == (1, 1):
        return convolve_images(images, kernel, strides=strides, padding=padding)
    blocks = convolve_blocks(images, kernel, strides, padding, shape)
    num_images, rows, columns, *_, outputs = blocks.shape
    pixels = blocks.swapaxes(2, 3).reshape(num_images, rows * shape[0], columns * shape[1], outputs)
    height, width = (
        (length + sum(pads) - taps) // stride + 1
        for length, taps, stride, pads in zip(images.shape[1:3], kernel.shape[:2], strides, padding, strict=True)
    )
    return pixels[:, :height, :width]


def convolve_frames(frames: jax.Array, plane: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    """The same 2-D convolution of every frame."""
    images = frames.reshape(-1, *frames.shape[2:])
    images = convolve_plane(images, plane, strides=(strides[1], strides[2]), padding=(padding[1], padding[2]))
    return images.reshape(*frames.shape[:2], *images.shape[1:])


def convolve_blocks(
    images: jax.Array, kernel: jax.Array, strides: Pair, padding: PlanePadding, shape: Pair
) -> jax.Array:
    """A convolution by one of a wider kernel whose outputs are those of a block of pixels.

    Args:
      images: (N, H, W, C).
      kernel: (h, w, C, D).
      strides: Over height and width.
      padding: Zeros before and after, for height and width.
      shape: Pixels of a block, each way.

    Returns:
      (N, rows, columns, r, c, D), rows and columns of blocks and places in a block; the blocks at the end reach
      beyond the outputs where `shape` does not divide their number.
    """
    around: list[Pair] = []
    shifts: list[list[Pair]] = []
    for length, taps, stride, pads, size in zip(
        images.shape[1:3], kernel.shape[:2], strides, padding, shape, strict=True
    ):
        num_blocks = -(-((length + sum(pads) - taps) // stride + 1) // size)
        around.append((pads[0], stride * (size * num_blocks - 1) + taps - length - pads[0]))
        shifts.append([(stride * place, stride * (size - 1 - place)) for place in range(size)])
    shifted = [jnp.pad(kernel, [down, right, (0, 0), (0, 0)]) for down in shifts[0] for right in shifts[1]]
    steps = (strides[0] * shape[0], strides[1] * shape[1])
    outputs = convolve_images(images, jnp.concatenate(shifted, axis=-1), strides=steps, padding=(around[0], around[1]))
    return outputs.reshape(*outputs.shape[:3], *shape, -1)
