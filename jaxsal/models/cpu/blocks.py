"""Convolutions with few outputs on CPU: a block of neighbouring pixels as more outputs of a wider kernel.

The matrix products of a convolution have as many columns as it has outputs, and with few of them time goes into
reading patches. A block of r x c pixels is r c times the outputs for a patch that is hardly larger; zeros of the
shifted kernels are what it costs. Exact but for rounding.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxsal.models.cpu.axes import HasShape, Padding, Strides, count_outputs

Shape = tuple[int, int]

SHAPES: tuple[Shape, ...] = ((1, 2), (2, 2), (2, 3))
LARGE = 25  # taps from which on patches are so dear that blocks pay with more outputs
OUTPUTS = {True: 48, False: 32}  # enough of a block, with large kernels and with small ones
LEAST = 8  # outputs; networks with fewer are toys, whose time is that of compiling them
FEW_CHANNELS = 16  # inputs and outputs up to which a small kernel is worth it


def block_shape(inputs: HasShape, kernel: HasShape) -> Shape:
    """The rows and columns of pixels that a kernel (.., h, w, C, D) is best applied to at once; (1, 1) of most."""
    height, width, channels, outputs = kernel.shape[-4:]
    large = height * width >= LARGE
    few = LEAST <= outputs < OUTPUTS[large] and (large or max(channels, outputs) <= FEW_CHANNELS)
    if height * width == 1 or not few or jnp.finfo(inputs.dtype).bits < 32:
        return 1, 1
    return next(shape for shape in SHAPES if math.prod(shape) * outputs >= OUTPUTS[large])


def convolve_by_blocks(
    convolve: Callable[[jax.Array, jax.Array, Strides, Padding], jax.Array],
    inputs: jax.Array,
    kernel: jax.Array,
    strides: Strides,
    padding: Padding,
    *,
    shape: Shape,
    pointwise: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """pointwise(convolve(inputs, kernel, strides, padding)), by blocks of pixels of a shape; (1, 1) is that itself.

    Args:
      convolve: A convolution whose last two axes are height and width.
      inputs: (.., H, W, C).
      kernel: (.., h, w, C, D).
      strides: Over each axis.
      padding: Zeros before and after each axis.
      shape: Rows and columns of a block.
      pointwise: A function of the last axis; taken while blocks are blocks, since what it gives may be fewer numbers.
    """
    if shape == (1, 1):
        return pointwise(convolve(inputs, kernel, strides, padding))
    size, around, shifts = [], [], []
    for axis, pixels in zip((-2, -1), shape, strict=True):
        length, taps, stride, pads = inputs.shape[axis - 1], kernel.shape[axis - 2], strides[axis], padding[axis]
        size.append(count_outputs(length, taps, stride, pads))
        reach = stride * (pixels * -(-size[-1] // pixels) - 1) + taps
        around.append((pads[0], reach - length - pads[0]))
        shifts.append([(stride * place, stride * (pixels - 1 - place)) for place in range(pixels)])
    whole = [(0, 0)] * (kernel.ndim - 4)
    shifted = [jnp.pad(kernel, [*whole, down, right, (0, 0), (0, 0)]) for down in shifts[0] for right in shifts[1]]
    strides = (*strides[:-2], strides[-2] * shape[0], strides[-1] * shape[1])
    outputs = convolve(inputs, jnp.concatenate(shifted, axis=-1), strides, (*padding[:-2], *around))
    *batch, rows, columns, _ = outputs.shape
    blocks = pointwise(outputs.reshape(*batch, rows, columns, *shape, kernel.shape[-1]))
    outputs = blocks.swapaxes(-4, -3).reshape(*batch, rows * shape[0], columns * shape[1], blocks.shape[-1])
    return outputs[..., : size[0], : size[1], :]
