"""ResNet-50, the network of torchvision's `resnet50`, and its backbone, which PAN shares."""

from collections.abc import Callable

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxsal.models.layers import Conv, batch_norm, linear

Shift = Callable[[jax.Array], jax.Array]


class ResNet50(nn.Module):
    """ResNet-50 v1.5: backbone, global mean, linear.

    Attributes:
      num_classes: K.
      width: Channels of the first convolution; 64 is the published network (25,557,032 parameters with 1000 classes).

    References:
      He et al., "Deep Residual Learning for Image Recognition", 2015, https://arxiv.org/abs/1512.03385
    """

    num_classes: int = 1000
    width: int = 64

    def setup(self):  # noqa: D102
        self.backbone = Backbone(self.width)
        self.fc = linear(self.num_classes, 32 * self.width)

    def __call__(self, images: Float[Array, "B H W 3"], train: bool = False) -> Float[Array, "B K"]:
        """Class logits of normalised images."""
        return self.head(self.features(images, train))

    def features(self, images: Float[Array, "B H W 3"], train: bool = False) -> Float[Array, "B h w d"]:
        """Activations of the last layer, as `Backbone` gives them."""
        return self.backbone(images, train)

    def head(self, activations: Float[Array, "B h w d"]) -> Float[Array, "B K"]:
        """Class logits of the last layer's activations: linear in their mean over space."""
        return self.fc(activations.mean(axis=(1, 2)))


class Backbone(nn.Module):
    """ResNet-50 without its head; the 3x3 convolution of a block has its stride, not the first 1x1 (v1.5).

    | part | kernel, stride | output of a 224 x 224 image |
    |---|---|---|
    | conv1 | 7x7, 2 | 112 x 112 x width |
    | max-pool | 3x3, 2 | 56 x 56 x width |
    | layer1 | 3 blocks, 1 | 56 x 56 x 4 width |
    | layer2 | 4 blocks, first 2 | 28 x 28 x 8 width |
    | layer3 | 6 blocks, first 2 | 14 x 14 x 16 width |
    | layer4 | 3 blocks, first 2 | 7 x 7 x 32 width |

    Attributes:
      width: Channels of the first convolution.
      shift: Applied to the input of every block's residual branch; PAN's exchange of channels over time.
    """

    width: int = 64
    shift: Shift | None = None

    def setup(self):  # noqa: D102
        self.conv1 = Conv(self.width, (7, 7), (2, 2))
        self.norm1 = batch_norm()
        self.layer1 = _layer(self.width, 3, 1, self.shift)
        self.layer2 = _layer(2 * self.width, 4, 2, self.shift)
        self.layer3 = _layer(4 * self.width, 6, 2, self.shift)
        self.layer4 = _layer(8 * self.width, 3, 2, self.shift)

    def __call__(self, images: Float[Array, "B H W C"], train: bool = False) -> Float[Array, "B h w d"]:
        """Activations of the last layer.

        Args:
          images: B normalised images, of 3 or more channels.
          train: Normalise by the batch and update the running statistics (collection "batch_stats").

        Returns:
          Activations with d = 32 `width` channels, a 32nd of height and width, rounded up.
        """
        activations = nn.relu(self.norm1(self.conv1(images), use_running_average=not train))
        activations = nn.max_pool(activations, (3, 3), (2, 2), ((1, 1), (1, 1)))
        for block in (*self.layer1, *self.layer2, *self.layer3, *self.layer4):
            activations = block(activations, train)
        return activations


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution beside a shortcut, which is a 1x1 convolution where the shape changes.

    Attributes:
      features: Channels of the first two convolutions, a fourth of the output's.
      stride: Of the 3x3 convolution and the shortcut.
      shift: Applied to the input of the first convolution, not to that of the shortcut.
    """

    features: int
    stride: int = 1
    shift: Shift | None = None

    @nn.compact
    def __call__(self, activations: Float[Array, "B H W C"], train: bool = False) -> Float[Array, "B H2 W2 D"]:
        """Runs the block; `train` as in `Backbone`."""
        strides = (self.stride, self.stride)
        branch = activations if self.shift is None else self.shift(activations)
        branch = Conv(self.features, (1, 1), name="conv1")(branch)
        branch = nn.relu(batch_norm("norm1")(branch, use_running_average=not train))
        branch = Conv(self.features, (3, 3), strides, name="conv2")(branch)
        branch = nn.relu(batch_norm("norm2")(branch, use_running_average=not train))
        branch = Conv(4 * self.features, (1, 1), name="conv3")(branch)
        branch = batch_norm("norm3")(branch, use_running_average=not train)
        if branch.shape != activations.shape:
            activations = Conv(4 * self.features, (1, 1), strides, name="shortcut_conv")(activations)
            activations = batch_norm("shortcut_norm")(activations, use_running_average=not train)
        return nn.relu(branch + activations)


def _layer(features: int, num_blocks: int, stride: int, shift: Shift | None) -> list[Bottleneck]:
    return [Bottleneck(features, 1 if block else stride, shift) for block in range(num_blocks)]
