"""The 3-D convolution of every 3-D network: one layer, computed as suits the platform it runs on."""

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxsal.models.initialise import kaiming_fan_out

Triple = tuple[int, int, int]
Padding = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0), (0, 0))


def conv3d(
    inputs: Float[Array, "B T H W C"],
    kernel: Float[Array, "t h w C D"],
    *,
    strides: Triple = (1, 1, 1),
    padding: Padding = NO_PADDING,
) -> Float[Array, "B T2 H2 W2 D"]:
    """Convolves clips over time and space (cross-correlation, as networks use it).

    y(o) = sum_i x(strides * o + i - padding) . kernel(i), zeros outside of x.

    On GPU and TPU this is XLA's own 3-D convolution. On CPU that one is slow, its gradient more so, and the
    same sum is taken as one 2-D convolution over frames for each kernel frame. The choice is made when the
    program is lowered, so one program exported for several platforms holds both.

    Measured on two Zen 3 cores, ms, forward of XLA's 3-D convolution / of this one, then the gradient for
    inputs and kernel of this one: stem 3x7x7, 3->8 on 16x112x112: 133 / 17, 113; 3x3x3 on 16x56x56 at
    8, 16, 32 channels: 19 / 4, 14; 37 / 7, 32; 78 / 30, 122; at 64 channels on 8x56x56: 90 / 52, 168. Joining
    the kernel frames on the input channels instead, or on the outputs, was between half and twice as fast, never
    faster by more than a few ms a layer, and slower where frames are few: here taps on padding cost nothing.

    Args:
      inputs: B clips, channels last.
      kernel: t x h x w taps, C input and D output channels.
      strides: Steps over time, height and width.
      padding: Zeros before and after, for time, height and width; fewer than the kernel has taps.

    Returns:
      The convolved clips.

    Raises:
      ValueError: If a stride is not positive, a padding is negative or not below the kernel's size, or the kernel
        is larger than the padded inputs.
    """
    sizes, taps = inputs.shape[1:4], kernel.shape[:3]
    if min(strides) < 1:
        raise ValueError(f"`strides` must be positive; got {strides}.")
    if any(not 0 <= pad < size for pads, size in zip(padding, taps, strict=True) for pad in pads):
        raise ValueError(f"`padding` must be from 0 to below the kernel's size {taps}; got {padding}.")
    if any(size + sum(pads) < tap for size, pads, tap in zip(sizes, padding, taps, strict=True)):
        raise ValueError(f"`kernel` must fit into the padded inputs, {sizes} with {padding}; got {taps} taps.")
    return lax.platform_dependent(
        inputs,
        kernel,
        cpu=partial(_sum_of_2d_convolutions, strides=strides, padding=padding),
        default=partial(_convolution, strides=strides, padding=padding),
    )


def _convolution(inputs: jax.Array, kernel: jax.Array, *, strides: Triple, padding: Padding) -> jax.Array:
    layout = ("NDHWC", "DHWIO", "NDHWC")
    return lax.conv_general_dilated(inputs, kernel, strides, padding, dimension_numbers=layout)


def _sum_of_2d_convolutions(
    inputs: jax.Array, kernel: jax.Array, *, strides: Triple, padding: Padding
) -> jax.Array:
    """The same convolution, one 2-D convolution of frames for each frame of the kernel."""
    if kernel.shape[:3] == (1, 1, 1):
        return inputs[:, :: strides[0], :: strides[1], :: strides[2]] @ kernel[0, 0, 0]
    num_frames = (inputs.shape[1] + sum(padding[0]) - kernel.shape[0]) // strides[0] + 1
    parts = []
    for tap, plane in enumerate(kernel):
        reach = _reach(tap - padding[0][0], strides[0], inputs.shape[1], num_frames)
        if reach.last < reach.first:
            continue
        frames = inputs[:, reach.start : reach.stop : strides[0]]
        images = frames.reshape(-1, *frames.shape[2:])
        layout = ("NHWC", "HWIO", "NHWC")
        images = lax.conv_general_dilated(images, plane, strides[1:], padding[1:], dimension_numbers=layout)
        frames = images.reshape(*frames.shape[:2], *images.shape[1:])
        around = (reach.first, num_frames - 1 - reach.last)
        parts.append(jnp.pad(frames, [(0, 0), around, (0, 0), (0, 0), (0, 0)]))
    return sum(parts[1:], start=parts[0])


class _Reach(NamedTuple):
    first: int  # the output frames whose tap falls on an input frame, first to last
    last: int
    start: int  # those input frames, as a slice
    stop: int


def _reach(offset: int, stride: int, num_inputs: int, num_outputs: int) -> _Reach:
    """The output frames o for which o * stride + offset is an input frame, not padding."""
    first = max(0, -(offset // stride))
    last = min(num_outputs - 1, (num_inputs - 1 - offset) // stride)
    return _Reach(first, last, first * stride + offset, last * stride + offset + 1)


class Conv3D(nn.Module):
    """A bias-free 3-D convolution layer with explicit padding; see `conv3d`.

    Attributes:
      features: Output channels.
      kernel_size: Taps over time, height and width.
      strides: Steps over time, height and width.
      padding: Zeros before and after, for time, height and width.
    """

    features: int
    kernel_size: Triple
    strides: Triple = (1, 1, 1)
    padding: Padding = NO_PADDING

    @nn.compact
    def __call__(self, inputs: Float[Array, "B T H W C"]) -> Float[Array, "B T2 H2 W2 D"]:
        """Convolves clips with the layer's kernel."""
        shape = (*self.kernel_size, inputs.shape[-1], self.features)
        kernel = self.param("kernel", kaiming_fan_out, shape)
        return conv3d(inputs, kernel, strides=self.strides, padding=self.padding)
