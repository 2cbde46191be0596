"""A convolution one axis at a time: what is left to XLA, sums over the taps of an axis, arrays computed once.

A way over an axis is a function (inputs, kernel, stride, pads, convolve). The axis is the first of the kernel
(t, .., C, D), the one in its place of the inputs (.., n, .., C), and all axes before it are a batch. `convolve`
takes slices of both over the axes that are left.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

Strides = tuple[int, ...]
Pads = tuple[int, int]  # zeros before and after an axis
Padding = tuple[Pads, ...]
HasShape = jax.Array | jax.ShapeDtypeStruct
Convolve = Callable[[jax.Array, jax.Array], jax.Array]
Way = Callable[[jax.Array, jax.Array, int, Pads, Convolve], jax.Array]
Arrays = TypeVar("Arrays")


def convolve_by(
    ways: tuple[Way, ...], inputs: jax.Array, kernel: jax.Array, strides: Strides, padding: Padding
) -> jax.Array:
    """The convolution: one form for each of the first axes, XLA for the remaining axes."""
    if not ways:
        return xla_convolution(inputs, kernel, strides, padding)
    others = partial(convolve_by, ways[1:], strides=strides[1:], padding=padding[1:])
    return ways[0](inputs, kernel, strides[0], padding[0], others)


def xla_convolution(inputs: jax.Array, kernel: jax.Array, strides: Strides, padding: Padding) -> jax.Array:
    """XLA's 2-D convolution of images, or of rows of one; without an axis a product of matrices."""
    if not strides:
        return inputs @ kernel
    if len(strides) == 1:
        kernel, strides, padding = kernel[None], (1, *strides), ((0, 0), *padding)
    images = inputs.reshape(-1, *inputs.shape[-3:])
    layout = ("NHWC", "HWIO", "NHWC")
    outputs = lax.conv_general_dilated(images, kernel, strides, padding, dimension_numbers=layout)
    return outputs.reshape(*inputs.shape[:-3], *outputs.shape[1:])


def split(inputs: jax.Array, kernel: jax.Array, stride: int, pads: Pads, convolve: Convolve) -> jax.Array:
    """Each tap of the kernel by itself, over those slices of the inputs alone that it meets, not padding."""
    axis, num_taps = first_axis(inputs, kernel), len(kernel)
    size = count_outputs(inputs.shape[axis], num_taps, stride, pads)
    parts = []
    for tap, reach in zip(kernel, reaches(inputs.shape[axis], num_taps, stride, pads), strict=True):
        if reach.last >= reach.first:
            part = convolve(lax.slice_in_dim(inputs, reach.start, reach.stop, stride, axis), tap)
            parts.append(pad_axis(part, axis, (reach.first, size - 1 - reach.last)))
    return sum(parts[1:], start=parts[0])


def joined(inputs: jax.Array, kernel: jax.Array, stride: int, pads: Pads, convolve: Convolve) -> jax.Array:
    """All taps at once: the input channels are those of all slices under the kernel."""
    axis, num_taps = first_axis(inputs, kernel), len(kernel)
    size = count_outputs(inputs.shape[axis], num_taps, stride, pads)
    inputs, length = pad_axis(inputs, axis, pads), stride * (size - 1) + 1
    slices = [lax.slice_in_dim(inputs, tap, tap + length, stride, axis) for tap in range(num_taps)]
    return convolve(once(jnp.concatenate(slices, axis=-1), kernel), jnp.concatenate(list(kernel), axis=-2))


def first_axis(inputs: HasShape, kernel: HasShape) -> int:
    """The axis of the inputs that meets the first of the kernel."""
    return len(inputs.shape) - len(kernel.shape) + 1


def count_outputs(length: int, num_taps: int, stride: int, pads: Pads) -> int:
    """The number of outputs along an axis."""
    return (length + sum(pads) - num_taps) // stride + 1


def pad_axis(array: jax.Array, axis: int, pads: Pads) -> jax.Array:
    """The array with zeros before and after one of its axes."""
    return jnp.pad(array, [pads if number == axis else (0, 0) for number in range(array.ndim)])


class Reach(NamedTuple):
    """The outputs for which a tap falls on an input, not on padding: none where `last` is below `first`."""

    first: int
    last: int
    start: int  # those inputs, as a slice with the stride as its step
    stop: int


def reaches(length: int, num_taps: int, stride: int, pads: Pads) -> list[Reach]:
    """For each tap along an axis the outputs o for which o * stride + offset is an input."""
    last_output = count_outputs(length, num_taps, stride, pads) - 1
    results = []
    for offset in range(-pads[0], num_taps - pads[0]):
        first = max(0, -(offset // stride))
        last = min(last_output, (length - 1 - offset) // stride)
        results.append(Reach(first, last, first * stride + offset, last * stride + offset + 1))
    return results


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def once(arrays: Arrays, kernel: jax.Array, held: Literal["values", "cotangents"] = "values") -> Arrays:
    """The same arrays, which a gradient by them or by the kernel computes once: they, or what it brings back for them.

    XLA's CPU compiler merges cheap operations into all of their readers. A reader that transposes, as the gradient of
    a kernel does with both of its operands, then reads everything such an operation reads in the order of its own
    outputs, many times as slowly. XLA takes `optimization_barrier` away before it merges, but it merges nothing into
    a conditional whose condition it does not know. Programs that are not differentiated are left as they are.
    """
    return arrays


@once.defjvp
def _once_jvp(held: str, primals: tuple, tangents: tuple) -> tuple:
    (arrays, kernel), (tangent, _) = primals, tangents
    return (hold(arrays, kernel), tangent) if held == "values" else (arrays, hold(tangent, kernel))


def hold(arrays: Arrays, kernel: jax.Array) -> Arrays:
    """The arrays out of a conditional; its other side, for a weight of NaN, is linear, as tangents need it, and NaN."""
    weight = lax.stop_gradient(kernel.ravel()[0])

    def times_weight(arrays: Arrays) -> Arrays:
        return jax.tree.map(lambda leaf: leaf * weight.astype(leaf.dtype), arrays)

    return lax.cond(weight == weight, lambda same: same, times_weight, arrays)
