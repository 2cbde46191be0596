"""2-D convolutions whose rows share products: the same numbers, where they are taken, how they are differentiated."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.models.conv import Conv2D, conv3d
from jaxsal.models.plane import convolve_images
from jaxsal.models.rows import convolve_planes, rows_pay, transformed_rows

PAD = ((1, 1), (1, 1))
OPTIONS = dict(strides=(1, 1), padding=PAD)


def layer(shape=(2, 28, 28), taps=(3, 3), channels=(32, 32), dtype=np.float32):
    generator = np.random.default_rng(0)
    images = generator.standard_normal((*shape, channels[0])).astype(dtype)
    return jnp.asarray(images), jnp.asarray(generator.standard_normal((*taps, *channels)).astype(dtype))


def convolutions(function, *arrays):
    """How many there are in the program of a function for CPU."""
    return jax.jit(function).lower(*arrays).as_text().count("stablehlo.convolution")


@pytest.mark.parametrize(
    ("size", "taps", "padding"),
    [
        ((56, 40), (3, 3), PAD),
        ((7, 7), (3, 3), PAD),
        ((8, 5), (3, 3), ((0, 0), (0, 0))),
        ((9, 6), (3, 1), ((2, 0), (0, 0))),
        ((10, 6), (2, 4), ((0, 1), (2, 1))),
        ((6, 6), (5, 5), ((2, 2), (2, 2))),
        ((2, 6), (3, 3), PAD),
        ((1, 6), (3, 3), PAD),
    ],
)
def test_the_sum_of_xla_at_any_size(size, taps, padding):
    images, kernel = layer((2, *size), taps)

    outputs = jax.jit(transformed_rows, static_argnums=2)(images, kernel, padding)

    expected = convolve_images(images, kernel, strides=(1, 1), padding=padding)
    assert outputs.shape == expected.shape
    np.testing.assert_allclose(outputs, expected, atol=4e-6 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize("num_frames", [3, 4, 8])
def test_rounding_of_frames_and_rows_together(num_frames):
    """Both transformed, as in a wide layer over time: the error of each output against the largest."""
    images, kernel = layer((2, num_frames, 28, 28), (3, 3, 3))
    convolve = partial(conv3d, padding=((1, 1), *PAD))

    outputs = jax.jit(convolve)(images, kernel)

    assert convolutions(convolve, images, kernel) == 6 * {3: 5, 4: 6, 8: 6}[num_frames]
    with jax.enable_x64(True):
        wide = [jnp.asarray(np.asarray(array), jnp.float64) for array in (images, kernel)]
        layout = ("NDHWC", "DHWIO", "NDHWC")
        padding = ((1, 1), *PAD)
        exact = np.asarray(jax.lax.conv_general_dilated(*wide, (1, 1, 1), padding, dimension_numbers=layout))
    assert np.abs(outputs - exact).max() < 2e-6 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (dict(), dict(strides=(2, 2), padding=PAD)),
        (dict(), dict(strides=(1, 2), padding=PAD)),
        (dict(dtype=jnp.bfloat16), OPTIONS),
        (dict(channels=(32, 16)), OPTIONS),
        (dict(channels=(16, 32)), OPTIONS),
        (dict(shape=(1, 14, 14)), OPTIONS),
        (dict(shape=(64, 1, 14)), OPTIONS),
        (dict(taps=(1, 3)), dict(strides=(1, 1), padding=((0, 0), (1, 1)))),
        (dict(taps=(7, 7)), dict(strides=(1, 1), padding=((3, 3), (3, 3)))),
    ],
)
def test_where_rows_do_not_pay_it_is_xlas(change, options):
    images, kernel = layer(**change)
    assert rows_pay(*layer(), (1, 1), PAD)
    assert not rows_pay(images, kernel, options["strides"], options["padding"])
    assert convolutions(partial(convolve_planes, **options), images, kernel) == 1


@pytest.mark.parametrize("by", [0, 1, (0, 1)])
def test_a_gradient_has_the_convolutions_of_xla_alone(by):
    """Of the forward pass one, and one for each gradient; both sides count, not one of them."""
    images, kernel = layer()

    def squares(convolve, images, kernel):
        return (convolve(images, kernel, **OPTIONS) ** 2).sum()

    gradients = [jax.grad(partial(squares, convolve), by) for convolve in (convolve_planes, convolve_images)]
    found, expected = (convolutions(gradient, images, kernel) for gradient in gradients)

    assert found == expected
    assert convolutions(partial(squares, convolve_planes), images, kernel) == 6
    for one, other in zip(*(jax.tree.leaves(gradient(images, kernel)) for gradient in gradients), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-3)


def test_tangents_and_batches():
    images, kernel = layer((2, 28, 28))
    direction = jnp.ones_like(images)

    values, tangents = jax.jvp(lambda images: convolve_planes(images, kernel, **OPTIONS), (images,), (direction,))
    batches = jax.vmap(lambda images: convolve_planes(images[None], kernel, **OPTIONS)[0])(images)

    of_direction = convolve_images(direction, kernel, **OPTIONS)
    np.testing.assert_allclose(tangents, of_direction, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(batches, values, atol=2e-4)


def test_a_layer_of_a_network_shares_its_rows():
    images, _ = layer()
    model = Conv2D(32, 3)
    variables = model.init(jax.random.key(0), images)
    assert convolutions(model.apply, variables, images) == 6
