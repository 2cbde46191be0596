"""Which form a convolution has on CPU, forward and in a gradient, and how it is rounded."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from jaxsal.models.conv import same
from jaxsal.models.cpu.axes import convolve_by
from jaxsal.models.cpu.convolution import (
    OF_FRAMES,
    PLANE_FORMS,
    convolve_images,
    fast_convolution,
    frame_form,
    plane_form,
)
from slow_convolution import assert_close, convolve, curvature, random_arrays

PAD, CUBE = ((1, 1), (1, 1)), ((1, 1), (1, 1), (1, 1))
OPERATIONS = {"tiles": [0, 36], "rows": [6, 0], "taps": [0, 9], "lax": [1, 0]}  # 2-D convolutions and products


def shapes(inputs, kernel, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(inputs, dtype), jax.ShapeDtypeStruct(kernel, dtype)


def operations(function, *arrays):
    """Convolutions and matrix products in the program of a function for CPU."""
    text = jax.jit(function).lower(*arrays).as_text()
    return [text.count(f"stablehlo.{name}") for name in ("convolution", "dot_general")]


over_time = partial(fast_convolution, strides=(1, 1, 1), padding=CUBE, pointwise=same)
over_space = partial(convolve_images, strides=(1, 1), padding=PAD)


@pytest.mark.parametrize(
    ("images", "channels", "form"),
    [
        ((8, 56, 56), (64, 64), "tiles"),
        ((2, 28, 28), (32, 32), "tiles"),
        ((8, 7, 7), (512, 512), "lax"),
        ((8, 2, 2), (512, 512), "taps"),
        ((1, 4, 2), (32, 32), "taps"),
        ((8, 14, 14), (512, 1024), "rows"),
        ((1, 14, 14), (32, 32), "lax"),
        ((64, 1, 14), (32, 32), "lax"),
        ((2, 28, 28), (32, 16), "lax"),
        ((2, 28, 28), (16, 32), "lax"),
    ],
)
def test_the_form_of_images(images, channels, form):
    arrays = shapes((*images, channels[0]), (3, 3, *channels))
    assert plane_form(*arrays, (1, 1), PAD) == form
    assert operations(over_space, *arrays) == OPERATIONS[form]


@pytest.mark.parametrize(
    ("taps", "strides", "dtype"),
    [
        ((3, 3), (2, 2), jnp.float32),
        ((3, 3), (1, 2), jnp.float32),
        ((3, 3), (1, 1), jnp.bfloat16),
        ((1, 3), (1, 1), jnp.float32),
        ((7, 7), (1, 1), jnp.float32),
    ],
)
def test_steps_sixteen_bits_few_taps_and_many_leave_images_to_xla(taps, strides, dtype):
    arrays = shapes((2, 28, 28, 32), (*taps, 32, 32), dtype)
    assert plane_form(*arrays, strides, tuple((tap // 2, tap // 2) for tap in taps)) == "lax"


@pytest.mark.parametrize(("size", "stride", "count"), [(1, 1, 1), (2, 1, 9), (2, 2, 4), (4, 2, 9)])
def test_taps_that_meet_padding_alone_are_left_out(size, stride, count):
    arrays = shapes((2, size, size, 32), (3, 3, 32, 32))
    assert operations(partial(convolve_images, strides=(stride,) * 2, padding=PAD), *arrays) == [0, count]


def test_frames_share_rows_and_no_columns():
    images = shapes((8, 14, 14, 256), (3, 3, 256, 256))
    assert plane_form(*images, (1, 1), PAD) == "tiles"
    assert plane_form(*images, (1, 1), PAD, OF_FRAMES) == "rows"
    assert operations(over_time, *shapes((2, 4, 28, 28, 32), (3, 3, 3, 32, 32))) == [36, 0]


@pytest.mark.parametrize(
    ("num_frames", "form", "num_images"),
    [
        (1, "split", 1),
        (2, "split", 4),
        (3, "winograd", 5),
        (5, "winograd", 10),
        (9, "winograd", 15),
    ],
)
def test_the_form_over_time_and_the_images_it_convolves(num_frames, form, num_images):
    """Of 3 taps, without padding: 3 T - 2 by taps, 6 for every 4 frames transformed."""
    arrays = shapes((1, num_frames, 3, 4, 32), (3, 3, 3, 32, 8))
    assert frame_form(*arrays, (1, 1, 1), CUBE) == form

    jaxpr = jax.make_jaxpr(partial(fast_convolution.__wrapped__, **over_time.keywords))(*arrays)

    convolutions = [equation for equation in jaxpr.eqns if equation.primitive.name == "conv_general_dilated"]
    assert sum(equation.invars[0].aval.shape[0] for equation in convolutions) == num_images


@pytest.mark.parametrize(("channels", "stride", "form"), [(16, 2, "joined"), (17, 2, "split"), (17, 1, "winograd")])
def test_steps_over_time_join_or_split_the_kernel(channels, stride, form):
    arrays = shapes((1, 8, 6, 6, channels), (3, 3, 3, channels, 8))
    assert frame_form(*arrays, (stride, 1, 1), CUBE) == form


@pytest.mark.parametrize(("inputs", "kernel"), [((1, 4, 3, 4, 32), (3, 3, 3, 32, 8)), ((2, 9, 8, 3), (7, 7, 3, 8))])
def test_sixteen_bits_are_one_convolution(inputs, kernel):
    """Their rounding would grow with the transforms, and with the parts of a sum; they are not put into blocks."""
    strides, padding = (1,) * (len(inputs) - 2), tuple((taps // 2, taps // 2) for taps in kernel[:-2])
    convolution = partial(fast_convolution, strides=strides, padding=padding, pointwise=same)
    assert operations(convolution, *shapes(inputs, kernel, jnp.bfloat16)) == [1, 0]
    arrays = [jnp.asarray(array, jnp.bfloat16) for array in random_arrays(inputs, kernel)]
    assert_close(convolution(*arrays).astype(jnp.float32), convolve(*arrays, strides, padding).outputs, 2**-8)


def test_layers_of_one_shape_are_one_function_of_a_program():
    arrays = shapes((1, 4, 3, 4, 32), (3, 3, 3, 32, 32))
    assert operations(lambda clips, kernel: over_time(over_time(clips, kernel), 2 * kernel), *arrays) == [6, 0]


@pytest.mark.parametrize("by", [0, 1, (0, 1)])
@pytest.mark.parametrize(("form", "in_gradients"), [("tiles", "rows"), ("rows", "lax"), ("taps", "taps")])
def test_a_gradient_has_the_form_whose_gradient_is_fastest(form, in_gradients, by):
    """Of the forward pass too: both sides count, not one of them."""
    size = 2 if form == "taps" else 28
    arrays = shapes((8, size, size, 32), (3, 3, 32, 32))
    convolve_so = partial(convolve_by, PLANE_FORMS[in_gradients], strides=(1, 1), padding=PAD)
    squares, expected = (
        lambda *arrays, convolve=convolve: (convolve(*arrays) ** 2).sum()
        for convolve in (partial(over_space, allowed=(form,)), convolve_so)
    )
    assert operations(squares, *arrays) == OPERATIONS[form]
    assert operations(jax.grad(squares, by), *arrays) == operations(jax.grad(expected, by), *arrays)


@pytest.mark.parametrize(
    ("inputs", "kernel", "stride"),
    [
        ((2, 16, 16, 32), (3, 3, 32, 32), 1),
        ((2, 3, 2, 3, 2), (3, 1, 3, 2, 4), 1),
        ((2, 3, 2, 3, 17), (3, 1, 3, 17, 2), 2),
        ((2, 3, 2, 3, 2), (3, 1, 3, 2, 4), 2),
    ],
    ids=["tiles", "winograd", "split", "joined"],
)
def test_every_way_to_differentiate(inputs, kernel, stride):
    """Tangents, batches, gradients of gradients and tangents of gradients."""
    strides, padding = (stride, *(1,) * (len(inputs) - 3)), tuple((taps // 2, taps // 2) for taps in kernel[:-2])
    arrays = tuple(map(jnp.asarray, random_arrays(inputs, kernel)))
    convolution = partial(fast_convolution, strides=strides, padding=padding, pointwise=same)
    gradient = jax.grad(lambda *arrays: (convolution(*arrays) ** 2).sum() / 2, (0, 1))

    @jax.jit
    def results(inputs, kernel):
        _, tangents = jax.jvp(lambda inputs: convolution(inputs, kernel), (inputs,), (inputs,))
        batches = jax.vmap(lambda one: convolution(one[None], kernel)[0])(inputs)
        slope = lambda *arrays: sum((side**2).sum() for side in gradient(*arrays)) / 2  # noqa: E731
        _, of_tangents = jax.jvp(gradient, (inputs, kernel), gradient(inputs, kernel))
        return tangents, batches, jax.grad(slope, (0, 1))(inputs, kernel), of_tangents

    tangents, batches, *curvatures = results(*arrays)

    outputs = convolve(*arrays, strides, padding).outputs
    assert_close(tangents, outputs, 3e-6)
    assert_close(batches, outputs, 3e-6)
    expected = curvature(*arrays, strides, padding)
    for found in curvatures:
        assert_close(found[0], expected[0], 1e-5)
        assert_close(found[1], expected[1], 1e-5)


@pytest.mark.parametrize(
    ("inputs", "num_outputs", "error"),
    [
        ((1, 3, 3, 4, 32), 8, 2e-6),
        ((1, 11, 3, 4, 32), 8, 2e-6),
        ((2, 3, 14, 28, 32), 32, 3e-6),
        ((2, 4, 14, 28, 32), 32, 2e-6),
        ((2, 16, 16, 64), 64, 2e-6),
    ],
    ids=["frames", "many frames", "three frames and rows", "frames and rows", "tiles"],
)
def test_rounding_stays_that_of_float32(inputs, num_outputs, error):
    """The points of three outputs, 0, 1, -1 and 2, are not symmetric, and err more than those of four."""
    arrays = random_arrays(inputs, (*(3,) * (len(inputs) - 2), inputs[-1], num_outputs))
    fast, padding = (over_space, PAD) if len(inputs) == 4 else (over_time, CUBE)
    assert_close(jax.jit(fast)(*arrays), convolve(*arrays, (1,) * len(padding), padding).outputs, error)
