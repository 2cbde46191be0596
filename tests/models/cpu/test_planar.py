from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxsal.models.conv import conv3d
from jaxsal.models.cpu.planar import planar_convolution
from jaxsal.models.cpu.winograd import toom_cook

PADDING = ((1, 1), (1, 1), (1, 1))


def layer(num_frames, dtype=np.float32):
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((1, num_frames, 3, 4, 32)).astype(dtype)
    return jnp.asarray(inputs), jnp.asarray(generator.standard_normal((3, 3, 3, 32, 8)).astype(dtype))


def planar(inputs, kernel):
    return planar_convolution(inputs, kernel, strides=(1, 1, 1), padding=PADDING)


def convolved_planes(inputs, kernel):
    """The number of images of each 2-D convolution."""
    jaxpr = jax.make_jaxpr(partial(planar_convolution.__wrapped__, strides=(1, 1, 1), padding=PADDING))(inputs, kernel)
    convolutions = [equation for equation in jaxpr.eqns if equation.primitive.name == "conv_general_dilated"]
    return [equation.invars[0].aval.shape[0] for equation in convolutions]


@pytest.mark.parametrize(("num_outputs", "num_taps"), [(2, 3), (3, 3), (4, 3), (5, 2), (2, 4), (2, 5)])
def test_transforms_give_the_outputs_of_a_filter(num_outputs, num_taps):
    """y_i = sum_j d_(i+j) g_j."""
    transform = toom_cook(num_outputs, num_taps)
    generator = np.random.default_rng(0)
    inputs, taps = generator.standard_normal(num_outputs + num_taps - 1), generator.standard_normal(num_taps)

    outputs = transform.outputs @ ((transform.kernel @ taps) * (transform.inputs @ inputs))

    np.testing.assert_allclose(outputs, np.correlate(inputs, taps, "valid"), atol=1e-12)


def test_transforms_are_shared_and_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        toom_cook(2, 3).inputs[0] = 1


def test_the_transform_of_two_outputs_by_hand():
    """The points 0, 1, -1 and infinity, as in Lavin and Gray's F(2, 3) up to signs."""
    outputs, kernel, inputs = toom_cook(2, 3)

    np.testing.assert_array_equal(outputs, [[1, 1, 1, 0], [0, 1, -1, 1]])
    np.testing.assert_array_equal(kernel, [[-1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    np.testing.assert_array_equal(inputs, [[-1, 0, 1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]])


@pytest.mark.parametrize(
    ("num_frames", "num_planes"),
    [(1, 1), (2, 4), (3, 5), (4, 6), (5, 10), (6, 10), (7, 12), (8, 12), (9, 15), (16, 24), (32, 48)],
)
def test_number_of_planes_convolved(num_frames, num_planes):
    """Of 3 taps, without padding: 3 T - 2 by taps, 6 for every 4 frames transformed."""
    assert sum(convolved_planes(*layer(num_frames))) == num_planes


@pytest.mark.parametrize("num_frames", [2, 3, 4, 5, 8, 11])
def test_rounding_stays_that_of_float32(num_frames):
    inputs, kernel = layer(num_frames)

    outputs = jax.jit(planar)(inputs, kernel)

    with jax.enable_x64(True):
        wide = [jnp.asarray(np.asarray(array), jnp.float64) for array in (inputs, kernel)]
        layout = ("NDHWC", "DHWIO", "NDHWC")
        exact = np.asarray(lax.conv_general_dilated(*wide, (1, 1, 1), PADDING, dimension_numbers=layout))
    assert np.abs(outputs - exact).max() < 2e-6 * np.abs(exact).max()


def test_sixteen_bits_are_one_convolution():
    """Their rounding would grow with the transforms, and with the parts of a sum."""
    inputs, kernel = layer(4, jnp.bfloat16)
    assert len(convolved_planes(inputs, kernel)) == 1
    found = np.asarray(jax.jit(planar)(inputs, kernel), np.float32)
    exact = np.asarray(jax.jit(planar)(inputs.astype(jnp.float32), kernel.astype(jnp.float32)))
    np.testing.assert_allclose(found, exact, rtol=2**-8, atol=1e-3)


def test_layers_of_one_shape_are_one_function_of_a_program():
    inputs, _ = layer(4)
    kernel = jnp.ones((3, 3, 3, 32, 32))

    def program(inputs):
        once = conv3d(inputs, kernel, padding=PADDING)
        return once, conv3d(once, 2 * kernel, padding=PADDING)

    assert jax.jit(program).lower(inputs).as_text().count("stablehlo.convolution") == 6
