import jax
import jax.numpy as jnp
import numpy as np
import pytest
import roofline
from jax import lax


def convolve(inputs, kernel):
    layout = ("NDHWC", "DHWIO", "NDHWC")
    return lax.conv_general_dilated(inputs, kernel, (1, 2, 2), ((1, 1), (0, 2), (3, 3)), dimension_numbers=layout)


def test_a_convolution_is_counted_as_by_hand_and_as_by_xla():
    """Outputs 4x4x5 (strides 1, 2, 2) of 4x7x9: taps that meet no padding, axis by axis."""
    inputs, kernel = jnp.zeros((2, 4, 7, 9, 3)), jnp.zeros((3, 3, 7, 3, 5))
    (product,) = roofline.products_of(jax.make_jaxpr(convolve)(inputs, kernel).jaxpr)
    frames, rows, columns = 2 + 3 + 3 + 2, 3 + 3 + 3 + 1, 4 + 6 + 7 + 6 + 4
    assert product.flops == 2 * 2 * 3 * 5 * frames * rows * columns
    assert product.flops == jax.jit(convolve).lower(inputs, kernel).cost_analysis()["flops"]
    outputs = convolve(inputs, kernel)
    assert product.values == inputs.size + kernel.size + outputs.size


def test_products_in_loops_and_functions_are_found():
    def function(a, b):
        return lax.fori_loop(0, 3, lambda _, x: jax.jit(jnp.dot)(x, b), a)

    a, b = jnp.zeros((4, 6)), jnp.zeros((6, 6))
    (product,) = roofline.products_of(jax.make_jaxpr(function)(a, b).jaxpr)
    assert product == (2 * 4 * 6 * 6, 4 * 6 + 6 * 6 + 4 * 6)


def test_the_longest_of_arithmetic_and_memory_bounds_a_mask():
    chip = roofline.Chip("toy", flops=1e12, bandwidth=1e9, value_bytes=2)
    times = roofline.roofline(dict(gflop=3.0, least_values=1e6, layer_values=4e6), chip)
    np.testing.assert_allclose(list(times.values()), [3.0, 2.0, 8.0])


@pytest.mark.parametrize("name", ["resnet3d18"])
def test_the_table_of_a_small_network(name):
    spec = roofline.network_spec(name, roofline.Config(width=2, num_frames=2, crop=16))
    row = roofline.network_row(name, spec, chunk_size=2)
    assert 0 < row["outside"] < 0.5
    assert row["least_values"] < row["layer_values"]
    masks = roofline.method_rows(spec.clip_shape, 2)
    assert [mask["method"] for mask in masks] == ["RISE", "SIDU", "deletion, insertion"]
    assert roofline.network_table([row]).count("\n") == 2
    assert roofline.method_table(masks).count("\n") == 4
