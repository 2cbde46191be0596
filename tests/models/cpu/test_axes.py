"""Sums over the taps of an axis, and arrays that a gradient computes once: the programs that hold them."""

import math
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.models.conv import same
from jaxsal.models.cpu import axes
from jaxsal.models.cpu.axes import convolve_by, joined, once, split
from jaxsal.models.cpu.convolution import fast_convolution, frame_form
from slow_convolution import assert_close, convolve, random_arrays

CASES = {  # shapes and padding over time of each form
    "winograd": ((2, 8, 6, 5, 4), (3, 3, 3, 4, 4), (1, 1)),
    "joined": ((2, 8, 6, 5, 4), (1, 3, 3, 4, 4), (0, 0)),
    "split": ((2, 8, 6, 5, 32), (1, 3, 3, 32, 4), (0, 0)),
}


def layer(form):
    """Arrays of a form, and its convolution, which is traced anew in each program."""
    inputs, kernel, pads = CASES[form]
    options = dict(strides=(1, 1, 1), padding=(pads, (1, 1), (1, 1)))
    arrays = [jnp.asarray(array) for array in random_arrays(inputs, kernel)]
    assert frame_form(*arrays, **options) == form
    return *arrays, partial(fast_convolution.__wrapped__, **options, pointwise=same)


def loss(inputs, kernel, convolution):
    """Of a layer between two activations, whose gradients the operands of its convolutions could be merged with."""
    return (jnp.tanh(convolution(jax.nn.relu(inputs) * 2, kernel)) ** 2).sum()


@pytest.mark.parametrize("way", [split, joined])
@pytest.mark.parametrize(
    ("size", "num_taps", "stride", "pads"),
    [(1, 3, 1, (1, 1)), (2, 3, 2, (1, 1)), (9, 3, 2, (2, 0)), (10, 4, 3, (0, 1)), (6, 2, 1, (0, 0)), (5, 1, 2, (0, 0))],
)
def test_the_taps_of_an_axis(way, size, num_taps, stride, pads):
    inputs, kernel = random_arrays((2, size, 3), (num_taps, 3, 2))
    outputs = jax.jit(lambda *arrays: convolve_by((way,), *arrays, (stride,), (pads,)))(inputs, kernel)
    assert_close(outputs, convolve(inputs, kernel, (stride,), (pads,)).outputs, 1e-6)


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


@pytest.mark.parametrize("form", CASES)
def test_nothing_is_computed_while_it_is_transposed(form, monkeypatch):
    """Should this fail in its last line, XLA does without `once`, which then may go."""
    inputs, kernel, convolution = layer(form)

    def lowered(transform):
        return jax.jit(transform(partial(loss, convolution=convolution))).lower(inputs, kernel)

    gradient = partial(jax.grad, argnums=(0, 1))
    held = lowered(gradient)
    assert "stablehlo.case" in held.as_text()
    assert "stablehlo.case" not in lowered(lambda forward: forward).as_text()
    assert not merged(held.compile().as_text(), kernel.size)
    monkeypatch.setattr(axes, "hold", lambda arrays, kernel: arrays)
    assert merged(lowered(gradient).compile().as_text(), kernel.size)


def test_what_images_bring_back_is_held_too():
    convolution = partial(fast_convolution, strides=(1, 1), padding=((1, 1), (1, 1)), pointwise=same)
    arrays = random_arrays((2, 6, 5, 4), (3, 3, 4, 4))
    gradient = jax.jit(jax.grad(partial(loss, convolution=convolution), (0, 1)))
    assert "stablehlo.case" in gradient.lower(*arrays).as_text()


def test_kernels_in_parallel():
    """As networks that are trained side by side: the condition is one of each kernel."""
    inputs, kernel, convolution = layer("split")
    kernels = jnp.stack([kernel, 2 * kernel])
    gradient = jax.jit(jax.grad(partial(loss, convolution=convolution), (0, 1)))
    found = jax.jit(jax.vmap(gradient, in_axes=(None, 0)))(inputs, kernels)
    for one, *others in zip(found, *(gradient(inputs, each) for each in kernels), strict=True):
        np.testing.assert_allclose(one, jnp.stack(others), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("held", ["values", "cotangents"])
def test_once_is_the_same_arrays_and_gradients(held):
    array, kernel = jnp.arange(6.0).reshape(2, 3), jnp.ones((2, 2))

    def squares(array, kernel):
        return (once(array, kernel, held) ** 2).sum()

    np.testing.assert_array_equal(once(array, kernel, held), array)
    value, (of_array, of_kernel) = jax.value_and_grad(squares, (0, 1))(array, kernel)
    assert float(value) == 55.0
    np.testing.assert_array_equal(of_array, 2 * array)
    np.testing.assert_array_equal(of_kernel, 0 * kernel)


@pytest.mark.parametrize("held", ["values", "cotangents"])
def test_one_weight_of_nan_changes_no_sign(held):
    """What it touches is NaN, never another finite number."""
    array, kernel = jnp.arange(6.0).reshape(2, 3), jnp.ones((2, 2)).at[0, 0].set(jnp.nan)
    value, gradient = jax.value_and_grad(lambda array: (once(array, kernel, held) ** 3).sum())(array)
    assert value == 225.0 or jnp.isnan(value)
    assert (jnp.isnan(gradient) | (gradient == 3 * array**2)).all()


@pytest.mark.parametrize("form", ["joined", "split"])
def test_a_kernel_of_nan_gives_gradients_of_nan(form):
    inputs, kernel, convolution = layer(form)
    assert jnp.isnan(jax.jit(jax.grad(loss, 1), static_argnums=2)(inputs, kernel * jnp.nan, convolution)).all()
