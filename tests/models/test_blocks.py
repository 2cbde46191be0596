"""Blocks of pixels against XLA's own convolution, and where they are chosen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.models.blocks import block_shape, convolve_blocks, convolve_plane
from jaxsal.models.plane import convolve_images

CASES = {  # height and width, taps, strides, padding
    "square": ((9, 8), (7, 7), (1, 1), ((3, 3), (3, 3))),
    "uneven": ((7, 5), (3, 2), (1, 1), ((2, 0), (0, 1))),
    "steps": ((11, 14), (7, 7), (2, 2), ((3, 3), (3, 3))),
    "steps that leave inputs over": ((10, 9), (3, 3), (3, 2), ((0, 0), (0, 0))),
    "one pixel": ((1, 1), (3, 3), (1, 1), ((1, 1), (1, 1))),
}


def layer(case, outputs):
    size, taps, strides, padding = CASES[case]
    generator = np.random.default_rng(0)
    images = jnp.asarray(generator.standard_normal((2, *size, 3)), jnp.float32)
    kernel = jnp.asarray(generator.standard_normal((*taps, 3, outputs)), jnp.float32)
    return images, kernel, dict(strides=strides, padding=padding)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 3), (4, 4)])
@pytest.mark.parametrize("case", CASES)
def test_blocks_are_the_pixels_of_a_convolution(case, shape):
    images, kernel, options = layer(case, 4)

    blocks = convolve_blocks(images, kernel, options["strides"], options["padding"], shape)

    assert blocks.shape[3:] == (*shape, 4)
    pixels = np.moveaxis(blocks, 3, 2).reshape(2, blocks.shape[1] * shape[0], -1, 4)
    expected = convolve_images(images, kernel, **options)
    assert blocks.shape[1:3] == tuple(-(-expected.shape[axis] // shape[axis - 1]) for axis in (1, 2))
    np.testing.assert_allclose(pixels[:, : expected.shape[1], : expected.shape[2]], expected, atol=2e-5)


@pytest.mark.parametrize("outputs", [1, 8, 16, 40])
@pytest.mark.parametrize("case", CASES)
def test_a_plane_and_its_gradients_are_those_of_xlas_convolution(case, outputs):
    images, kernel, options = layer(case, outputs)

    found, vjp = jax.vjp(lambda x, w: convolve_plane(x, w, **options), images, kernel)
    expected, expected_vjp = jax.vjp(lambda x, w: convolve_images(x, w, **options), images, kernel)

    np.testing.assert_allclose(found, expected, atol=5e-5)
    cotangent = jnp.asarray(np.random.default_rng(1).standard_normal(expected.shape), jnp.float32)
    for gradient, expected_gradient in zip(vjp(cotangent), expected_vjp(cotangent), strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, atol=1e-4)


@pytest.mark.parametrize(
    ("kernel_shape", "shape"),
    [
        ((7, 7, 3, 8), (2, 3)),
        ((7, 7, 3, 16), (2, 2)),
        ((7, 7, 3, 24), (1, 2)),
        ((7, 7, 3, 2), (2, 2)),
        ((7, 7, 3, 64), (1, 1)),
        ((3, 3, 8, 8), (2, 2)),
        ((3, 3, 16, 16), (1, 2)),
        ((3, 3, 24, 16), (1, 1)),
        ((3, 3, 16, 32), (1, 1)),
        ((1, 1, 8, 8), (1, 1)),
    ],
)
def test_few_outputs_have_blocks(kernel_shape, shape):
    assert block_shape(kernel_shape) == shape


def test_sixteen_bits_are_not_put_into_blocks():
    images, kernel, options = layer("square", 8)
    images, kernel = images.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)

    jaxpr = jax.make_jaxpr(lambda x, w: convolve_plane(x, w, **options))(images, kernel)

    (convolution,) = [equation for equation in jaxpr.eqns if equation.primitive.name == "conv_general_dilated"]
    assert convolution.outvars[0].aval.shape == (2, 9, 8, 8)
