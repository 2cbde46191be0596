"""Blocks of pixels against XLA's own convolution, and where they are chosen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.models.cpu.blocks import block_shape, by_blocks
from jaxsal.models.cpu.planar import image_convolution
from jaxsal.models.cpu.plane import convolve_images

CASES = {  # height and width, taps, strides, padding
    "square": ((9, 8), (7, 7), (1, 1), ((3, 3), (3, 3))),
    "uneven": ((7, 5), (3, 2), (1, 1), ((2, 0), (0, 1))),
    "steps": ((11, 14), (7, 7), (2, 2), ((3, 3), (3, 3))),
    "steps that leave inputs over": ((10, 9), (3, 3), (3, 2), ((0, 0), (0, 0))),
    "one pixel": ((1, 1), (3, 3), (1, 1), ((1, 1), (1, 1))),
}


def layer(case, outputs, channels=3):
    size, taps, strides, padding = CASES[case]
    generator = np.random.default_rng(0)
    images = jnp.asarray(generator.standard_normal((2, *size, channels)), jnp.float32)
    kernel = jnp.asarray(generator.standard_normal((*taps, channels, outputs)), jnp.float32)
    return images, kernel, dict(strides=strides, padding=padding)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 3), (4, 4)])
@pytest.mark.parametrize("case", CASES)
def test_blocks_are_the_pixels_of_a_convolution(case, shape):
    images, kernel, options = layer(case, 4)

    blocks = by_blocks(images, kernel, options["strides"], options["padding"], shape)
    outputs = convolve_images(images, blocks.kernel, strides=blocks.strides, padding=blocks.padding)

    expected = convolve_images(images, kernel, **options)
    np.testing.assert_allclose(blocks.pixels(outputs), expected, atol=2e-5)
    rows, columns = (-(-expected.shape[axis] // shape[axis - 1]) for axis in (1, 2))
    assert blocks.places(outputs).shape == (2, rows, columns, *shape, 4)
    np.testing.assert_array_equal(blocks.places(outputs)[:, 0, 0, 0, 0], blocks.pixels(outputs)[:, 0, 0])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("outputs", "channels"), [(1, 3), (8, 3), (16, 3), (40, 3), (8, 32)])
def test_images_and_their_gradients_are_those_of_xlas_convolution(case, outputs, channels):
    """Of 8 outputs and 32 channels, blocks of large kernels go tap by tap."""
    images, kernel, options = layer(case, outputs, channels)

    found, vjp = jax.vjp(lambda x, w: image_convolution(x, w, **options), images, kernel)
    expected, expected_vjp = jax.vjp(lambda x, w: convolve_images(x, w, **options), images, kernel)

    terms = channels / 3  # of sums, as many times as of three channels
    np.testing.assert_allclose(found, expected, atol=5e-5 * terms)
    cotangent = jnp.asarray(np.random.default_rng(1).standard_normal(expected.shape), jnp.float32)
    for gradient, expected_gradient in zip(vjp(cotangent), expected_vjp(cotangent), strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, atol=1e-4 * terms)


@pytest.mark.parametrize(
    ("kernel_shape", "shape"),
    [
        ((7, 7, 3, 8), (2, 3)),
        ((7, 7, 3, 16), (2, 2)),
        ((7, 7, 3, 24), (1, 2)),
        ((7, 7, 3, 4), (1, 1)),
        ((7, 7, 3, 64), (1, 1)),
        ((3, 3, 8, 8), (2, 2)),
        ((3, 3, 16, 16), (1, 2)),
        ((3, 3, 24, 16), (1, 1)),
        ((3, 3, 16, 32), (1, 1)),
        ((1, 1, 8, 8), (1, 1)),
    ],
)
def test_few_outputs_have_blocks(kernel_shape, shape):
    kernel = jax.ShapeDtypeStruct(kernel_shape, jnp.float32)
    assert block_shape(jax.ShapeDtypeStruct((1, 9, 9, kernel_shape[-2]), jnp.float32), kernel) == shape


def test_sixteen_bits_are_not_put_into_blocks():
    images, kernel, options = layer("square", 8)
    images, kernel = images.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)

    jaxpr = jax.make_jaxpr(lambda x, w: image_convolution.__wrapped__(x, w, **options))(images, kernel)

    (convolution,) = [equation for equation in jaxpr.eqns if equation.primitive.name == "conv_general_dilated"]
    assert convolution.outvars[0].aval.shape == (2, 9, 8, 8)
