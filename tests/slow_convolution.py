"""The convolution by NumPy in float64, tap by tap, and its gradients: what the networks' are compared with.

By `einsum`, because BLAS would wait busily for its threads where workers share the processors.
"""

from itertools import product
from typing import NamedTuple

import numpy as np


class Convolved(NamedTuple):
    outputs: np.ndarray
    inputs_gradient: np.ndarray  # of sum(outputs * cotangent)
    kernel_gradient: np.ndarray


def random_arrays(inputs_shape, kernel_shape, seed=0):
    """Inputs and a kernel, normal, float32."""
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype(np.float32) for shape in (inputs_shape, kernel_shape)]


def convolve(inputs, kernel, strides, padding, cotangent=None):
    """y(o) = sum_i x(strides * o + i - padding) . kernel(i), for any number of axes; a cotangent of ones if None."""
    inputs, kernel = np.asarray(inputs, np.float64), np.asarray(kernel, np.float64)
    padded = np.pad(inputs, [(0, 0), *padding, (0, 0)])
    taps = kernel.shape[:-2]
    size = [(length - tap) // step + 1 for length, tap, step in zip(padded.shape[1:-1], taps, strides, strict=True)]
    outputs = np.zeros((len(inputs), *size, kernel.shape[-1]))
    cotangent = np.ones_like(outputs) if cotangent is None else np.asarray(cotangent, np.float64)
    padded_gradient, kernel_gradient = np.zeros_like(padded), np.zeros_like(kernel)
    for tap in product(*map(range, taps)):
        met = tuple(slice(i, i + step * (n - 1) + 1, step) for i, step, n in zip(tap, strides, size, strict=True))
        outputs += np.einsum("...c,cd->...d", padded[:, *met], kernel[tap])
        padded_gradient[:, *met] += np.einsum("...d,cd->...c", cotangent, kernel[tap])
        rows = padded[:, *met].reshape(-1, kernel.shape[-2]), cotangent.reshape(-1, kernel.shape[-1])
        kernel_gradient[tap] = np.einsum("nc,nd->cd", *rows)
    inside = tuple(slice(pads[0], pads[0] + length) for pads, length in zip(padding, inputs.shape[1:-1], strict=True))
    return Convolved(outputs, padded_gradient[:, *inside], kernel_gradient)


def assert_close(value, expected, error):
    """Fails if a value is further off than `error` times the largest of those expected."""
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=0, atol=error * np.abs(expected).max())


def curvature(inputs, kernel, strides, padding):
    """The gradient of sum(|gradient of sum(y^2) / 2|^2) / 2: the Hessian of sum(y^2) / 2 times its gradient."""
    outputs = convolve(inputs, kernel, strides, padding).outputs
    _, inputs_step, kernel_step = convolve(inputs, kernel, strides, padding, outputs)
    change = convolve(inputs_step, kernel, strides, padding).outputs
    change += convolve(inputs, kernel_step, strides, padding).outputs
    _, of_inputs, of_kernel = convolve(inputs, kernel, strides, padding, change)
    of_inputs += convolve(inputs, kernel_step, strides, padding, outputs).inputs_gradient
    of_kernel += convolve(inputs_step, kernel, strides, padding, outputs).kernel_gradient
    return of_inputs, of_kernel
