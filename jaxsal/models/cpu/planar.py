"""What is fast on a CPU: 3-D convolutions by 2-D ones over frames, and those of one tap as matrix products."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxsal.models.cpu.blocks import block_shape, convolve_by_blocks
from jaxsal.models.cpu.once import cotangent_once, once
from jaxsal.models.cpu.plane import HasShape, Padding, Pair, PlanePadding, Triple, count_outputs, reaches
from jaxsal.models.cpu.tiles import WORTHWHILE, PlaneForm, convolve_planes
from jaxsal.models.cpu.winograd import best_tile, transformed

Form = Literal["matmul", "transformed", "joined", "split"]
Convolve = Callable[..., jax.Array]  # of images and a kernel, with `strides` and `padding`

PRODUCT_FORMS: tuple[PlaneForm, ...] = ("rows", "taps")  # of 2-D convolutions of which a layer has several to compile
FEW_CHANNELS = 16  # input channels up to which joining the kernel's frames is faster than splitting it

convolve_products = partial(convolve_planes, allowed=PRODUCT_FORMS)


@partial(jax.jit, static_argnames=("strides", "padding"))
def planar_convolution(inputs: jax.Array, kernel: jax.Array, *, strides: Triple, padding: Padding) -> jax.Array:
    """The convolution of `conv3d` by the fastest of four ways, equal but for rounding, chosen by the shapes.

    Without steps over time each 2-D convolution is shared by several frames (`transformed_frames`) where there are
    enough of them. Else one 2-D convolution takes the frames under the kernel as channels (`joined_frames`), or, with
    more channels, each frame of the kernel has its own (`split_kernel`), whose sum would be rounded too often in 16
    bits. These 2-D convolutions share products in turn, or go by taps (`convolve_products`). A single tap is a matrix
    product. A kernel with few outputs is applied to blocks of pixels. Compiled, so that layers of one shape are traced
    once.
    """

    def convolve(inputs: jax.Array, kernel: jax.Array, **plane: Any) -> jax.Array:
        return _by_frames(inputs, kernel, (strides[0], *plane["strides"]), (padding[0], *plane["padding"]))

    outputs = convolve_by_blocks(convolve, inputs, kernel, strides[1:], padding[1:], block_shape(inputs, kernel))
    return cotangent_once(outputs, kernel)


def _by_frames(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    form = chosen_form(inputs, kernel, strides, padding)
    if form == "matmul":
        return inputs[:, :: strides[0], :: strides[1], :: strides[2]] @ kernel[0, 0, 0]
    if form == "transformed":
        return transformed_frames(inputs, kernel, strides, padding)
    return {"joined": joined_frames, "split": split_kernel}[form](inputs, kernel, strides, padding)


def chosen_form(inputs: HasShape, kernel: HasShape, strides: Triple, padding: Padding) -> Form:
    """The way of `planar_convolution` for arrays of these shapes and types."""
    if kernel.shape[:3] == (1, 1, 1):
        return "matmul"
    if jnp.finfo(inputs.dtype).bits < 32:
        return "joined"
    if strides[0] == 1:
        of_taps = reaches(inputs, kernel, strides[0], padding[0])
        tile = best_tile(count_outputs(inputs, kernel, strides[0], padding[0]), kernel.shape[0])
        if tile.convolutions <= WORTHWHILE * sum(reach.last - reach.first + 1 for reach in of_taps):
            return "transformed"
    return "joined" if inputs.shape[-1] <= FEW_CHANNELS else "split"


def transformed_frames(
    inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding, convolve: Convolve = convolve_products
) -> jax.Array:
    """`transformed` over time, without steps over it; what is left are 2-D convolutions of frames."""

    def of_frames(frames: jax.Array, plane: jax.Array) -> jax.Array:
        return convolve_frames(frames, plane, strides, padding, convolve)

    return transformed(inputs, kernel, padding[0], of_frames)


def joined_frames(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    """One 2-D convolution; its input channels are those of all frames under the kernel."""
    num_frames = count_outputs(inputs, kernel, strides[0], padding[0])
    inputs = jnp.pad(inputs, [(0, 0), padding[0], (0, 0), (0, 0), (0, 0)])
    length = strides[0] * (num_frames - 1) + 1
    taps = [inputs[:, tap : tap + length : strides[0]] for tap in range(kernel.shape[0])]
    plane = jnp.concatenate(list(kernel), axis=-2)
    return convolve_frames(once(jnp.concatenate(taps, axis=-1), kernel), plane, strides, padding)


def split_kernel(inputs: jax.Array, kernel: jax.Array, strides: Triple, padding: Padding) -> jax.Array:
    """One 2-D convolution for each frame of the kernel, of those frames alone that are not padding."""
    num_frames = count_outputs(inputs, kernel, strides[0], padding[0])
    inputs = once(inputs, kernel)
    parts = []
    for plane, reach in zip(kernel, reaches(inputs, kernel, strides[0], padding[0]), strict=True):
        if reach.last < reach.first:
            continue
        frames = inputs[:, reach.start : reach.stop : strides[0]]
        part = convolve_frames(frames, plane, strides, padding)
        around = (reach.first, num_frames - 1 - reach.last)
        parts.append(jnp.pad(part, [(0, 0), around, (0, 0), (0, 0), (0, 0)]))
    return sum(parts[1:], start=parts[0])


def convolve_frames(
    frames: jax.Array, plane: jax.Array, strides: Triple, padding: Padding, convolve: Convolve = convolve_products
) -> jax.Array:
    """The same 2-D convolution of every frame."""
    images = frames.reshape(-1, *frames.shape[2:])
    images = convolve(images, plane, strides=(strides[1], strides[2]), padding=(padding[1], padding[2]))
    return images.reshape(*frames.shape[:2], *images.shape[1:])


@partial(jax.jit, static_argnames=("strides", "padding"))
def image_convolution(images: jax.Array, kernel: jax.Array, *, strides: Pair, padding: PlanePadding) -> jax.Array:
    """A 2-D convolution; of one tap it is a matrix product, and few outputs are those of blocks of pixels.

    Others go by any of the ways of `convolve_planes`. Compiled as `planar_convolution` is.
    """
    if kernel.shape[:2] == (1, 1):
        outputs = images[:, :: strides[0], :: strides[1]] @ kernel[0, 0]
    else:
        outputs = convolve_by_blocks(convolve_planes, images, kernel, strides, padding, block_shape(images, kernel))
    return cotangent_once(outputs, kernel)
