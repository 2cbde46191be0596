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

FEW_CHANNELS = 16  # input channels up to which joining the kernel's frames is faster on CPU


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
    same sum is taken by 2-D convolutions over frames: with few input channels by one whose input channels are
    those of all frames under the kernel, else by one for each frame of the kernel. The choice is made when the
    program is lowered, so one program exported for several platforms holds both.

    Measured on two shared cores, whole 3D-ResNet18, s: XLA / joined everywhere / split everywhere / this.
    Forward: width 8, 4x16x112x112: 2.44 / 0.19 / 0.34 / 0.19; width 16, 2x16x112x112: - / 0.20 / 0.27 / 0.20;
    width 32, 1x16x112x112: - / 0.46 / 0.49 / 0.43; width 64, likewise: 3.5 / 1.8 / 1.4 / 1.4. Training gradient:
    width 8: - / 0.56 / 0.79 / 0.56; width 64, 1x8x56x56: 2.8 / 1.0 / 0.8 / 0.7.

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
        cpu=partial(_planar_convolution, strides=strides, padding=padding),
        default=partial(_convolution, strides=strides, padding=padding),
    )


def _convolution(inputs: jax.Array, kernel: jax.Array, *, strides: Triple, padding: Padding) -> jax.Array:
    layout = ("NDHWC", "DHWIO", "NDHWC")
    return lax.conv_general_dilated(inputs, kernel, strides, padding, dimension_numbers=layout)


def _planar_convolution(inputs: jax.Array, kernel: jax.Array, *, strides: Triple, padding: Padding) -> jax.Array:
    """The same convolution by 2-D convolutions."""
    if kernel.shape[:3] == (1, 1, 1):
        return inputs[:, :: strides[0], :: strides[1], :: strides[2]] @ kernel[0, 0, 0]
    if inputs.shape[-1] <= FEW_CHANNELS:
        return _joined_frames(inputs, kernel, strides, padding)
    return _split_kernel(inputs, kernel, strides, padding)


def _joined_frames(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    """One 2-D convolution; its input channels are those of all frames under the kernel."""
    num_frames = _num_outputs(inputs, kernel, strides, padding)
    inputs = jnp.pad(inputs, [(0, 0), padding[0], (0, 0), (0, 0), (0, 0)])
    length = strides[0] * (num_frames - 1) + 1
    taps = [inputs[:, tap : tap + length : strides[0]] for tap in range(kernel.shape[0])]
    plane = jnp.concatenate(list(kernel), axis=-2)
    return _convolve_frames(jnp.concatenate(taps, axis=-1), plane, strides, padding)


def _split_kernel(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    """One 2-D convolution for each frame of the kernel, of those frames alone that are not padding."""
    num_frames = _num_outputs(inputs, kernel, strides, padding)
    parts = []
    for tap, plane in enumerate(kernel):
        reach = _reach(tap - padding[0][0], strides[0], inputs.shape[1], num_frames)
        if reach.last < reach.first:
            continue
        frames = inputs[:, reach.start : reach.stop : strides[0]]
        part = _convolve_frames(frames, plane, strides, padding)
        around = (reach.first, num_frames - 1 - reach.last)
        parts.append(jnp.pad(part, [(0, 0), around, (0, 0), (0, 0), (0, 0)]))
    return sum(parts[1:], start=parts[0])


def _convolve_frames(frames: jax.Array, plane: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    images = frames.reshape(-1, *frames.shape[2:])
    layout = ("NHWC", "HWIO", "NHWC")
    images = lax.conv_general_dilated(images, plane, strides[1:], padding[1:], dimension_numbers=layout)
    return images.reshape(*frames.shape[:2], *images.shape[1:])


def _num_outputs(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> int:
    return (inputs.shape[1] + sum(padding[0]) - kernel.shape[0]) // strides[0] + 1


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
