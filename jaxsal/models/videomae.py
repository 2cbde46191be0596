"""VideoMAE, a transformer of tubes of a clip, as Hugging Face's `VideoMAEForVideoClassification`."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsal.models.initialise import normal
from jaxsal.models.layers import linear

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": partial(nn.gelu, approximate=False),
    "gelu_new": nn.gelu,
    "gelu_pytorch_tanh": nn.gelu,
    "relu": nn.relu,
}
"""By Hugging Face's names."""


class VideoMAE(nn.Module):
    """VideoMAE: tubes of pixels as tokens, layers of attention, the mean of all tokens, linear.

    A clip of 16 x 224 x 224 becomes 8 x 14 x 14 tokens, which stay in their places through all layers: the
    activations of the last one are (8, 14, 14, `width`). Clips of other sizes are taken too; positions are numbered
    anew, as Hugging Face does for a network of that size.

    Attributes:
      num_classes: K.
      width: Channels of a token; 768 is the base network, 384 the small one.
      depth: Layers.
      num_heads: Attention heads.
      mlp_width: Channels between the two linear layers of a layer.
      tube: Frames, rows and columns of a token.
      mean_pooling: Whether the head takes the mean of all tokens, normalised; else the first token of a last norm.
      bias: Whether queries and values have a bias; keys have none.
      epsilon: Of the norms in the layers.
      activation: A key of `ACTIVATIONS`.

    References:
      Tong et al., "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video Pre-Training",
      2022, https://arxiv.org/abs/2203.12602
    """

    num_classes: int = 400
    width: int = 768
    depth: int = 12
    num_heads: int = 12
    mlp_width: int = 3072
    tube: tuple[int, int, int] = (2, 16, 16)
    mean_pooling: bool = True
    bias: bool = True
    epsilon: float = 1e-12
    activation: str = "gelu"

    def setup(self):  # noqa: D102
        self.patches = Patches(self.width, self.tube)
        options = (self.num_heads, self.mlp_width, self.bias, self.epsilon, self.activation)
        self.layers = [Layer(*options, name=f"layer_{number}") for number in range(self.depth)]
        if self.mean_pooling:
            self.fc_norm = nn.LayerNorm(epsilon=1e-5)
        else:
            self.last_norm = nn.LayerNorm(epsilon=self.epsilon)
        self.fc = linear(self.num_classes, self.width)

    def __call__(self, clips: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B K"]:
        """Class logits of normalised clips."""
        return self.head(self.features(clips, train))

    def features(self, clips: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B t h w d"]:
        """Tokens after the last layer, each where its tube of the clip is; without dropout, `train` changes nothing."""
        grid = self.patches(clips)
        tokens = grid.reshape(len(grid), -1, self.width)
        tokens = tokens + jnp.asarray(positions(tokens.shape[1], self.width), tokens.dtype)
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens.reshape(grid.shape)

    def token_grid(self, clip_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(t, h, w) of the tokens of a clip (T, H, W, C)."""
        t, h, w = (size // part for size, part in zip(clip_shape, self.tube, strict=False))
        return t, h, w

    def head(self, activations: Float[Array, "B t h w d"]) -> Float[Array, "B K"]:
        """Class logits of tokens: linear in their normalised mean, or in the normalised first one."""
        if self.mean_pooling:
            return self.fc(self.fc_norm(activations.mean(axis=(1, 2, 3))))
        return self.fc(self.last_norm(activations[:, 0, 0, 0]))


class Patches(nn.Module):
    """One linear layer of the values of every tube; frames, rows and columns that fill no tube are left out.

    Attributes:
      features: Channels of a token.
      tube: Frames, rows and columns of a tube.
    """

    features: int
    tube: tuple[int, int, int]

    @nn.compact
    def __call__(self, clips: Float[Array, "B T H W C"]) -> Float[Array, "B t h w d"]:
        """The tokens of clips that are at least one tube large."""
        start = normal(0.02)
        kernel = self.param("kernel", start, (*self.tube, clips.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        clips, kernel, bias = nn.dtypes.promote_dtype(clips, kernel, bias)
        (frames, rows, columns), (t, h, w) = (
            self.tube,
            (n // m for n, m in zip(clips.shape[1:4], self.tube, strict=True)),
        )
        tubes = clips[:, : t * frames, : h * rows, : w * columns].reshape(
            len(clips), t, frames, h, rows, w, columns, -1
        )
        return jnp.einsum("btihjwkc,ijkcd->bthwd", tubes, kernel) + bias


class Layer(nn.Module):
    """Attention of all tokens to all, and two linear layers, each after a norm and beside a shortcut.

    Attributes:
      num_heads: Attention heads.
      mlp_width: Channels between the two linear layers.
      bias: Whether queries and values have a bias.
      epsilon: Of the norms.
      activation: Between the linear layers.
    """

    num_heads: int
    mlp_width: int
    bias: bool
    epsilon: float
    activation: str

    @nn.compact
    def __call__(self, tokens: Float[Array, "B N d"]) -> Float[Array, "B N d"]:
        """Runs the layer."""
        width = tokens.shape[-1]
        normed = nn.LayerNorm(epsilon=self.epsilon, name="norm1")(tokens)
        dense = partial(nn.Dense, kernel_init=normal(0.02))
        query, key, value = (
            dense(width, use_bias=self.bias and name != "key", name=name)(normed).reshape(
                *tokens.shape[:2], self.num_heads, -1
            )
            for name in ("query", "key", "value")
        )
        products = jnp.einsum("bqhd,bkhd->bhqk", query / np.sqrt(query.shape[-1]).astype(query.dtype), key)
        weights = Attention(name="attention")(products)
        attended = jnp.einsum("bhqk,bkhd->bqhd", weights, value).reshape(tokens.shape)
        tokens = tokens + dense(width, name="out")(attended)
        normed = nn.LayerNorm(epsilon=self.epsilon, name="norm2")(tokens)
        inner = ACTIVATIONS[self.activation](dense(self.mlp_width, name="mlp1")(normed))
        return tokens + dense(width, name="mlp2")(inner)


class Attention(nn.Module):
    """The attention weights as a layer of their own, which methods look at."""

    def __call__(self, products: Float[Array, "B h q k"]) -> Float[Array, "B h q k"]:
        """What each query takes of each key."""
        return jax.nn.softmax(products, axis=-1)


def positions(count: int, width: int) -> Float[np.ndarray, "count width"]:
    """Sine and cosine of a token's number at falling frequencies: sin(n / 10000^(2 (i // 2) / d)), cos for odd i."""
    exponents = 2 * (np.arange(width) // 2) / width
    angles = np.arange(count)[:, None] / np.power(10_000, exponents)
    angles[:, 0::2], angles[:, 1::2] = np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])
    return angles.astype(np.float32)
