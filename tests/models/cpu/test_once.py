"""Arrays that a gradient computes once: the programs that hold them, and every way to differentiate them."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsal.models.conv import conv3d
from jaxsal.models.cpu import planar, winograd
from jaxsal.models.cpu.once import cotangent_once, once
from jaxsal.models.cpu.planar import image_convolution

CUBE = ((1, 1), (1, 1), (1, 1))
SPACE = ((0, 0), (1, 1), (1, 1))
CASES = {"transformed": (CUBE, (3, 3, 3)), "joined": (SPACE, (1, 3, 3)), "split": (SPACE, (1, 3, 3))}


def arrays(name, frames=8):
    padding, taps = CASES[name]
    channels = 32 if name == "split" else 4
    generator = np.random.default_rng(0)
    inputs = jnp.asarray(generator.normal(size=(2, frames, 6, 5, channels)), jnp.float32)
    kernel = jnp.asarray(generator.normal(size=(*taps, channels, 4)), jnp.float32)
    return inputs, kernel, padding


def loss(inputs, kernel, padding):
    """Of a layer between two activations, whose gradients the operands of its convolutions could be merged with."""
    return (jnp.tanh(conv3d(jax.nn.relu(inputs) * 2, kernel, padding=padding)) ** 2).sum()


def merged(program, size):
    """The computations of a compiled program that move the channels of more than `size` numbers they compute."""
    computations = re.findall(r"^%fused_computation.*?^\}", program, re.MULTILINE | re.DOTALL)
    found = []
    for text in computations:
        moved = re.search(r"= f32\[([\d,]+)\]\S* transpose\(.*dimensions=\{([\d,]+)\}", text)
        if moved and re.search(r" (add|maximum|multiply)\(", text):
            shape, places = ([int(number) for number in group.split(",")] for group in moved.groups())
            if places[-1] != len(places) - 1 and math.prod(shape) > size:
                found.append(text)
    return found


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_computed_while_it_is_transposed(name, monkeypatch):
    inputs, kernel, padding = arrays(name)
    assert planar.chosen_form(inputs, kernel, (1, 1, 1), padding) == name

    def program():
        jax.clear_caches()
        gradient = jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)
        return gradient.lower(inputs, kernel, padding).compile().as_text()

    assert not merged(program(), kernel.size)
    for module, function in ((planar, "once"), (planar, "cotangent_once"), (winograd, "once")):
        monkeypatch.setattr(module, function, lambda same, kernel: same)
    assert merged(program(), kernel.size)
    jax.clear_caches()


@pytest.mark.parametrize("name", CASES)
def test_forward_passes_hold_nothing(name):
    inputs, kernel, padding = arrays(name)
    program = jax.jit(loss, static_argnums=2).lower(inputs, kernel, padding).compile().as_text()
    assert " conditional(" not in program


@pytest.mark.parametrize("name", CASES)
def test_every_way_to_differentiate(name):
    inputs, kernel, padding = arrays(name, frames=4)

    def smooth(inputs, kernel):
        inputs, kernel = jnp.asarray(inputs), jnp.asarray(kernel)  # check_grads gives arrays of NumPy
        return jnp.tanh(conv3d(inputs, kernel, padding=padding) * 0.1).sum()

    with jax.enable_x64(True):
        check_grads(smooth, (inputs.astype("float64"), kernel.astype("float64")), order=2, modes=("fwd", "rev"))


def test_what_images_bring_back_is_held_too():
    inputs, kernel, _ = arrays("split")

    def of_images(images, kernel):
        images = image_convolution(jax.nn.relu(images), kernel, strides=(1, 1), padding=((1, 1), (1, 1)))
        return (jnp.tanh(images) ** 2).sum()

    program = jax.jit(jax.grad(of_images, (0, 1))).lower(inputs[0], kernel[0])
    assert " conditional(" in program.compile().as_text()
    assert " conditional(" not in jax.jit(of_images).lower(inputs[0], kernel[0]).compile().as_text()


def test_kernels_in_parallel():
    """As networks that are trained side by side: the condition is one of each kernel."""
    inputs, kernel, padding = arrays("transformed")
    kernels = jnp.stack([kernel, 2 * kernel])
    gradient = jax.grad(loss, (0, 1))
    found = jax.vmap(lambda kernel: gradient(inputs, kernel, padding))(kernels)
    expected = [gradient(inputs, each, padding) for each in kernels]
    for one, *others in zip(found, *expected, strict=True):
        np.testing.assert_allclose(one, jnp.stack(others), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("held", [once, cotangent_once])
def test_both_are_the_same_arrays_and_gradients(held):
    array, kernel = jnp.arange(6.0).reshape(2, 3), jnp.ones((2, 2))

    def squares(array, kernel):
        return (held(array, kernel) ** 2).sum()

    np.testing.assert_array_equal(held(array, kernel), array)
    value, (of_array, of_kernel) = jax.value_and_grad(squares, (0, 1))(array, kernel)
    assert float(value) == 55.0
    np.testing.assert_array_equal(of_array, 2 * array)
    np.testing.assert_array_equal(of_kernel, 0 * kernel)


@pytest.mark.parametrize("held", [once, cotangent_once])
def test_one_weight_of_nan_changes_no_sign(held):
    """What it touches is NaN, never another finite number."""
    array, kernel = jnp.arange(6.0).reshape(2, 3), jnp.ones((2, 2)).at[0, 0].set(jnp.nan)
    value, gradient = jax.value_and_grad(lambda array: (held(array, kernel) ** 3).sum())(array)
    assert value == 225.0 or jnp.isnan(value)
    assert (jnp.isnan(gradient) | (gradient == 3 * array**2)).all()


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_of_nan_gives_gradients_of_nan(name):
    inputs, kernel, padding = arrays(name)
    assert jnp.isnan(jax.grad(loss, 1)(inputs, kernel * jnp.nan, padding)).all()
