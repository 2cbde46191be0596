"""The layers that the networks share, with torch's starting values and epsilons."""

import math

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxsal.models.conv import Strides, convolution
from jaxsal.models.initialise import kaiming_fan_out, uniform


class Conv(nn.Module):
    """A bias-free convolution layer, padded by half of its size on all sides, unlike XLA's "SAME" with a stride.

    Attributes:
      features: Output channels.
      size: Taps over time, height and width, or over height and width; odd.
      strides: Over each axis; ones if None.
    """

    features: int
    size: tuple[int, ...]
    strides: Strides | None = None

    @nn.compact
    def __call__(self, inputs: Float[Array, "B ... C"]) -> Float[Array, "B ... D"]:
        """Convolves clips or images with the layer's kernel, in the wider of their types, as Flax's layers do."""
        kernel = self.param("kernel", kaiming_fan_out, (*self.size, inputs.shape[-1], self.features))
        with jax.numpy_dtype_promotion("standard"):
            inputs, kernel = nn.dtypes.promote_dtype(inputs, kernel)
        strides, padding = self.strides or (1,) * len(self.size), tuple((taps // 2, taps // 2) for taps in self.size)
        return convolution(inputs, kernel, strides=strides, padding=padding)


def batch_norm(name: str | None = None, *, epsilon: float = 1e-5) -> nn.BatchNorm:
    """Batch norm that keeps 0.9 of its running statistics at each training step.

    The running variance is that of the batch, divided by n; torch divides by n - 1. Nothing differs at inference.
    """
    return nn.BatchNorm(momentum=0.9, epsilon=epsilon, name=name)


def linear(features: int, num_inputs: int) -> nn.Dense:
    """A linear layer with a bias."""
    bound = 1 / math.sqrt(num_inputs)
    return nn.Dense(features, kernel_init=uniform(bound), bias_init=uniform(bound))
