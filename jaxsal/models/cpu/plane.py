"""XLA's convolutions of images and of clips, the types of their options, and what a kernel reaches."""

from typing import NamedTuple

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


def convolve_clips(clips: jax.Array, kernel: jax.Array, *, strides: Triple, padding: Padding) -> jax.Array:
    """XLA's 3-D convolution."""
    layout = ("NDHWC", "DHWIO", "NDHWC")
    return lax.conv_general_dilated(clips, kernel, strides, padding, dimension_numbers=layout)


def count_outputs(inputs: HasShape, kernel: HasShape, stride: int, padding: Pair, axis: int = 0) -> int:
    """The outputs of a convolution along one of its axes, the first by default: frames of clips, rows of images."""
    return (inputs.shape[1 + axis] + sum(padding) - kernel.shape[axis]) // stride + 1


class Reach(NamedTuple):
    """The outputs for which a tap falls on an input, not on padding: none where `last` is below `first`."""

    first: int
    last: int
    start: int  # those inputs, as a slice with the stride as its step
    stop: int


def reaches(inputs: HasShape, kernel: HasShape, stride: int, padding: Pair, axis: int = 0) -> list[Reach]:
    """For each tap along an axis the outputs o for which o * stride + offset is an input."""
    num_inputs, num_outputs = inputs.shape[1 + axis], count_outputs(inputs, kernel, stride, padding, axis)
    found = []
    for offset in range(-padding[0], kernel.shape[axis] - padding[0]):
        first = max(0, -(offset // stride))
        last = min(num_outputs - 1, (num_inputs - 1 - offset) // stride)
        found.append(Reach(first, last, first * stride + offset, last * stride + offset + 1))
    return found
