"""2-D convolutions in shared products or tap by tap: the same numbers, where they are taken, their gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.models.conv import Conv2D, conv3d
from jaxsal.models.cpu.planar import convolve_products
from jaxsal.models.cpu.plane import convolve_images
from jaxsal.models.cpu.tiles import (
    convolve_planes,
    plane_form,
    sum_of_taps,
    transformed_rows,
    transformed_tiles,
)

PAD = ((1, 1), (1, 1))
OPTIONS = dict(strides=(1, 1), padding=PAD)


def layer(shape=(2, 28, 28), taps=(3, 3), channels=(32, 32), dtype=np.float32):
    generator = np.random.default_rng(0)
    images = generator.standard_normal((*shape, channels[0])).astype(dtype)
    return jnp.asarray(images), jnp.asarray(generator.standard_normal((*taps, *channels)).astype(dtype))


def operations(name, function, *arrays):
    """How many of a kind there are in the program of a function for CPU."""
    return jax.jit(function).lower(*arrays).as_text().count(f"stablehlo.{name}")


convolutions = partial(operations, "convolution")
products = partial(operations, "dot_general")


@pytest.mark.parametrize("transformed", [transformed_rows, transformed_tiles])
@pytest.mark.parametrize(
    ("size", "taps", "padding"),
    [
        ((56, 40), (3, 3), PAD),
        ((7, 7), (3, 3), PAD),
        ((8, 5), (3, 3), ((0, 0), (0, 0))),
        ((9, 6), (3, 2), ((2, 0), (0, 1))),
        ((10, 6), (2, 4), ((0, 1), (2, 1))),
        ((6, 6), (5, 5), ((2, 2), (2, 2))),
        ((2, 6), (3, 3), PAD),
        ((1, 6), (3, 3), PAD),
    ],
)
def test_the_sum_of_xla_at_any_size(transformed, size, taps, padding):
    images, kernel = layer((2, *size), taps)

    outputs = jax.jit(transformed, static_argnums=2)(images, kernel, padding)

    expected = convolve_images(images, kernel, strides=(1, 1), padding=padding)
    assert outputs.shape == expected.shape
    np.testing.assert_allclose(outputs, expected, atol=4e-6 * float(jnp.abs(expected).max()))


def test_rows_of_a_kernel_of_one_column():
    padding = ((2, 0), (0, 0))
    images, kernel = layer((2, 9, 6), (3, 1))

    outputs = jax.jit(transformed_rows, static_argnums=2)(images, kernel, padding)

    expected = convolve_images(images, kernel, strides=(1, 1), padding=padding)
    assert outputs.shape == expected.shape
    np.testing.assert_allclose(outputs, expected, atol=4e-6 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize(
    ("size", "taps", "strides", "padding"),
    [
        ((1, 1), (3, 3), (1, 1), PAD),
        ((2, 2), (3, 3), (1, 1), PAD),
        ((4, 3), (3, 3), (2, 2), PAD),
        ((9, 6), (3, 1), (1, 2), ((2, 0), (0, 0))),
        ((10, 6), (2, 4), (3, 1), ((0, 1), (2, 1))),
    ],
)
def test_taps_meet_what_the_kernel_covers(size, taps, strides, padding):
    images, kernel = layer((2, *size), taps)

    outputs = jax.jit(partial(sum_of_taps, strides=strides, padding=padding))(images, kernel)

    expected = convolve_images(images, kernel, strides=strides, padding=padding)
    assert outputs.shape == expected.shape
    np.testing.assert_allclose(outputs, expected, atol=1e-6 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize(("size", "strides", "count"), [(1, 1, 1), (2, 1, 9), (2, 2, 4), (4, 2, 9)])
def test_taps_that_meet_padding_alone_are_left_out(size, strides, count):
    images, kernel = layer((2, size, size))
    assert products(partial(convolve_planes, strides=(strides,) * 2, padding=PAD), images, kernel) == count


def test_rounding_of_tiles():
    """Rows and columns transformed: the error of each output against the largest."""
    images, kernel = layer((2, 28, 28), channels=(64, 64))

    outputs = jax.jit(transformed_tiles, static_argnums=2)(images, kernel, PAD)

    with jax.enable_x64(True):
        wide = [jnp.asarray(np.asarray(array), jnp.float64) for array in (images, kernel)]
        exact = np.asarray(convolve_images(*wide, **OPTIONS))
    assert exact.dtype == np.float64
    assert np.abs(outputs - exact).max() < 2e-6 * np.abs(exact).max()


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
    ("shape", "channels", "form"),
    [
        ((8, 56, 56), (64, 64), "tiles"),
        ((8, 14, 14), (256, 256), "tiles"),
        ((2, 28, 28), (32, 32), "tiles"),
        ((8, 7, 7), (512, 512), "lax"),
        ((8, 3, 3), (512, 512), "lax"),
        ((8, 2, 2), (512, 512), "taps"),
        ((1, 4, 2), (32, 32), "taps"),
        ((8, 14, 14), (512, 1024), "rows"),
        ((1, 14, 14), (32, 32), "lax"),
    ],
)
def test_the_way_by_the_shape(shape, channels, form):
    arrays = [jax.ShapeDtypeStruct((*shape, channels[0]), jnp.float32)]
    arrays.append(jax.ShapeDtypeStruct((3, 3, *channels), jnp.float32))

    assert plane_form(*arrays, (1, 1), PAD) == form

    found = [count(partial(convolve_planes, **OPTIONS), *arrays) for count in (convolutions, products)]
    assert found == {"tiles": [0, 36], "rows": [6, 0], "taps": [0, 9], "lax": [1, 0]}[form]


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
def test_where_nothing_else_pays_it_is_xlas(change, options):
    images, kernel = layer(**change)
    assert plane_form(*layer(), (1, 1), PAD) == "tiles"
    assert plane_form(images, kernel, options["strides"], options["padding"]) == "lax"
    assert convolutions(partial(convolve_planes, **options), images, kernel) == 1


def test_products_of_a_layer_over_time_share_rows_alone():
    images, kernel = layer((8, 14, 14), channels=(256, 256))
    assert plane_form(images, kernel, (1, 1), PAD) == "tiles"
    assert convolutions(partial(convolve_products, **OPTIONS), images, kernel) == 6


def test_a_small_layer_over_time_goes_tap_by_tap():
    """Of a single frame the taps over time that meet padding are left out as well."""
    clips, kernel = jnp.ones((2, 1, 1, 1, 32)), jnp.ones((3, 3, 3, 32, 32))
    convolve = partial(conv3d, padding=((1, 1), *PAD))
    assert (convolutions(convolve, clips, kernel), products(convolve, clips, kernel)) == (0, 1)
    np.testing.assert_allclose(jax.jit(convolve)(clips, kernel), 32.0)


GRADIENTS = {  # what a way is differentiated by
    "tiles": (convolve_planes, dict(), partial(transformed_rows, padding=PAD)),
    "rows": (convolve_products, dict(), partial(convolve_images, **OPTIONS)),
    "taps": (convolve_planes, dict(shape=(2, 2, 4)), partial(sum_of_taps, **OPTIONS)),
}


@pytest.mark.parametrize("form", GRADIENTS)
@pytest.mark.parametrize("by", [0, 1, (0, 1)])
def test_a_gradient_is_that_of_the_way_whose_is_fastest(form, by):
    """Of the forward pass too: both sides count, not one of them."""
    convolve, change, other = GRADIENTS[form]
    convolve = partial(convolve, **OPTIONS)
    images, kernel = layer(**change)

    def squares(convolve, images, kernel):
        return (convolve(images, kernel) ** 2).sum()

    gradients = [jax.grad(partial(squares, function), by) for function in (convolve, other)]
    found, expected = (
        [count(gradient, images, kernel) for count in (convolutions, products)] for gradient in gradients
    )

    assert found == expected
    forward = [count(partial(squares, convolve), images, kernel) for count in (convolutions, products)]
    assert forward == {"tiles": [0, 36], "rows": [6, 0], "taps": [0, 9]}[form]
    for one, expected in zip(*(jax.tree.leaves(gradient(images, kernel)) for gradient in gradients), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("form", GRADIENTS)
def test_tangents_and_batches(form):
    convolve, change, _ = GRADIENTS[form]
    images, kernel = layer(**change)
    direction = jnp.ones_like(images)

    values, tangents = jax.jvp(lambda images: convolve(images, kernel, **OPTIONS), (images,), (direction,))
    batches = jax.vmap(lambda images: convolve(images[None], kernel, **OPTIONS)[0])(images)

    of_direction = convolve_images(direction, kernel, **OPTIONS)
    np.testing.assert_allclose(tangents, of_direction, rtol=1e-5, atol=2e-4)
    np.testing.assert_allclose(batches, values, atol=2e-4)


@pytest.mark.parametrize("form", GRADIENTS)
def test_gradients_of_gradients(form):
    convolve, change, _ = GRADIENTS[form]
    images, kernel = layer(**change)

    def curvature(convolve):
        """The derivative of a gradient's norm, which both sides of a layer enter."""

        def slope(images, kernel):
            gradients = jax.grad(lambda *arrays: jnp.tanh(0.01 * convolve(*arrays, **OPTIONS)).sum(), (0, 1))
            return sum((gradient**2).sum() for gradient in gradients(images, kernel))

        return jax.jit(jax.grad(slope, (0, 1)))(images, kernel)

    for found, expected in zip(curvature(convolve), curvature(convolve_images), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * float(jnp.abs(expected).max()))


def test_more_taps_than_there_are_points_for():
    images, kernel = layer((1, 9, 9), (7, 7))
    with pytest.raises(ValueError, match="`num_taps` must be at most 6; got 7"):
        transformed_rows(images, kernel, ((3, 3), (3, 3)))


def test_a_layer_of_a_network_shares_rows_and_columns():
    images, _ = layer()
    model = Conv2D(32, 3)
    variables = model.init(jax.random.key(0), images)
    assert products(model.apply, variables, images) == 36
