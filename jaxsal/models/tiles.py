"""2-D convolutions on CPU whose outputs share their products (Toom-Cook), or that are one product of patches."""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp

from jaxsal.models.plane import HasShape, Pair, PlanePadding, convolve_images, count_outputs
from jaxsal.models.winograd import best_tile, transformed

PlaneForm = Literal["tiles", "rows", "patches", "lax"]

LEAST_CHANNELS = 32  # of inputs and outputs, from where products outweigh the sums
LEAST_PIXELS = 200  # of a product, over all images; a `vmap` is not seen, so chunks of any size are computed alike
LEAST_TILES = 32  # over all images, and no fewer than a quarter of the channels, whose kernel is transformed too
WORTHWHILE = 0.8  # of the products must be left for the transforms to pay
ALL_FORMS: tuple[PlaneForm, ...] = ("tiles", "rows", "patches")


def convolve_planes(
    images: jax.Array,
    kernel: jax.Array,
    *,
    strides: Pair,
    padding: PlanePadding,
    allowed: tuple[PlaneForm, ...] = ALL_FORMS,
) -> jax.Array:
    """The 2-D convolution of images by the fastest of four ways, equal but for rounding, chosen by the shapes.

    A program that differentiates it has the way whose gradient is fastest: "rows" for "tiles", else XLA's own.

    Args:
      images: (N, H, W, C).
      kernel: (h, w, C, D).
      strides: Over height and width.
      padding: Zeros before and after, for height and width.
      allowed: The ways that may be chosen, beside XLA's own.
    """
    form = plane_form(images, kernel, strides, padding, allowed)
    if form == "lax":
        return convolve_images(images, kernel, strides=strides, padding=padding)
    return _by_form(images, kernel, form, strides, padding)


def plane_form(
    images: HasShape,
    kernel: HasShape,
    strides: Pair,
    padding: PlanePadding,
    allowed: tuple[PlaneForm, ...] = ALL_FORMS,
) -> PlaneForm:
    """The way of `convolve_planes` for arrays of these shapes and types.

    "tiles" and "rows" share products, of rows and columns or of rows alone. Where there are fewer outputs than
    channels, what costs is to rearrange the kernel, and "patches" takes it as it is; "lax" is XLA's convolution.
    """
    channels, num_images = kernel.shape[2:], images.shape[0]
    if jnp.finfo(images.dtype).bits < 32 or min(channels) < LEAST_CHANNELS:
        return "lax"
    height, width = _sizes(images, kernel, strides, padding)
    down, right = (_tiles(size, taps, strides) for size, taps in zip((height, width), kernel.shape[:2], strict=True))
    pays = dict(
        tiles=num_images * down * right >= max(LEAST_TILES, max(channels) // 4),
        rows=num_images * down * images.shape[2] >= LEAST_PIXELS,
        patches=num_images * height * width < min(channels),
    )
    return next((form for form in ALL_FORMS if form in allowed and pays[form]), "lax")


def _tiles(size: int, num_taps: int, strides: Pair) -> int:
    """The tiles of an axis; 0 where transforms do not pay, as with steps."""
    tile = best_tile(size, num_taps)
    pays = strides == (1, 1) and tile.convolutions <= WORTHWHILE * num_taps * size
    return -(-size // tile.num_outputs) if pays else 0


def _sizes(images: HasShape, kernel: HasShape, strides: Pair, padding: PlanePadding) -> list[int]:
    """Height and width of the outputs."""
    return [count_outputs(images, kernel, strides[axis], padding[axis], axis) for axis in (0, 1)]


@partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4))
def _by_form(images: jax.Array, kernel: jax.Array, form: PlaneForm, strides: Pair, padding: PlanePadding) -> jax.Array:
    if form == "patches":
        return product_of_patches(images, kernel, strides, padding)
    return {"tiles": transformed_tiles, "rows": transformed_rows}[form](images, kernel, padding)


@_by_form.defjvp
def _by_form_jvp(
    form: PlaneForm, strides: Pair, padding: PlanePadding, primals: tuple, tangents: tuple
) -> tuple[jax.Array, jax.Array]:
    if form == "tiles":
        return jax.jvp(partial(transformed_rows, padding=padding), primals, tangents)
    return jax.jvp(partial(convolve_images, strides=strides, padding=padding), primals, tangents)


def transformed_rows(images: jax.Array, kernel: jax.Array, padding: PlanePadding) -> jax.Array:
    """`transformed` over the rows of images, without steps; what is left are convolutions along rows."""

    def convolve(rows: jax.Array, row: jax.Array) -> jax.Array:
        return convolve_images(rows, row[None], strides=(1, 1), padding=((0, 0), padding[1]))

    return transformed(images, kernel, padding[0], convolve)


def transformed_tiles(images: jax.Array, kernel: jax.Array, padding: PlanePadding) -> jax.Array:
    """`transformed` over rows and columns, without steps; what is left are matrix products."""

    def convolve(rows: jax.Array, row: jax.Array) -> jax.Array:
        outputs = transformed(rows.reshape(-1, *rows.shape[2:]), row, padding[1], jnp.matmul)
        return outputs.reshape(*rows.shape[:2], *outputs.shape[1:])

    return transformed(images, kernel, padding[0], convolve)


def product_of_patches(images: jax.Array, kernel: jax.Array, strides: Pair, padding: PlanePadding) -> jax.Array:
    """One matrix product of all the values under the kernel, for each output, and the kernel."""
    height, width = _sizes(images, kernel, strides, padding)
    images = jnp.pad(images, [(0, 0), *padding, (0, 0)])
    down, right = (steps * (size - 1) + 1 for steps, size in zip(strides, (height, width), strict=True))
    taps = [
        images[:, row : row + down : strides[0], column : column + right : strides[1]]
        for row in range(kernel.shape[0])
        for column in range(kernel.shape[1])
    ]
    return jnp.concatenate(taps, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])
