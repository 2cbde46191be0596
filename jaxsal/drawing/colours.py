"""Colours of saliency: colour maps, their limits, how they lie over a frame, and the bar that shows them."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from jaxsal.core.types import AnyArray

COLORMAPS = ("inferno", "magma", "plasma", "viridis", "cividis")
"""All perceptually uniform: equal differences of saliency look equal, in grey and to colour-blind readers too."""

DEFAULT_COLORMAP, DEFAULT_OPACITY = "plasma", 0.8
"""Plasma ends in a deep yellow, which a white sky does not swallow as it does inferno's pale one."""

TOP_SHARE = 0.995
"""Share of a map's values that have colours of their own; the few above it have the last colour."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Bar(NamedTuple):
    """The colour bar of an overlay.

    Attributes:
      low: Saliency of the first colour.
      high: Saliency of the last colour.
      unit: Unit of both, as words.
      opacity: As of `overlay`.
      colormap: As of `overlay`.
      fade: As of `overlay`.
      beyond: Whether the map has values above `high`, which an arrow on the bar says.
    """

    low: float
    high: float
    unit: str = ""
    opacity: float = DEFAULT_OPACITY
    colormap: str = DEFAULT_COLORMAP
    fade: bool = True
    beyond: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        """Both limits as text."""
        return f"{self.low:.3g}", f"{self.high:.3g}"

    def colours(self) -> UInt8[np.ndarray, "2 256 3"]:
        """The colours as they come out over black and over white."""
        values = np.tile(np.linspace(self.low, self.high, 256), (2, 1))
        return to_bytes(self.blend(values, np.repeat([0.0, 1.0], 3 * 256).reshape(2, 256, 3)))

    def blend(
        self, values: Float[np.ndarray, "*shape"], ground: Float[np.ndarray, "*shape 3"]
    ) -> Float[np.ndarray, "*shape 3"]:
        """The colours of saliencies over a ground, all in [0, 1]; see `overlay`."""
        scaled = self._scaled(values)
        share = scaled[..., None] if self.fade else np.float32(1)
        grey = share * (ground @ _LUMA)[..., None] + (1 - share) * ground
        alpha = self.opacity * share
        return alpha * _colour(scaled, self.colormap) + (1 - alpha) * grey

    def _scaled(self, values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """How far saliencies are on the way from the first to the last colour, from 0 to 1; 0 if there is no way."""
        span = self.high - self.low
        return np.clip((values - self.low) / span, 0, 1) if span > 0 else np.zeros_like(values)


def map_limits(saliency: Float[AnyArray, "Tm H W"], *, fade: bool = True) -> tuple[float, float]:
    """The saliencies of the first and the last colour of a map by itself.

    Args:
      saliency: The map.
      fade: Whether opacity rises with saliency: the median then has the first colour, else the least value.

    Returns:
      The median or the least value, and the 99.5th percentile, or the greatest value where that percentile is no more.
    """
    least, median, high, most = map(float, np.quantile(np.asarray(saliency, np.float32), [0, 0.5, TOP_SHARE, 1]))
    high = high if high > median else most
    return (median if fade and median < high else least), high


def map_bar(
    saliency: Float[AnyArray, "Tm H W"],
    unit: str = "",
    *,
    limits: tuple[float, float] | None = None,
    fade: bool = True,
) -> Bar:
    """The colour bar of a map that is drawn in the default colours.

    Args:
      saliency: The map.
      unit: Of its values, as words.
      limits: The saliencies of the first and the last colour; those of `map_limits` if None.
      fade: Whether opacity rises with saliency.
    """
    low, high = map_limits(saliency, fade=fade) if limits is None else limits
    return Bar(low, high, unit, fade=fade, beyond=float(np.max(saliency)) > high)


def colour_table(colormap: str) -> UInt8[np.ndarray, "256 3"]:
    """The 256 colours of a colour map."""
    return to_bytes(_colour(np.linspace(0, 1, 256), colormap))


def to_bytes(colours: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Colours in [0, 1] as bytes."""
    return np.rint(255 * colours).clip(0, 255).astype(np.uint8)


def _share(values: Float[np.ndarray, "*shape"], low: float, high: float) -> Float[np.ndarray, "*shape"]:
    """How far values are on the way from a low to a high one, from 0 to 1; 0 where the two are equal."""
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)


def _colour(values: Float[np.ndarray, "*shape"], colormap: str) -> Float[np.ndarray, "*shape 3"]:
    """The colours, in [0, 1], of values from 0 to 1."""
    places = np.clip(256 * values, 0, 255).astype(int)
    return _colour_maps()[COLORMAPS.index(colormap)][places]


@cache
def _colour_maps() -> Float[np.ndarray, "5 256 3"]:
    """Matplotlib's colours of `COLORMAPS`, so that pictures and the player need no Matplotlib."""
    with files("jaxsal.drawing").joinpath("colours.npy").open("rb") as file:
        return np.load(file)
