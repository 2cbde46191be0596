"""The channels of clips: a recording's own three, or what a network takes instead."""

import numpy as np
from jaxtyping import Float

from jaxsal.core.normalization import IMAGENET_MEAN, IMAGENET_STD
from jaxsal.core.types import AnyArray

BRIGHTNESS = (0.2989, 0.587, 0.1141)  # of red, green and blue


def with_channels(clip: Float[AnyArray, "... 3"], num_channels: int) -> Float[AnyArray, "... C"]:
    """A clip of a recording in the channels of a network: as it is for 3, its brightness for 1.

    The brightness is that of ITU-R 601, which `torchvision.transforms.Grayscale` uses; of a grey clip its own value.

    Raises:
      ValueError: If the network takes another number of channels, which no single recording has.
    """
    if num_channels == 1:
        return clip @ np.array(BRIGHTNESS, np.float32)[:, None]
    if num_channels != 3:
        raise ValueError(
            f"`clip` must be an array of {num_channels} channels, (T, H, W, {num_channels}); got one recording. Stack "
            "the recordings of your sensors, and call jaxsal.explain(classifier, clip)."
        )
    return clip


def usual_normalization(num_channels: int) -> dict[str, tuple[float, ...]]:
    """Mean and deviation of the channels where nobody says them: ImageNet's of RGB, their average of any other."""

    def values(rgb: tuple[float, ...]) -> tuple[float, ...]:
        colours = rgb if num_channels >= 3 else ()
        return colours + (sum(rgb) / 3,) * (num_channels - len(colours))

    return {"mean": values(IMAGENET_MEAN), "std": values(IMAGENET_STD)}
