"""3D-ResNet18, the network of torchvision's `r3d_18`."""

import flax.linen as nn
from jaxtyping import Array, Float

from jaxsal.models.layers import Conv, batch_norm, linear


class ResNet3D18(nn.Module):
    """3D-ResNet18: stem, four layers of two basic blocks, global mean, linear.

    | part | kernel, stride | output of a 16 x 224 x 224 clip |
    |---|---|---|
    | stem | 3x7x7, (1, 2, 2), no max-pool | 16 x 112 x 112 x width |
    | layer1 | 3x3x3, 1 | 16 x 112 x 112 x width |
    | layer2 | 3x3x3, first 2 | 8 x 56 x 56 x 2 width |
    | layer3 | 3x3x3, first 2 | 4 x 28 x 28 x 4 width |
    | layer4 | 3x3x3, first 2 | 2 x 14 x 14 x 8 width |

    Attributes:
      num_classes: K.
      width: Channels of the stem; 64 is the published network (33,371,472 parameters with 400 classes).

    References:
      Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", 2018,
      https://arxiv.org/abs/1711.11248
    """

    num_classes: int = 8
    width: int = 64

    def setup(self):  # noqa: D102
        self.stem_conv = Conv(self.width, (3, 7, 7), (1, 2, 2))
        self.stem_norm = batch_norm()
        self.layer1 = _layer(self.width, stride=1)
        self.layer2 = _layer(2 * self.width, stride=2)
        self.layer3 = _layer(4 * self.width, stride=2)
        self.layer4 = _layer(8 * self.width, stride=2)
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
          Activations with d = 8 `width` channels, an 8th of the frames, a 16th of height and width, rounded up.
        """
        activations = nn.relu(self.stem_norm(self.stem_conv(clips), use_running_average=not train))
        for block in (*self.layer1, *self.layer2, *self.layer3, *self.layer4):
            activations = block(activations, train)
        return activations

    def head(self, activations: Float[Array, "B t h w d"]) -> Float[Array, "B K"]:
        """Class logits of the last layer's activations: linear in their mean over time and space."""
        return self.fc(activations.mean(axis=(1, 2, 3)))


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions beside a shortcut, which is a 1x1x1 convolution where the shape changes (type B).

    Attributes:
      features: Output channels.
      stride: Of the first convolution and the shortcut, over time, height and width alike.
    """

    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, activations: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B T2 H2 W2 D"]:
        """Runs the block; `train` as in `ResNet3D18.features`."""
        strides = (self.stride,) * 3
        branch = Conv(self.features, (3, 3, 3), strides, name="conv1")(activations)
        branch = nn.relu(batch_norm("norm1")(branch, use_running_average=not train))
        branch = Conv(self.features, (3, 3, 3), name="conv2")(branch)
        branch = batch_norm("norm2")(branch, use_running_average=not train)
        if branch.shape != activations.shape:
            activations = Conv(self.features, (1, 1, 1), strides, name="shortcut_conv")(activations)
            activations = batch_norm("shortcut_norm")(activations, use_running_average=not train)
        return nn.relu(branch + activations)


def _layer(features: int, *, stride: int) -> list[BasicBlock]:
    return [BasicBlock(features, stride), BasicBlock(features)]
