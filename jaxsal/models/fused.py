"""Networks of both spectra of a scene {"IR": clip, "TV": clip}: two streams, or stacked channels, of any network."""

import inspect
from collections.abc import Callable, Mapping

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

Scenes = Mapping[str, Float[Array, "B T H W _"]]
"""Normalised clips of each spectrum, by name; infrared ones may have a single channel."""


class TwoStream(nn.Module):
    """A network for each spectrum, joined before the head, which sees the channels of both side by side.

    logits = head([features_IR(scene["IR"]), features_TV(scene["TV"])]). The streams share no weights.

    Attributes:
      network: The kind of both streams and of the head, such as `ResNet3D18(8)`; a module with `features` and `head`.

    References:
      Simonyan and Zisserman, "Two-Stream Convolutional Networks for Action Recognition in Videos", 2014,
      https://arxiv.org/abs/1406.2199
    """

    network: nn.Module

    def setup(self):  # noqa: D102
        self.infrared = self.network.clone(parent=None, name=None)
        self.visible = self.network.clone(parent=None, name=None)
        self.joint = self.network.clone(parent=None, name=None)

    @property
    def streams(self) -> dict[str, str]:
        """By spectrum, the module that sees it; a layer is looked at in both."""
        return {"IR": "infrared", "TV": "visible"}

    @property
    def frames_per_mask(self) -> int:
        """Frames that share one mask frame, as of each stream."""
        return getattr(self.network, "frames_per_mask", 1)

    def __call__(self, scenes: Scenes, train: bool = False) -> Float[Array, "B K"]:
        """Class logits of normalised scenes."""
        return self.head(self.features(scenes, train), train)

    def features(self, scenes: Scenes, train: bool = False) -> dict[str, Float[Array, "B t h w d"]]:
        """Activations of the last layer of each stream, by spectrum; arguments as of the network's own."""
        return {
            "IR": _apply(self.infrared.features, scenes["IR"], train),
            "TV": _apply(self.visible.features, scenes["TV"], train),
        }

    def head(self, activations: Mapping[str, Float[Array, "B t h w d"]], train: bool = False) -> Float[Array, "B K"]:
        """Class logits of the activations of both streams."""
        joined = jnp.concatenate([activations["IR"], activations["TV"]], axis=-1)
        return _apply(self.joint.head, joined, train)


class StackedChannels(nn.Module):
    """One network that takes both spectra as the channels of one clip: red, green, blue, infrared.

    Attributes:
      network: A module with `features` and `head`; its first layer gets as many channels as both spectra have.
    """

    network: nn.Module

    @property
    def frames_per_mask(self) -> int:
        """Frames that share one mask frame, as of the network."""
        return getattr(self.network, "frames_per_mask", 1)

    def __call__(self, scenes: Scenes, train: bool = False) -> Float[Array, "B K"]:
        """Class logits of normalised scenes."""
        return self.head(self.features(scenes, train), train)

    def features(self, scenes: Scenes, train: bool = False) -> Float[Array, "B t h w d"]:
        """Activations of the last layer, which are of both spectra; arguments as of the network's own."""
        return _apply(self.network.features, jnp.concatenate([scenes["TV"], scenes["IR"]], axis=-1), train)

    def head(self, activations: Float[Array, "B t h w d"], train: bool = False) -> Float[Array, "B K"]:
        """Class logits of the activations."""
        return _apply(self.network.head, activations, train)


def _apply(method: Callable[..., Array], inputs: Array, train: bool) -> Array:
    """A method of a network, told whether it trains if it asks; heads without dropout do not."""
    return method(inputs, train) if "train" in inspect.signature(method).parameters else method(inputs)
