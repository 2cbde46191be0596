"""Persistence of appearance (PA), what PAN sees of motion: how much small patches change between frames."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsal.models.conv import convolution
from jaxsal.models.initialise import normal

CHANNELS = 8  # of the convolution whose responses are compared between frames
TAPS = (7, 7)
EPSILON = 1e-6  # added to each difference


class PersistenceOfAppearance(nn.Module):
    """How much small patches change from frame to frame, as one map per pair of frames.

    PA_i(p) = sqrt(sum_c (f_c(I_i)(p) - f_c(I_{i+1})(p) + 1e-6)^2), f a 7x7 convolution to 8 channels with a bias.
    f(I_i) - f(I_{i+1}) is the convolution of I_i - I_{i+1}: one less for each segment, and the bias cancels.
    """

    @nn.compact
    def __call__(self, segments: Float[Array, "N m H W C"]) -> Float[Array, "N H W pairs"]:
        """The m - 1 maps of each segment, computed in float32."""
        frames = segments.astype(jnp.float32)
        differences = frames[:, :-1] - frames[:, 1:]
        maps = ResponseNorms(name="conv")(differences.reshape(-1, *differences.shape[2:]))
        return jnp.moveaxis(maps.reshape(differences.shape[:-1]), 1, -1).astype(segments.dtype)


class ResponseNorms(nn.Module):
    """The norm over the channels of PA's convolution."""

    @nn.compact
    def __call__(self, differences: Float[Array, "M H W C"]) -> Float[Array, "M H W 1"]:
        """One map for each difference of two frames."""
        kernel = self.param("kernel", normal(0.001), (*TAPS, differences.shape[-1], CHANNELS))
        self.param("bias", nn.initializers.zeros, (CHANNELS,))  # published weights have it; differences do not
        kernel = kernel.astype(differences.dtype)  # weights of a lower precision stay rounded
        return convolution(differences, kernel, strides=(1, 1), padding=((3, 3), (3, 3)), pointwise=_norms)


def _norms(responses: jax.Array) -> jax.Array:
    return jnp.sqrt(((responses + EPSILON) ** 2).sum(axis=-1, keepdims=True))
