"""Persistence of appearance (PA), what PAN sees of motion: how much small patches change between frames."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxsal.models.cpu.blocks import by_blocks
from jaxsal.models.cpu.plane import convolve_images
from jaxsal.models.initialise import normal

CHANNELS = 8  # of the convolution whose responses are compared between frames
TAPS = (7, 7)
PADDING = ((3, 3), (3, 3))
EPSILON = 1e-6  # added to each difference
BLOCK = (2, 4)  # rows and columns of pixels that are taken at once on CPU; a divisor of most heights and widths


class PersistenceOfAppearance(nn.Module):
    """How much small patches change from frame to frame, as one map per pair of frames.

    PA_i(p) = sqrt(sum_c (f_c(I_i)(p) - f_c(I_{i+1})(p) + 1e-6)^2), f a 7x7 convolution to 8 channels with a bias.
    f(I_i) - f(I_{i+1}) is the convolution of I_i - I_{i+1}: one less for each segment, and the bias cancels.
    """

    @nn.compact
    def __call__(self, segments: Float[Array, "N m H W 3"]) -> Float[Array, "N H W pairs"]:
        """The m - 1 maps of each segment, computed in float32."""
        frames = segments.astype(jnp.float32)
        return ResponseNorms(name="conv")(frames[:, :-1] - frames[:, 1:]).astype(segments.dtype)


class ResponseNorms(nn.Module):
    """The norm over the channels of PA's convolution; on CPU by blocks of pixels (`jaxsal.models.cpu.blocks`)."""

    @nn.compact
    def __call__(self, differences: Float[Array, "N pairs H W C"]) -> Float[Array, "N H W pairs"]:
        """One map for each difference of two frames."""
        shape = (*TAPS, differences.shape[-1], CHANNELS)
        kernel = self.param("kernel", normal(0.001), shape)
        self.param("bias", nn.initializers.zeros, (CHANNELS,))  # published weights have it; differences do not
        kernel = kernel.astype(differences.dtype)  # weights of a lower precision stay rounded
        return lax.platform_dependent(differences, kernel, cpu=_norms_by_blocks, default=_norms)


def _norms(differences: jax.Array, kernel: jax.Array) -> jax.Array:
    images = differences.reshape(-1, *differences.shape[2:])
    responses = convolve_images(images, kernel, strides=(1, 1), padding=PADDING)
    return jnp.moveaxis(_norm(responses).reshape(differences.shape[:-1]), 1, -1)


def _norms_by_blocks(differences: jax.Array, kernel: jax.Array) -> jax.Array:
    """As `_norms`; what is moved from blocks to pixels, and pairs to the last axis, are the maps alone, at once."""
    num_segments, num_pairs, height, width, _ = differences.shape
    images = differences.reshape(-1, *differences.shape[2:])
    blocks = by_blocks(images, kernel, (1, 1), PADDING, BLOCK)
    responses = convolve_images(images, blocks.kernel, strides=blocks.strides, padding=blocks.padding)
    norms = _norm(blocks.places(responses))
    rows, columns = norms.shape[1:3]
    norms = norms.reshape(num_segments, num_pairs, rows, columns, *BLOCK).transpose(0, 2, 4, 3, 5, 1)
    maps = norms.reshape(num_segments, rows * BLOCK[0], columns * BLOCK[1], num_pairs)
    return maps[:, :height, :width]


def _norm(responses: jax.Array) -> jax.Array:
    return jnp.sqrt(((responses + EPSILON) ** 2).sum(axis=-1))
