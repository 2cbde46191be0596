"""Convolutions with few outputs on CPU: a block of neighbouring pixels as more outputs of a wider kernel.

The matrix products of a convolution have as many columns as it has outputs, and with few of them time goes into
reading patches. A block of r x c pixels is r c times the outputs for a patch that is hardly larger; zeros of the
shifted kernels are what it costs. Exact but for rounding.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxsal.models.cpu.plane import HasShape, Pair, PlanePadding

SHAPES: tuple[Pair, ...] = ((1, 2), (2, 2), (2, 3))
LARGE = 25  # taps from which on patches are so dear that blocks pay with more outputs
OUTPUTS = {True: 48, False: 32}  # enough of a block, with large kernels and with small ones
LEAST = 8  # outputs; networks with fewer are toys, whose time is that of compiling them
FEW_CHANNELS = 16  # inputs and outputs up to which a small kernel is worth it


def block_shape(inputs: HasShape, kernel: HasShape) -> Pair:
    """The rows and columns of pixels that a kernel (.., h, w, C, D) is best applied to at once; (1, 1) of most."""
    height, width, channels, outputs = kernel.shape[-4:]
    large = height * width >= LARGE
    few = LEAST <= outputs < OUTPUTS[large] and (large or max(channels, outputs) <= FEW_CHANNELS)
    if height * width == 1 or not few or jnp.finfo(inputs.dtype).bits < 32:
        return 1, 1
    return next(shape for shape in SHAPES if math.prod(shape) * outputs >= OUTPUTS[large])


class BlockConvolution(NamedTuple):
    """A convolution whose outputs are those of a block of pixels, and how its outputs become pixels.

    Attributes:
      kernel: (.., h', w', C, r c D).
      strides: Over height and width.
      padding: For height and width.
      shape: (r, c), pixels of a block.
      size: Height and width of the outputs in pixels.
    """

    kernel: jax.Array
    strides: Pair
    padding: PlanePadding
    shape: Pair
    size: Pair

    def places(self, outputs: jax.Array) -> jax.Array:
        """Outputs (.., rows, columns, r c D) as (.., rows, columns, r, c, D), blocks and the places in them.

        The blocks at the end reach beyond `size` where `shape` does not divide it.
        """
        return outputs.reshape(*outputs.shape[:-1], *self.shape, outputs.shape[-1] // math.prod(self.shape))

    def pixels(self, outputs: jax.Array) -> jax.Array:
        """Outputs (.., rows, columns, r c D) as (.., height, width, D)."""
        places = self.places(outputs)
        *batch, rows, columns, down, right, features = places.shape
        pixels = places.swapaxes(-4, -3).reshape(*batch, rows * down, columns * right, features)
        return pixels[..., : self.size[0], : self.size[1], :]


def by_blocks(
    inputs: HasShape, kernel: jax.Array, strides: Pair, padding: PlanePadding, shape: Pair
) -> BlockConvolution:
    """The convolution that gives blocks of pixels.

    Args:
      inputs: (.., H, W, C).
      kernel: (.., h, w, C, D).
      strides: Over height and width.
      padding: Zeros before and after, for height and width.
      shape: Pixels of a block, each way.
    """
    size, around, shifts = [], [], []
    for length, taps, stride, pads, pixels in zip(
        inputs.shape[-3:-1], kernel.shape[-4:-2], strides, padding, shape, strict=True
    ):
        size.append((length + sum(pads) - taps) // stride + 1)
        reach = stride * (pixels * -(-size[-1] // pixels) - 1) + taps
        around.append((pads[0], reach - length - pads[0]))
        shifts.append([(stride * place, stride * (pixels - 1 - place)) for place in range(pixels)])
    whole = [(0, 0)] * (kernel.ndim - 4)
    shifted = [jnp.pad(kernel, [*whole, down, right, (0, 0), (0, 0)]) for down in shifts[0] for right in shifts[1]]
    steps = (strides[0] * shape[0], strides[1] * shape[1])
    return BlockConvolution(jnp.concatenate(shifted, axis=-1), steps, (around[0], around[1]), shape, (size[0], size[1]))


def convolve_by_blocks(
    convolve: Callable[..., jax.Array],
    inputs: jax.Array,
    kernel: jax.Array,
    strides: Pair,
    padding: PlanePadding,
    shape: Pair,
) -> jax.Array:
    """The pixels of convolve(inputs, kernel, strides=.., padding=..), taken by blocks; (1, 1) is that itself."""
    if shape == (1, 1):
        return convolve(inputs, kernel, strides=strides, padding=padding)
    blocks = by_blocks(inputs, kernel, strides, padding, shape)
    return blocks.pixels(convolve(inputs, blocks.kernel, strides=blocks.strides, padding=blocks.padding))
