import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.models.cpu.axes import convolve_by
from jaxsal.models.cpu.winograd import count_tiles, toom_cook, winograd
from slow_convolution import assert_close, convolve, random_arrays


@pytest.mark.parametrize(("num_outputs", "num_taps"), [(2, 3), (3, 3), (4, 3), (5, 2), (2, 4), (2, 5)])
def test_transforms_give_the_outputs_of_a_filter(num_outputs, num_taps):
    """y_i = sum_j d_(i+j) g_j."""
    transform = toom_cook(num_outputs, num_taps)
    generator = np.random.default_rng(0)
    inputs, taps = generator.standard_normal(num_outputs + num_taps - 1), generator.standard_normal(num_taps)

    outputs = transform.outputs @ ((transform.kernel @ taps) * (transform.inputs @ inputs))

    np.testing.assert_allclose(outputs, np.correlate(inputs, taps, "valid"), atol=1e-12)


@pytest.mark.parametrize(
    ("size", "num_taps", "pads"),
    [
        (56, 3, (1, 1)),
        (7, 3, (1, 1)),
        (8, 3, (0, 0)),
        (9, 3, (2, 0)),
        (10, 2, (0, 1)),
        (6, 4, (2, 1)),
        (6, 5, (2, 2)),
        (2, 3, (1, 1)),
        (1, 3, (1, 1)),
    ],
)
def test_an_axis_of_any_size(size, num_taps, pads):
    inputs, kernel = random_arrays((2, size, 4), (num_taps, 4, 3))
    outputs = jax.jit(lambda *arrays: convolve_by((winograd,), *arrays, (1,), (pads,)))(inputs, kernel)
    assert_close(outputs, convolve(inputs, kernel, (1,), (pads,)).outputs, 4e-6)


@pytest.mark.parametrize(("size", "num_tiles"), [(1, 0), (2, 1), (4, 1), (5, 2), (28, 7)])
def test_tiles_pay_with_enough_outputs(size, num_tiles):
    """Of 3 taps: 4 products for 2 outputs instead of 6, 6 for 4 instead of 12, but 3 for one."""
    assert count_tiles(size, 3, 3 * size) == num_tiles


def test_more_taps_than_there_are_points_for():
    inputs, kernel = map(jnp.asarray, random_arrays((1, 9, 2), (7, 2, 2)))
    with pytest.raises(ValueError, match="`num_taps` must be at most 6; got 7"):
        convolve_by((winograd,), inputs, kernel, (1,), ((3, 3),))
