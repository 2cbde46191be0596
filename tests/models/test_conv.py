from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.models.conv import convolution
from jaxsal.models.layers import Conv
from slow_convolution import assert_close, convolve, random_arrays

CUBE, NONE = ((1, 1), (1, 1), (1, 1)), ((0, 0), (0, 0), (0, 0))
LAYERS = {  # shapes, strides, padding; every form that a convolution has on CPU
    "plain": ((2, 5, 6, 7, 3), (3, 3, 3, 3, 4), (1, 1, 1), CUBE),
    "stem": ((2, 5, 12, 9, 3), (3, 7, 7, 3, 4), (1, 2, 2), ((1, 1), (3, 3), (3, 3))),
    "strided": ((2, 8, 6, 7, 3), (3, 3, 3, 3, 4), (2, 2, 2), CUBE),
    "strided, one frame": ((1, 1, 6, 7, 3), (3, 3, 3, 3, 4), (2, 2, 2), CUBE),
    "uneven": ((1, 9, 6, 7, 2), (4, 3, 2, 2, 3), (3, 1, 2), ((3, 1), (0, 2), (1, 0))),
    "no padding": ((1, 7, 6, 7, 2), (7, 3, 2, 2, 3), (2, 1, 1), NONE),
    "wide": ((2, 5, 6, 7, 20), (3, 3, 3, 20, 4), (1, 1, 1), CUBE),
    "wide, strided": ((2, 8, 6, 7, 20), (3, 3, 3, 20, 4), (2, 2, 2), CUBE),
    "wide, one frame": ((1, 1, 6, 7, 20), (3, 3, 3, 20, 4), (2, 2, 2), CUBE),
    "wide, uneven": ((1, 9, 6, 7, 20), (4, 3, 2, 20, 3), (3, 1, 2), ((3, 1), (0, 2), (1, 0))),
    "few outputs": ((2, 5, 5, 7, 8), (3, 3, 3, 8, 8), (1, 1, 1), CUBE),
    "stem, few outputs": ((2, 5, 12, 9, 3), (3, 7, 7, 3, 8), (1, 2, 2), ((1, 1), (3, 3), (3, 3))),
    "rows": ((2, 4, 8, 50, 32), (3, 3, 3, 32, 32), (1, 1, 1), CUBE),
    "one pixel": ((2, 1, 1, 1, 32), (3, 3, 3, 32, 32), (1, 1, 1), CUBE),
    "shortcut": ((2, 5, 6, 7, 3), (1, 1, 1, 3, 4), (2, 2, 2), NONE),
    "image, shortcut": ((2, 5, 6, 3), (1, 1, 3, 4), (2, 2), NONE[1:]),
    "image, tiles": ((2, 15, 13, 32), (3, 3, 32, 32), (1, 1), CUBE[1:]),
    "image, rows": ((2, 8, 50, 32), (3, 3, 32, 260), (1, 1), CUBE[1:]),
    "image, taps": ((2, 4, 3, 32), (3, 3, 32, 32), (2, 2), CUBE[1:]),
    "image, few outputs": ((2, 11, 14, 3), (7, 7, 3, 8), (2, 2), ((3, 3), (3, 3))),
    "image, few outputs by taps": ((2, 5, 7, 32), (3, 3, 32, 8), (3, 2), NONE[1:]),
    "image": ((2, 12, 9, 3), (7, 7, 3, 4), (2, 2), ((3, 3), (3, 3))),
}
GRADIENTS = ["plain", "strided", "wide, strided", "stem, few outputs", "rows", "shortcut",
             "image, tiles", "image, taps", "image, few outputs", "image, shortcut"]  # fmt: skip


def layer(name):
    inputs, kernel, strides, padding = LAYERS[name]
    return *map(jnp.asarray, random_arrays(inputs, kernel)), dict(strides=strides, padding=padding)


@pytest.mark.parametrize("name", LAYERS)
def test_the_convolution_is_numpys(name):
    inputs, kernel, options = layer(name)
    outputs = jax.jit(partial(convolution, **options))(inputs, kernel)
    assert_close(outputs, convolve(inputs, kernel, **options).outputs, 2.5e-6)


@pytest.mark.parametrize("name", GRADIENTS)
def test_its_gradients_are_numpys(name):
    inputs, kernel, options = layer(name)
    shape = jax.eval_shape(partial(convolution, **options), inputs, kernel).shape
    cotangent = np.random.default_rng(1).standard_normal(shape).astype(np.float32)

    def score(inputs, kernel, cotangent):
        return (convolution(inputs, kernel, **options) * cotangent).sum()

    of_inputs, of_kernel = jax.jit(jax.grad(score, (0, 1)))(inputs, kernel, cotangent)

    expected = convolve(inputs, kernel, **options, cotangent=cotangent)
    assert_close(of_inputs, expected.inputs_gradient, 4e-6)
    assert_close(of_kernel, expected.kernel_gradient, 4e-6)


@pytest.mark.parametrize(
    "name", ["plain", "wide, one frame", "stem, few outputs", "rows", "shortcut", "image, tiles", "image, taps"]
)
def test_no_clips_give_no_outputs(name):
    inputs, kernel, options = layer(name)
    some, none = (jax.eval_shape(partial(convolution, **options), batch, kernel) for batch in (inputs, inputs[:0]))
    assert none.shape == (0, *some.shape[1:])


@pytest.mark.parametrize("name", ["shortcut", "image", "image, few outputs"])
def test_a_function_of_each_pixel_is_taken_of_the_outputs(name):
    inputs, kernel, options = layer(name)
    norms = lambda outputs: jnp.sqrt((outputs**2).sum(axis=-1, keepdims=True))  # noqa: E731

    found = jax.jit(partial(convolution, **options, pointwise=norms))(inputs, kernel)

    assert_close(found, np.linalg.norm(convolve(inputs, kernel, **options).outputs, axis=-1, keepdims=True), 2e-6)


@pytest.mark.parametrize("with_gradient", [False, True])
@pytest.mark.parametrize("name", ["strided", "wide, strided", "shortcut"])
def test_vmap_over_clips_merges_into_the_batch(name, with_gradient):
    """On CPU a vmap makes as many 2-D convolutions as one clip does: no groups, no transposes."""
    inputs, kernel, options = layer(name)

    def score(clip):
        return convolution(clip[None], kernel, **options).sum()

    program = jax.grad(score) if with_gradient else score
    one = jax.jit(program).trace(inputs[0]).lower(lowering_platforms=("cpu",)).as_text()
    many = jax.jit(jax.vmap(program)).trace(inputs).lower(lowering_platforms=("cpu",)).as_text()

    assert many.count("stablehlo.convolution") == one.count("stablehlo.convolution")
    assert many.count("feature_group_count = 1") == many.count("feature_group_count")
    assert many.count("batch_group_count = 1") == many.count("batch_group_count")
    assert many.count("stablehlo.transpose") == one.count("stablehlo.transpose")


@pytest.mark.parametrize(
    ("name", "on_cpu"),
    [
        ("plain", 5),
        ("strided", 1),
        ("wide, strided", 3),
        ("wide, one frame", 1),
        ("one pixel", 0),
        ("shortcut", 0),
        ("image", 1),
        ("image, shortcut", 0),
    ],
)
def test_other_platforms_have_xlas_one_convolution(name, on_cpu):
    inputs, kernel, options = layer(name)
    traced = jax.jit(partial(convolution, **options)).trace(inputs, kernel)

    convolutions = {
        platform: traced.lower(lowering_platforms=(platform,)).as_text().count("stablehlo.convolution")
        for platform in ("cpu", "cuda", "tpu")
    }

    assert convolutions == {"cpu": on_cpu, "cuda": 1, "tpu": 1}


def test_one_exported_program_serves_all_platforms():
    inputs, kernel, options = layer("wide, strided")

    @jax.jit
    def gradient(inputs, kernel):
        return jax.grad(lambda x, w: (convolution(x, w, **options) ** 2).sum(), (0, 1))(inputs, kernel)

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
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        convolution(
            jnp.zeros((1, 2, 6, 7, 3)), jnp.zeros((3, 3, 3, 3, 4)), **dict(strides=(1, 1, 1), padding=NONE) | options
        )


@pytest.mark.parametrize(("size", "strides"), [((3, 7, 7), (1, 2, 2)), ((3, 3), None)])
def test_a_layer_has_one_kernel_and_half_of_its_size_as_padding(size, strides):
    inputs = jnp.ones((2, *(9, 8, 7)[-len(size) :], 3))
    theirs = nn.Conv(4, size, strides or 1, [(taps // 2, taps // 2) for taps in size], use_bias=False)

    variables = Conv(4, size, strides).init(jax.random.key(0), inputs)

    assert jax.tree.map(jnp.shape, variables) == {"params": {"kernel": (*size, 3, 4)}}
    expected = jax.jit(theirs.apply)(variables, inputs)
    np.testing.assert_allclose(jax.jit(Conv(4, size, strides).apply)(variables, inputs), expected, atol=1e-5)


def test_layers_take_inputs_of_sixteen_bits():
    """As Flax's layers do: the wider type is that of the result, under strict promotion too."""
    for size in ((1, 1, 1), (1, 1)):
        inputs = jnp.ones((1, *size, 2), jnp.bfloat16)
        assert Conv(4, size).apply(Conv(4, size).init(jax.random.key(0), inputs), inputs).dtype == jnp.float32
