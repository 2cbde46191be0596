import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxsal.models.conv import Conv2D, Conv3D, conv3d

LAYERS = {
    "plain": ((2, 5, 6, 7, 3), (3, 3, 3, 3, 4), (1, 1, 1), ((1, 1), (1, 1), (1, 1))),
    "stem": ((2, 5, 12, 9, 3), (3, 7, 7, 3, 4), (1, 2, 2), ((1, 1), (3, 3), (3, 3))),
    "strided": ((2, 8, 6, 7, 3), (3, 3, 3, 3, 4), (2, 2, 2), ((1, 1), (1, 1), (1, 1))),
    "wide": ((2, 5, 6, 7, 20), (3, 3, 3, 20, 4), (1, 1, 1), ((1, 1), (1, 1), (1, 1))),
    "wide, strided": ((2, 8, 6, 7, 20), (3, 3, 3, 20, 4), (2, 2, 2), ((1, 1), (1, 1), (1, 1))),
    "wide, one frame": ((1, 1, 6, 7, 20), (3, 3, 3, 20, 4), (2, 2, 2), ((1, 1), (1, 1), (1, 1))),
    "wide, uneven": ((1, 9, 6, 7, 20), (4, 3, 2, 20, 3), (3, 1, 2), ((3, 1), (0, 2), (1, 0))),
    "wide, no padding": ((1, 7, 6, 7, 20), (7, 3, 2, 20, 3), (2, 1, 1), ((0, 0), (0, 0), (0, 0))),
    "strided, one frame": ((1, 1, 6, 7, 3), (3, 3, 3, 3, 4), (2, 2, 2), ((1, 1), (1, 1), (1, 1))),
    "shortcut": ((2, 5, 6, 7, 3), (1, 1, 1, 3, 4), (2, 2, 2), ((0, 0), (0, 0), (0, 0))),
    "uneven": ((1, 9, 6, 7, 2), (4, 3, 2, 2, 3), (3, 1, 2), ((3, 1), (0, 2), (1, 0))),
    "few outputs": ((2, 5, 5, 7, 8), (3, 3, 3, 8, 8), (1, 1, 1), ((1, 1), (1, 1), (1, 1))),
    "stem, few outputs": ((2, 5, 12, 9, 3), (3, 7, 7, 3, 8), (1, 2, 2), ((1, 1), (3, 3), (3, 3))),
    "no padding": ((1, 7, 6, 7, 2), (7, 3, 2, 2, 3), (2, 1, 1), ((0, 0), (0, 0), (0, 0))),
}


def xla_convolution(inputs, kernel, strides, padding):
    layout = ("NDHWC", "DHWIO", "NDHWC")
    return lax.conv_general_dilated(inputs, kernel, strides, padding, dimension_numbers=layout)


def random_layer(name):
    input_shape, kernel_shape, strides, padding = LAYERS[name]
    generator = np.random.default_rng(0)
    inputs = jnp.asarray(generator.standard_normal(input_shape), jnp.float32)
    kernel = jnp.asarray(generator.standard_normal(kernel_shape), jnp.float32)
    return inputs, kernel, strides, padding


@pytest.mark.parametrize("name", LAYERS)
def test_conv3d_and_its_gradients_equal_xlas_convolution(name):
    inputs, kernel, strides, padding = random_layer(name)

    outputs, vjp = jax.vjp(lambda x, w: conv3d(x, w, strides=strides, padding=padding), inputs, kernel)
    expected, expected_vjp = jax.vjp(lambda x, w: xla_convolution(x, w, strides, padding), inputs, kernel)

    np.testing.assert_allclose(outputs, expected, atol=1e-4)
    cotangent = jnp.asarray(np.random.default_rng(1).standard_normal(expected.shape), jnp.float32)
    for gradient, expected_gradient in zip(vjp(cotangent), expected_vjp(cotangent), strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, atol=2e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_no_clips_give_no_outputs(name):
    inputs, kernel, strides, padding = random_layer(name)
    expected = xla_convolution(inputs, kernel, strides, padding)
    assert conv3d(inputs[:0], kernel, strides=strides, padding=padding).shape == (0, *expected.shape[1:])


def test_conv3d_by_hand():
    """A difference over time, kernel (-1, 0, 1), of one pixel: y(t) = x(t + 1) - x(t - 1)."""
    inputs = jnp.asarray([1.0, 4.0, 9.0, 16.0]).reshape(1, 4, 1, 1, 1)
    kernel = jnp.asarray([-1.0, 0.0, 1.0]).reshape(3, 1, 1, 1, 1)

    outputs = conv3d(inputs, kernel, padding=((1, 1), (0, 0), (0, 0)))

    np.testing.assert_allclose(outputs.ravel(), [4.0, 8.0, 12.0, -9.0], rtol=1e-6)


@pytest.mark.parametrize("with_gradient", [False, True])
@pytest.mark.parametrize("name", ["strided", "wide, strided", "shortcut"])
def test_vmap_over_clips_merges_into_the_batch(name, with_gradient):
    """On CPU a vmap makes as many 2-D convolutions as one clip does: no groups, no transposes."""
    inputs, kernel, strides, padding = random_layer(name)

    def score(clip):
        return conv3d(clip[None], kernel, strides=strides, padding=padding).sum()

    program = jax.grad(score) if with_gradient else score
    one = jax.jit(program).trace(inputs[0]).lower(lowering_platforms=("cpu",)).as_text()
    many = jax.jit(jax.vmap(program)).trace(inputs).lower(lowering_platforms=("cpu",)).as_text()

    assert many.count("stablehlo.convolution") == one.count("stablehlo.convolution")
    assert many.count("feature_group_count = 1") == many.count("feature_group_count")
    assert many.count("batch_group_count = 1") == many.count("batch_group_count")
    assert many.count("stablehlo.transpose") == one.count("stablehlo.transpose")


@pytest.mark.parametrize(
    ("name", "on_cpu"), [("plain", 5), ("strided", 1), ("wide, strided", 3), ("wide, one frame", 1), ("shortcut", 0)]
)
def test_each_platform_gets_its_own_form(name, on_cpu):
    inputs, kernel, strides, padding = random_layer(name)
    traced = jax.jit(lambda x, w: conv3d(x, w, strides=strides, padding=padding)).trace(inputs, kernel)

    convolutions = {
        platform: traced.lower(lowering_platforms=(platform,)).as_text().count("stablehlo.convolution")
        for platform in ("cpu", "cuda", "tpu")
    }

    assert convolutions == {"cpu": on_cpu, "cuda": 1, "tpu": 1}


@pytest.mark.parametrize("name", ["stem", "wide, strided", "shortcut"])
def test_one_exported_program_serves_all_platforms(name):
    inputs, kernel, strides, padding = random_layer(name)

    @jax.jit
    def gradient(inputs, kernel):
        score = lambda x, w: (conv3d(x, w, strides=strides, padding=padding) ** 2).sum()  # noqa: E731
        return jax.grad(score, (0, 1))(inputs, kernel)

    exported = jax.export.export(gradient, platforms=["cpu", "cuda", "tpu"])(inputs, kernel)

    for ours, expected in zip(exported.call(inputs, kernel), gradient(inputs, kernel), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strides": (1, 0, 1)}, r"`strides` must be positive; got \(1, 0, 1\)"),
        ({"padding": ((3, 0), (0, 0), (0, 0))}, r"`padding` must be from 0 to below the kernel's size"),
        ({"padding": ((0, 0), (0, -1), (0, 0))}, r"`padding` must be from 0 to below the kernel's size"),
        ({}, r"`kernel` must fit into the padded inputs, \(2, 6, 7\)"),
    ],
)
def test_conv3d_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        conv3d(jnp.zeros((1, 2, 6, 7, 3)), jnp.zeros((3, 3, 3, 3, 4)), **options)


def test_conv3d_layer_has_one_kernel_and_runs_conv3d():
    inputs, _, strides, padding = random_layer("strided")
    layer = Conv3D(4, (3, 3, 3), strides, padding)

    variables = layer.init(jax.random.key(0), inputs)

    assert jax.tree.map(jnp.shape, variables) == {"params": {"kernel": (3, 3, 3, 3, 4)}}
    expected = conv3d(inputs, variables["params"]["kernel"], strides=strides, padding=padding)
    np.testing.assert_array_equal(layer.apply(variables, inputs), expected)


def test_layers_take_inputs_of_sixteen_bits():
    """As Flax's layers do: the wider type is that of the result, under strict promotion too."""
    for layer, shape in ((Conv3D(4, (1, 1, 1)), (1, 2, 3, 3, 2)), (Conv2D(4, 1), (1, 3, 3, 2))):
        inputs = jnp.ones(shape, jnp.bfloat16)
        assert layer.apply(layer.init(jax.random.key(0), inputs), inputs).dtype == jnp.float32


IMAGE_LAYERS = {
    "1x1": ((2, 5, 6, 3), 4, 1, 1),
    "1x1, strided": ((2, 5, 6, 3), 4, 1, 2),
    "3x3, strided": ((2, 5, 6, 3), 4, 3, 2),
    "stem": ((2, 12, 9, 3), 4, 7, 2),
}


@pytest.mark.parametrize("name", IMAGE_LAYERS)
def test_conv2d_layer_and_its_gradients_equal_flaxs(name):
    shape, features, size, stride = IMAGE_LAYERS[name]
    images = jnp.asarray(np.random.default_rng(0).standard_normal(shape), jnp.float32)
    layer = Conv2D(features, size, stride)
    theirs = nn.Conv(features, (size, size), (stride, stride), size // 2, use_bias=False)
    variables = layer.init(jax.random.key(0), images)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, theirs.init(jax.random.key(0), images))

    outputs, vjp = jax.vjp(layer.apply, variables, images)
    expected, expected_vjp = jax.vjp(theirs.apply, variables, images)

    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    for gradient, expected_gradient in zip(
        jax.tree.leaves(vjp(expected)), jax.tree.leaves(expected_vjp(expected)), strict=True
    ):
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "shapes"), [("1x1", []), ("3x3, strided", [(3, 3, 3, 4)])])
def test_conv2d_on_cpu_and_elsewhere(name, shapes):
    shape, features, size, stride = IMAGE_LAYERS[name]
    layer, images = Conv2D(features, size, stride), jnp.zeros(shape)
    traced = jax.jit(layer.apply).trace(layer.init(jax.random.key(0), images), images)

    def kernels(platform):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        lines = [line for line in text.splitlines() if "stablehlo.convolution" in line]
        found = [re.findall(r"tensor<([0-9x]+)xf32>", line)[1] for line in lines]
        return [tuple(map(int, kernel.split("x"))) for kernel in found]

    assert kernels("cpu") == shapes
    assert kernels("cuda") == kernels("tpu") == [(size, size, 3, features)]
