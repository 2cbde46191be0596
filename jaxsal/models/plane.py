"""The 2-D convolution of images, and the types of its options and of those of clips."""

import jax
from jax import lax

Pair = tuple[int, int]
Triple = tuple[int, int, int]
PlanePadding = tuple[Pair, Pair]
Padding = tuple[Pair, Pair, Pair]
HasShape = jax.Array | jax.ShapeDtypeStruct


def convolve_images(images: jax.Array, kernel: jax.Array, *, strides: Pair, padding: PlanePadding) -> jax.Array:
    """XLA's 2-D convolution."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(images, kernel, strides, padding, dimension_numbers=layout)


def count_outputs(inputs: HasShape, kernel: HasShape, stride: int, padding: Pair, axis: int = 0) -> int:
    """The outputs of a convolution along one of its axes, the first by default: frames of clips, rows of images."""
    return (inputs.shape[1 + axis] + sum(padding) - kernel.shape[axis]) // stride + 1
