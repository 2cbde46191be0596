"""3D-ResNet18 and its factored forms: torchvision's `r3d_18`, `mc3_18` and `r2plus1d_18`."""

from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float

from jaxsal.models.layers import Conv, batch_norm, linear

Variant = Literal["r3d", "mc3", "r2plus1d"]
Kernel = Literal["3d", "2d", "2d+1d"]
KERNELS: dict[Variant, tuple[Kernel, ...]] = {  # of the stem and the four layers
    "r3d": ("3d", "3d", "3d", "3d", "3d"),
    "mc3": ("3d", "3d", "2d", "2d", "2d"),
    "r2plus1d": ("2d+1d", "2d+1d", "2d+1d", "2d+1d", "2d+1d"),
}


class ResNet3D18(nn.Module):
    """3D-ResNet18: stem, four layers of two basic blocks, global mean, linear.

    | part | kernel, stride | output of a 16 x 224 x 224 clip |
    |---|---|---|
    | stem | 3x7x7, (1, 2, 2), no max-pool | 16 x 112 x 112 x width |
    | layer1 | 3x3x3, 1 | 16 x 112 x 112 x width |
    | layer2 | 3x3x3, first 2 | 8 x 56 x 56 x 2 width |
    | layer3 | 3x3x3, first 2 | 4 x 28 x 28 x 4 width |
    | layer4 | 3x3x3, first 2 | 2 x 14 x 14 x 8 width |

    That is R3D. In MC3 ("mixed convolutions") layers 2 to 4 have kernels of 1x3x3, and keep all frames. In R(2+1)D
    every 3x3x3 kernel is one of 1x3x3, batch norm, ReLU and one of 3x1x1, with so many channels between them that
    both have as many parameters; so is the stem, with 45 of 64 channels.

    Attributes:
      num_classes: K.
      width: Channels of the stem; 64 is the published network (R3D has 33,371,472 parameters with 400 classes, MC3
        11,695,440, R(2+1)D 31,505,325).
      variant: "r3d", "mc3" or "r2plus1d".

    References:
      Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", 2018,
      https://arxiv.org/abs/1711.11248
    """

    num_classes: int = 8
    width: int = 64
    variant: Variant = "r3d"

    def setup(self):  # noqa: D102
        stem, *layers = KERNELS[self.variant]
        stem_conv: Conv | FactoredConv = Conv(self.width, (3, 7, 7), (1, 2, 2))
        if stem == "2d+1d":
            stem_conv = FactoredConv(self.width, max(45 * self.width // 64, 1), 7, (1, 2, 2))
        self.stem_conv = stem_conv
        self.stem_norm = batch_norm()
        self.layer1 = _layer(self.width, layers[0], stride=1)
        self.layer2 = _layer(2 * self.width, layers[1], stride=2)
        self.layer3 = _layer(4 * self.width, layers[2], stride=2)
        self.layer4 = _layer(8 * self.width, layers[3], stride=2)
        self.fc = linear(self.num_classes, 8 * self.width)

    def __call__(self, clips: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B K"]:
        """Class logits of normalised clips."""
        return self.head(self.features(clips, train))

    def features(self, clips: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B t h w d"]:
        """Activations of the last layer.

        Args:
          clips: B normalised clips.
          train: Normalise by the batch and update the running statistics (collection "batch_stats").

        Returns:
          Activations with d = 8 `width` channels, an 8th of the frames (all of them in MC3), a 16th of height and
          width, rounded up.
        """
        stem_conv = self.stem_conv
        stem = stem_conv(clips, train) if isinstance(stem_conv, FactoredConv) else stem_conv(clips)
        activations = nn.relu(self.stem_norm(stem, use_running_average=not train))
        for block in (*self.layer1, *self.layer2, *self.layer3, *self.layer4):
            activations = block(activations, train)
        return activations

    def head(self, activations: Float[Array, "B t h w d"]) -> Float[Array, "B K"]:
        """Class logits of the last layer's activations: linear in their mean over time and space."""
        return self.fc(activations.mean(axis=(1, 2, 3)))


class FactoredConv(nn.Module):
    """A convolution over space, batch norm, ReLU and a convolution over time.

    Attributes:
      features: Output channels.
      between: Channels between the two.
      size: Taps over height and width; there are 3 over time.
      strides: Over time, height and width.
    """

    features: int
    between: int
    size: int
    strides: tuple[int, int, int]

    @nn.compact
    def __call__(self, inputs: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B T2 H2 W2 D"]:
        """Convolves clips; `train` as in `ResNet3D18.features`."""
        over_time, *over_space = self.strides
        planes = Conv(self.between, (1, self.size, self.size), (1, *over_space), name="space")(inputs)
        planes = nn.relu(batch_norm("norm")(planes, use_running_average=not train))
        return Conv(self.features, (3, 1, 1), (over_time, 1, 1), name="time")(planes)


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut, which is a 1x1x1 convolution where the shape changes (type B).

    Attributes:
      features: Output channels.
      kernel: "3d" for 3x3x3, "2d" for 1x3x3, "2d+1d" for 1x3x3 and 3x1x1.
      stride: Of the first convolution and the shortcut, over height and width, and over time but with "2d".
    """

    features: int
    kernel: Kernel = "3d"
    stride: int = 1

    @nn.compact
    def __call__(self, activations: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B T2 H2 W2 D"]:
        """Runs the block; `train` as in `ResNet3D18.features`."""
        over_time = 1 if self.kernel == "2d" else self.stride
        strides = (over_time, self.stride, self.stride)
        channels = activations.shape[-1]
        branch = self._convolve(activations, channels, strides, "conv1", train)
        branch = nn.relu(batch_norm("norm1")(branch, use_running_average=not train))
        branch = self._convolve(branch, channels, (1, 1, 1), "conv2", train)
        branch = batch_norm("norm2")(branch, use_running_average=not train)
        if branch.shape != activations.shape:
            activations = Conv(self.features, (1, 1, 1), strides, name="shortcut_conv")(activations)
            activations = batch_norm("shortcut_norm")(activations, use_running_average=not train)
        return nn.relu(branch + activations)

    def _convolve(
        self, inputs: Float[Array, "B T H W C"], channels: int, strides: tuple[int, int, int], name: str, train: bool
    ) -> Float[Array, "B T2 H2 W2 D"]:
        """One convolution of a block whose input has some channels."""
        if self.kernel == "2d+1d":
            between = 27 * channels * self.features // (9 * channels + 3 * self.features)
            return FactoredConv(self.features, between, 3, strides, name=name)(inputs, train)
        taps = (1, 3, 3) if self.kernel == "2d" else (3, 3, 3)
        return Conv(self.features, taps, strides, name=name)(inputs)


def _layer(features: int, kernel: Kernel, *, stride: int) -> list[BasicBlock]:
    return [BasicBlock(features, kernel, stride), BasicBlock(features, kernel)]
