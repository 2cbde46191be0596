"""Blocks of pixels, and where they are chosen."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.models.cpu.axes import xla_convolution
from jaxsal.models.cpu.blocks import block_shape, convolve_by_blocks
from slow_convolution import assert_close, convolve, random_arrays

CASES = {  # height and width, taps, strides, padding
    "square": ((9, 8), (7, 7), (1, 1), ((3, 3), (3, 3))),
    "uneven": ((7, 5), (3, 2), (1, 1), ((2, 0), (0, 1))),
    "steps": ((11, 14), (7, 7), (2, 2), ((3, 3), (3, 3))),
    "steps that leave inputs over": ((10, 9), (3, 3), (3, 2), ((0, 0), (0, 0))),
    "one pixel": ((1, 1), (3, 3), (1, 1), ((1, 1), (1, 1))),
}


@pytest.mark.parametrize("shape", [(1, 2), (2, 3), (4, 4)])
@pytest.mark.parametrize("case", CASES)
def test_blocks_are_the_pixels_of_a_convolution(case, shape):
    size, taps, strides, padding = CASES[case]
    images, kernel = random_arrays((2, *size, 3), (*taps, 3, 4))
    signs = np.asarray([1, -1, 1, -1], np.float32)

    def by_blocks(images, kernel):
        alternating = lambda outputs: (outputs * signs).sum(axis=-1, keepdims=True)  # noqa: E731
        options = dict(strides=strides, padding=padding, shape=shape, pointwise=alternating)
        return convolve_by_blocks(xla_convolution, images, kernel, **options)

    expected = convolve(images, kernel, strides, padding).outputs @ signs.astype(np.float64)[:, None]
    assert_close(jax.jit(by_blocks)(images, kernel), expected, 2e-6)


@pytest.mark.parametrize(
    ("kernel_shape", "shape"),
    [
        ((7, 7, 3, 8), (2, 3)),
        ((7, 7, 3, 24), (1, 2)),
        ((7, 7, 3, 64), (1, 1)),
        ((3, 3, 8, 8), (2, 2)),
        ((3, 3, 16, 16), (1, 2)),
        ((3, 3, 16, 32), (1, 1)),
        ((1, 1, 8, 8), (1, 1)),
    ],
)
def test_few_outputs_have_blocks(kernel_shape, shape):
    block = partial(block_shape, kernel=jax.ShapeDtypeStruct(kernel_shape, jnp.float32))
    assert block(jax.ShapeDtypeStruct((1, 9, 9, kernel_shape[-2]), jnp.float32)) == shape
    assert block(jax.ShapeDtypeStruct((1, 9, 9, kernel_shape[-2]), jnp.bfloat16)) == (1, 1)
