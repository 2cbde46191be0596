"""2-D convolutions on CPU whose output rows share their products (Toom-Cook over rows)."""

from functools import partial

import jax
import jax.numpy as jnp

from jaxsal.models.plane import HasShape, Pair, PlanePadding, convolve_images, count_outputs
from jaxsal.models.winograd import best_tile, transformed

LEAST_CHANNELS = 32  # of inputs and outputs, from where products outweigh the sums
LEAST_PIXELS = 200  # of a product, over all images; a `vmap` is not seen, so chunks of any size are computed alike
WORTHWHILE = 0.8  # of the products must be left for the transforms to pay


def convolve_planes(images: jax.Array, kernel: jax.Array, *, strides: Pair, padding: PlanePadding) -> jax.Array:
    """The 2-D convolution of images, its rows transformed where that is faster.

    A program that differentiates it has XLA's own instead, whose gradient is faster than the transforms'.

    Args:
      images: (N, H, W, C).
      kernel: (h, w, C, D).
      strides: Over height and width.
      padding: Zeros before and after, for height and width.
    """
    if rows_pay(images, kernel, strides, padding):
        return _by_rows(images, kernel, padding)
    return convolve_images(images, kernel, strides=strides, padding=padding)


def rows_pay(images: HasShape, kernel: HasShape, strides: Pair, padding: PlanePadding) -> bool:
    """Whether `transformed_rows` is faster than XLA's convolution for arrays of these shapes and types."""
    if strides != (1, 1) or jnp.finfo(images.dtype).bits < 32 or min(kernel.shape[2:]) < LEAST_CHANNELS:
        return False
    size, taps = count_outputs(images, kernel, 1, padding[0]), kernel.shape[0]
    tile = best_tile(size, taps)
    num_pixels = images.shape[0] * images.shape[2] * -(-size // tile.num_outputs)
    return tile.convolutions <= WORTHWHILE * taps * size and num_pixels >= LEAST_PIXELS


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _by_rows(images: jax.Array, kernel: jax.Array, padding: PlanePadding) -> jax.Array:
    return transformed_rows(images, kernel, padding)


@_by_rows.defjvp
def _by_rows_jvp(padding: PlanePadding, primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    return jax.jvp(partial(convolve_images, strides=(1, 1), padding=padding), primals, tangents)


def transformed_rows(images: jax.Array, kernel: jax.Array, padding: PlanePadding) -> jax.Array:
    """`transformed` over the rows of images, without steps; what is left are convolutions along rows."""

    def convolve(rows: jax.Array, row: jax.Array) -> jax.Array:
        return convolve_images(rows, row[None], strides=(1, 1), padding=((0, 0), padding[1]))

    return transformed(images, kernel, padding[0], convolve)
