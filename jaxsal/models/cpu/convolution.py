"""The convolution that is fast on a CPU: which of its forms, by the shapes of its arrays.

A convolution over time is one of frames, in a way over time (`FRAME_FORMS`); one of images goes by ways over rows and
columns (`PLANE_FORMS`). What each form gains, and how to see whether it may go: docs/howto/convolutions.md.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp

from jaxsal.models.cpu.axes import (
    HasShape,
    Padding,
    Strides,
    Way,
    convolve_by,
    count_outputs,
    joined,
    once,
    reaches,
    split,
)
from jaxsal.models.cpu.blocks import block_shape, convolve_by_blocks
from jaxsal.models.cpu.winograd import count_tiles, winograd

FrameForm = Literal["winograd", "joined", "split"]
PlaneForm = Literal["tiles", "rows", "taps", "lax"]

FRAME_FORMS: dict[FrameForm, Way] = {"winograd": winograd, "joined": joined, "split": split}
FEW_CHANNELS = 16  # input channels up to which joining the kernel's frames is faster than splitting it

PLANE_FORMS: dict[PlaneForm, tuple[Way, ...]] = {
    "tiles": (winograd, winograd),
    "rows": (winograd,),
    "taps": (split, split),
    "lax": (),
}
OF_FRAMES: tuple[PlaneForm, ...] = ("rows", "taps")  # where a layer has several 2-D convolutions to compile
IN_GRADIENTS: dict[PlaneForm, PlaneForm] = {"tiles": "rows", "rows": "lax"}  # whose gradients are faster; others stay
LEAST_CHANNELS = 32  # of inputs and outputs, from where products outweigh the sums
LEAST_PIXELS = 200  # of a product, over all images; a `vmap` is not seen, so chunks of any size are computed alike
LEAST_TILES = 32  # over all images, and no fewer than a quarter of the channels, whose kernel is transformed too


@partial(jax.jit, static_argnames=("strides", "padding", "pointwise"))
def fast_convolution(
    inputs: jax.Array,
    kernel: jax.Array,
    *,
    strides: Strides,
    padding: Padding,
    pointwise: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """The convolution of `jaxsal.models.conv.convolution`, equal but for rounding.

    A single tap is a matrix product; a kernel with few outputs is applied to blocks of pixels. Compiled, so that
    layers of one shape are traced once.
    """
    if math.prod(kernel.shape[:-2]) == 1:
        steps = (slice(None, None, stride) for stride in strides)
        outputs = pointwise(inputs[:, *steps] @ kernel.reshape(kernel.shape[-2:]))
    else:
        convolve = convolve_images if len(strides) == 2 else convolve_clips
        shape = block_shape(inputs, kernel)
        outputs = convolve_by_blocks(convolve, inputs, kernel, strides, padding, shape=shape, pointwise=pointwise)
    return once(outputs, kernel, "cotangents")


def convolve_clips(clips: jax.Array, kernel: jax.Array, strides: Strides, padding: Padding) -> jax.Array:
    """The convolution of clips (B, T, H, W, C) by 2-D ones of frames, which share products in turn, or go by taps."""
    form = frame_form(clips, kernel, strides, padding)
    of_frames = partial(convolve_images, strides=strides[1:], padding=padding[1:], allowed=OF_FRAMES)
    clips = once(clips, kernel) if form == "split" else clips
    return FRAME_FORMS[form](clips, kernel, strides[0], padding[0], of_frames)


def frame_form(clips: HasShape, kernel: HasShape, strides: Strides, padding: Padding) -> FrameForm:
    """The form of `convolve_clips` for arrays of these shapes and types.

    Without steps over time several frames share each 2-D convolution ("winograd") where there are enough of them.
    Else one takes the frames under the kernel as channels ("joined"), or, with more channels, each frame of the kernel
    has its own ("split"). In 16 bits the sums of the others would be rounded too often.
    """
    if jnp.finfo(clips.dtype).bits < 32:
        return "joined"
    over_time = clips.shape[1], kernel.shape[0], strides[0], padding[0]
    by_taps = sum(reach.last - reach.first + 1 for reach in reaches(*over_time))
    if strides[0] == 1 and count_tiles(count_outputs(*over_time), kernel.shape[0], by_taps):
        return "winograd"
    return "joined" if clips.shape[-1] <= FEW_CHANNELS else "split"


def convolve_images(
    images: jax.Array,
    kernel: jax.Array,
    strides: Strides,
    padding: Padding,
    allowed: tuple[PlaneForm, ...] = tuple(PLANE_FORMS),
) -> jax.Array:
    """The convolution of images (.., H, W, C) by one of the forms that are allowed, or by XLA's own, "lax".

    A program that differentiates it has another form, by `IN_GRADIENTS`.
    """
    form = plane_form(images, kernel, strides, padding, allowed)
    return (_with_its_gradient if form in IN_GRADIENTS else _by_form)(form, images, kernel, strides, padding)


def _by_form(form: PlaneForm, images: jax.Array, kernel: jax.Array, strides: Strides, padding: Padding) -> jax.Array:
    return convolve_by(PLANE_FORMS[form], images, kernel, strides, padding)


_with_its_gradient = jax.custom_jvp(_by_form, nondiff_argnums=(0, 3, 4))


@_with_its_gradient.defjvp
def _jvp(form: PlaneForm, strides: Strides, padding: Padding, primals: tuple, tangents: tuple) -> tuple:
    differentiated = partial(_by_form, IN_GRADIENTS[form], strides=strides, padding=padding)
    return jax.jvp(differentiated, primals, tangents)


def plane_form(
    images: HasShape,
    kernel: HasShape,
    strides: Strides,
    padding: Padding,
    allowed: tuple[PlaneForm, ...] = tuple(PLANE_FORMS),
) -> PlaneForm:
    """The form of `convolve_images` for arrays of these shapes and types.

    "tiles" and "rows" share products, of rows and columns or of rows alone. An image of fewer outputs than the kernel
    has taps is slow in XLA, which takes the one for the other, and goes by "taps".
    """
    *batch, height, width, _ = images.shape
    *taps, num_inputs, num_outputs = kernel.shape
    if jnp.finfo(images.dtype).bits < 32 or min(num_inputs, num_outputs) < LEAST_CHANNELS:
        return "lax"
    num_images = math.prod(batch)
    sizes = list(map(count_outputs, (height, width), taps, strides, padding))
    tiles = [count_tiles(size, tap, size * tap) for size, tap in zip(sizes, taps, strict=True)]
    down, right = tiles if strides == (1, 1) else (0, 0)
    pays = {
        "tiles": num_images * down * right >= max(LEAST_TILES, max(num_inputs, num_outputs) // 4),
        "rows": num_images * down * width >= LEAST_PIXELS,
        "taps": math.prod(sizes) < math.prod(taps),
    }
    return next((form for form, it_pays in pays.items() if form in allowed and it_pays), "lax")
