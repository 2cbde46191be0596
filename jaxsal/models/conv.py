"""The convolutions of the networks, in three and in two dimensions, computed as suits the platform they run on."""

from functools import partial

import flax.linen as nn
import jax
from jax import lax
from jaxtyping import Array, Float

from jaxsal.models.cpu.planar import image_convolution, planar_convolution
from jaxsal.models.cpu.plane import Padding, Triple, convolve_clips, convolve_images
from jaxsal.models.initialise import kaiming_fan_out

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
    same sum is taken by 2-D convolutions over frames (`planar_convolution`), equal within float32 rounding. The
    choice is made when the program is lowered, so one program exported for several platforms holds both.

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
        cpu=partial(planar_convolution, strides=strides, padding=padding),
        default=partial(convolve_clips, strides=strides, padding=padding),
    )


def _of_one_type(inputs: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both in the wider of their types, as Flax's layers take them, under strict promotion too."""
    with jax.numpy_dtype_promotion("standard"):
        inputs, kernel = nn.dtypes.promote_dtype(inputs, kernel)
    return inputs, kernel


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
        inputs, kernel = _of_one_type(inputs, kernel)
        return conv3d(inputs, kernel, strides=self.strides, padding=self.padding)


class Conv2D(nn.Module):
    """A 2-D convolution layer, padded alike on all sides, unlike XLA's "SAME" with a stride.

    On CPU it goes by the ways of `image_convolution`, equal within float32 rounding; elsewhere it is XLA's.

    Attributes:
      features: Output channels.
      size: Taps over height and width, odd.
      stride: Over height and width.
    """

    features: int
    size: int
    stride: int = 1

    @nn.compact
    def __call__(self, images: Float[Array, "N H W C"]) -> Float[Array, "N H2 W2 D"]:
        """Convolves images with the layer's kernel."""
        kernel = self.param("kernel", kaiming_fan_out, (self.size, self.size, images.shape[-1], self.features))
        images, kernel = _of_one_type(images, kernel)
        pad = (self.size // 2, self.size // 2)
        strides, padding = (self.stride, self.stride), (pad, pad)
        return lax.platform_dependent(
            images,
            kernel,
            cpu=partial(image_convolution, strides=strides, padding=padding),
            default=partial(convolve_images, strides=strides, padding=padding),
        )
