"""I3D, the inflated Inception network of Kinetics-400."""

import math

import flax.linen as nn
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxsal.models.conv import Strides, convolution
from jaxsal.models.initialise import kaiming_fan_out, uniform
from jaxsal.models.layers import batch_norm

POOLS = {  # window and strides of the max-pool before a layer
    "Conv3d_2b_1x1": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}
STEM = {  # channels, kernel and strides
    "Conv3d_1a_7x7": (64, (7, 7, 7), (2, 2, 2)),
    "Conv3d_2b_1x1": (64, (1, 1, 1), (1, 1, 1)),
    "Conv3d_2c_3x3": (192, (3, 3, 3), (1, 1, 1)),
}
BRANCHES = ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")
MIXED = {  # channels of the convolutions of `BRANCHES`
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
PUBLISHED_WIDTH = 64


class I3D(nn.Module):
    """I3D: three convolutions, nine Inception blocks, a mean over space and pairs of frames, linear.

    | part | output of a 16 x 224 x 224 clip |
    |---|---|
    | Conv3d_1a_7x7, stride 2 | 8 x 112 x 112 x 64 |
    | max-pool, Conv3d_2b_1x1, Conv3d_2c_3x3 | 8 x 56 x 56 x 192 |
    | max-pool, Mixed_3b and 3c | 8 x 28 x 28 x 480 |
    | max-pool, Mixed_4b to 4f | 4 x 14 x 14 x 832 |
    | max-pool, Mixed_5b and 5c | 2 x 7 x 7 x 1024 |

    Convolutions and pools are padded as TensorFlow's "SAME". Clips of other sizes are taken too: where the published
    network pools 7 x 7 activations, this one pools all of a frame.

    Attributes:
      num_classes: K.
      width: Channels of the first layer; 64 is the published network, and all layers scale with it.

    References:
      Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset", 2017,
      https://arxiv.org/abs/1705.07750
    """

    num_classes: int = 400
    width: int = PUBLISHED_WIDTH

    def setup(self):  # noqa: D102
        self.backbone = Backbone(self.width)
        start = uniform(1 / math.sqrt(scaled(1024, self.width)))
        self.fc = nn.Conv(self.num_classes, (1, 1, 1), kernel_init=start, bias_init=start)

    def __call__(self, clips: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B K"]:
        """Class logits of clips whose values lie in [-1, 1]."""
        return self.head(self.features(clips, train))

    def features(self, clips: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B t h w d"]:
        """Activations of Mixed_5c.

        Args:
          clips: B clips with values in [-1, 1].
          train: Normalise by the batch and update the running statistics (collection "batch_stats").

        Returns:
          Activations with d = 16 `width` channels, an 8th of the frames, a 32nd of height and width, rounded up.
        """
        return self.backbone(clips, train)

    def head(self, activations: Float[Array, "B t h w d"]) -> Float[Array, "B K"]:
        """Class logits: linear in the mean over frames' pairs (t, t + 1), each averaged over space."""
        frames = activations.mean(axis=(2, 3), keepdims=True)
        if frames.shape[1] > 1:
            frames = (frames[:, 1:] + frames[:, :-1]) / 2
        return self.fc(frames.mean(axis=1, keepdims=True))[:, 0, 0, 0]


class Backbone(nn.Module):
    """The layers up to Mixed_5c, under their published names.

    Attributes:
      width: Channels of the first layer.
    """

    width: int

    @nn.compact
    def __call__(self, clips: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B t h w d"]:
        """Runs the layers; `train` as in `I3D.features`."""
        activations = clips
        for name, (channels, kernel, strides) in STEM.items():
            activations = _pool_before(name, activations)
            unit = Unit(scaled(channels, self.width), kernel, strides, name=name)
            activations = unit(activations, train)
        for name, sizes in MIXED.items():
            block = Mixed(tuple(scaled(channels, self.width) for channels in sizes), name=name)
            activations = block(_pool_before(name, activations), train)
        return activations


class Mixed(nn.Module):
    """An Inception block: four branches side by side, of which the last pools first.

    Attributes:
      features: Channels of the convolutions, in the order of `BRANCHES`.
    """

    features: tuple[int, ...]

    @nn.compact
    def __call__(self, inputs: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B T H W D"]:
        """Runs the block; `train` as in `I3D.features`."""
        one, three = (1, 1, 1), (3, 3, 3)
        kernels = (one, one, three, one, three, one)
        first, narrow, wide, narrowest, second, pooled = (
            Unit(channels, kernel, name=name)
            for name, channels, kernel in zip(BRANCHES, self.features, kernels, strict=True)
        )
        branches = [
            first(inputs, train),
            wide(narrow(inputs, train), train),
            second(narrowest(inputs, train), train),
            pooled(nn.max_pool(inputs, three, padding="SAME"), train),
        ]
        return jnp.concatenate(branches, axis=-1)


class Unit(nn.Module):
    """A convolution without bias, padded as TensorFlow's "SAME", batch norm, ReLU.

    Attributes:
      features: Output channels.
      size: Taps over time, height and width.
      strides: Over each axis.
    """

    features: int
    size: tuple[int, ...] = (1, 1, 1)
    strides: Strides = (1, 1, 1)

    @nn.compact
    def __call__(self, inputs: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B T2 H2 W2 D"]:
        """Runs the unit; `train` as in `I3D.features`."""
        kernel = self.param("kernel", kaiming_fan_out, (*self.size, inputs.shape[-1], self.features))
        inputs, kernel = nn.dtypes.promote_dtype(inputs, kernel)
        pads = lax.padtype_to_pads(inputs.shape[1:-1], self.size, self.strides, "SAME")
        padding = tuple((int(low), int(high)) for low, high in pads)
        outputs = convolution(inputs, kernel, strides=self.strides, padding=padding)
        return nn.relu(batch_norm("norm", epsilon=1e-3)(outputs, use_running_average=not train))


def scaled(channels: int, width: int) -> int:
    """The channels of a layer of a narrower or wider network, at least 1."""
    return max(channels * width // PUBLISHED_WIDTH, 1)


def _pool_before(name: str, activations: Float[Array, "B T H W C"]) -> Float[Array, "B T2 H2 W2 C"]:
    if name not in POOLS:
        return activations
    window, strides = POOLS[name]
    return nn.max_pool(activations, window, strides, padding="SAME")
