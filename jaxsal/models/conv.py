"""Convolutions of clips and of images, computed as suits the platform they run on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

import jax
from jax import lax
from jaxtyping import Array, Float

from jaxsal.models.cpu.convolution import Padding, Strides, fast_convolution

LAYOUTS = {2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}  # by the axes of the kernel
_PLAIN = ContextVar("plain", default=False)


def same(outputs: jax.Array) -> jax.Array:
    """Its argument."""
    return outputs


def convolution(
    inputs: Float[Array, "B ... C"],
    kernel: Float[Array, "... C D"],
    *,
    strides: Strides,
    padding: Padding,
    pointwise: Callable[[jax.Array], jax.Array] = same,
) -> Float[Array, "B ... d"]:
    """Convolves clips over time and space, or images over space (cross-correlation, as networks use it).

    y(o) = sum_i x(strides * o + i - padding) . kernel(i), zeros outside of x.

    On GPU and TPU this is XLA's own convolution. On CPU that one is slow over time, its gradient more so, and the
    same sum is taken in other ways (`jaxsal.models.cpu`), equal within float32 rounding. The choice is made when the
    program is lowered, so one program exported for several platforms holds both.

    Args:
      inputs: B clips (B, T, H, W, C), or images (B, H, W, C).
      kernel: Taps over each axis, C input and D output channels.
      strides: Steps over each axis.
      padding: Zeros before and after each axis; fewer than the kernel has taps.
      pointwise: A function of the outputs' last axis, which it keeps, with as many channels as it likes.

    Returns:
      The convolved clips or images.

    Raises:
      ValueError: If a stride is not positive, a padding is negative or not below the kernel's size, or the kernel
        is larger than the padded inputs.
    """
    sizes, taps = inputs.shape[1:-1], kernel.shape[:-2]
    if min(strides) < 1:
        raise ValueError(f"`strides` must be positive; got {strides}.")
    if any(not 0 <= pad < size for pads, size in zip(padding, taps, strict=True) for pad in pads):
        raise ValueError(f"`padding` must be from 0 to below the kernel's size {taps}; got {padding}.")
    if any(size + sum(pads) < tap for size, pads, tap in zip(sizes, padding, taps, strict=True)):
        raise ValueError(f"`kernel` must fit into the padded inputs, {sizes} with {padding}; got {taps} taps.")
    if _PLAIN.get():
        return plain_convolution(inputs, kernel, strides=strides, padding=padding, pointwise=pointwise)
    fast, plain = (
        partial(convolve, strides=strides, padding=padding, pointwise=pointwise)
        for convolve in (fast_convolution, plain_convolution)
    )
    return lax.platform_dependent(inputs, kernel, cpu=fast, default=plain)


@contextmanager
def plain_convolutions() -> Iterator[None]:
    """Within it, programs that are traced have XLA's convolutions on CPU too, whose sums are of their taps alone."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def plain_convolution(
    inputs: jax.Array,
    kernel: jax.Array,
    *,
    strides: Strides,
    padding: Padding,
    pointwise: Callable[[jax.Array], jax.Array] = same,
) -> jax.Array:
    """XLA's own convolution; see `convolution`."""
    layout = LAYOUTS[len(strides)]
    return pointwise(lax.conv_general_dilated(inputs, kernel, strides, padding, dimension_numbers=layout))
