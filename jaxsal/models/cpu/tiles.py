"""2-D convolutions on CPU whose outputs share their products (Toom-Cook), or are few and go tap by tap."""

from functools import partial
from itertools import product
from typing import Literal

import jax
import jax.numpy as jnp

from jaxsal.models.cpu.plane import HasShape, Pair, PlanePadding, convolve_images, count_outputs, reaches
from jaxsal.models.cpu.winograd import best_tile, transformed

PlaneForm = Literal["tiles", "rows", "taps", "lax"]

LEAST_CHANNELS = 32  # of inputs and outputs, from where products outweigh the sums
LEAST_PIXELS = 200  # of a product, over all images; a `vmap` is not seen, so chunks of any size are computed alike
LEAST_TILES = 32  # over all images, and no fewer than a quarter of the channels, whose kernel is transformed too
WORTHWHILE = 0.8  # of the products must be left for the transforms to pay
ALL_FORMS: tuple[PlaneForm, ...] = ("tiles", "rows", "taps")
IN_GRADIENTS: dict[PlaneForm, PlaneForm] = {"tiles": "rows", "rows": "lax"}  # whose gradients are faster; others stay


def convolve_planes(
    images: jax.Array,
    kernel: jax.Array,
    *,
    strides: Pair,
    padding: PlanePadding,
    allowed: tuple[PlaneForm, ...] = ALL_FORMS,
) -> jax.Array:
    """The 2-D convolution of images by the fastest of four ways, equal but for rounding, chosen by the shapes.

    A program that differentiates it has another one, by `IN_GRADIENTS`.

    Args:
      images: (N, H, W, C).
      kernel: (h, w, C, D).
      strides: Over height and width.
      padding: Zeros before and after, for height and width.
      allowed: The ways that may be chosen, beside XLA's own.
    """
    form = plane_form(images, kernel, strides, padding, allowed)
    return (_with_its_gradient if form in IN_GRADIENTS else convolve_by)(form, images, kernel, strides, padding)


def convolve_by(
    form: PlaneForm, images: jax.Array, kernel: jax.Array, strides: Pair, padding: PlanePadding
) -> jax.Array:
    """The convolution of `convolve_planes` in the way that is named; "tiles" and "rows" for strides of one only."""
    if form == "tiles":
        return transformed_tiles(images, kernel, padding)
    if form == "rows":
        return transformed_rows(images, kernel, padding)
    by_steps = sum_of_taps if form == "taps" else convolve_images
    return by_steps(images, kernel, strides=strides, padding=padding)


@partial(jax.custom_jvp, nondiff_argnums=(0, 3, 4))
def _with_its_gradient(
    form: PlaneForm, images: jax.Array, kernel: jax.Array, strides: Pair, padding: PlanePadding
) -> jax.Array:
    return convolve_by(form, images, kernel, strides, padding)


@_with_its_gradient.defjvp
def _jvp(
    form: PlaneForm, strides: Pair, padding: PlanePadding, primals: tuple, tangents: tuple
) -> tuple[jax.Array, jax.Array]:
    def convolve(images, kernel):
        return convolve_by(IN_GRADIENTS[form], images, kernel, strides, padding)

    return jax.jvp(convolve, primals, tangents)


def plane_form(
    images: HasShape,
    kernel: HasShape,
    strides: Pair,
    padding: PlanePadding,
    allowed: tuple[PlaneForm, ...] = ALL_FORMS,
) -> PlaneForm:
    """The way of `convolve_planes` for arrays of these shapes and types.

    "tiles" and "rows" share products, of rows and columns or of rows alone. An image of fewer outputs than the kernel
    has taps is slow in XLA, which takes the one for the other, and goes by "taps". "lax" is XLA's convolution.
    """
    channels, num_images = kernel.shape[2:], images.shape[0]
    if jnp.finfo(images.dtype).bits < 32 or min(channels) < LEAST_CHANNELS:
        return "lax"
    height, width = _sizes(images, kernel, strides, padding)
    down, right = (_tiles(size, taps, strides) for size, taps in zip((height, width), kernel.shape[:2], strict=True))
    pays = dict(
        tiles=num_images * down * right >= max(LEAST_TILES, max(channels) // 4),
        rows=num_images * down * images.shape[2] >= LEAST_PIXELS,
        taps=height * width < kernel.shape[0] * kernel.shape[1],
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


def sum_of_taps(images: jax.Array, kernel: jax.Array, *, strides: Pair, padding: PlanePadding) -> jax.Array:
    """A matrix product for each tap of the kernel, of those pixels alone that it meets, not of padding."""
    height, width = _sizes(images, kernel, strides, padding)
    down, right = (reaches(images, kernel, strides[axis], padding[axis], axis) for axis in (0, 1))
    parts = []
    for (row, rows), (column, columns) in product(enumerate(down), enumerate(right)):
        if rows.last < rows.first or columns.last < columns.first:
            continue
        pixels = images[:, rows.start : rows.stop : strides[0], columns.start : columns.stop : strides[1]]
        around = [(rows.first, height - 1 - rows.last), (columns.first, width - 1 - columns.last)]
        parts.append(jnp.pad(pixels @ kernel[row, column], [(0, 0), *around, (0, 0)]))
    return sum(parts[1:], start=parts[0])
