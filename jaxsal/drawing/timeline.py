"""Values of a recording over time as a figure: a panel for each kind of value, one below the other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from jaxsal.core.extras import check_installed
from jaxsal.drawing.plots import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_timeline(
    places: Float[np.ndarray, " L"],
    panels: Mapping[str, Mapping[str, Float[np.ndarray, " L"]]],
    *,
    axis: str,
    title: str = "",
) -> "Figure":
    """Draws values over time; a gap is where they are NaN.

    Args:
      places: Where moments are on the axis, such as their seconds.
      panels: By label of the vertical axis, the lines by name; a panel of one line has no legend.
      axis: Label of the horizontal axis.
      title: Above all panels.

    Raises:
      MissingPackageError: If Matplotlib is not installed.
    """
    check_installed("matplotlib")
    from matplotlib.figure import Figure

    heights = [2.4 if len(lines) > 1 else 1.4 for lines in panels.values()]
    figure = Figure(figsize=(10, sum(heights) + 0.8), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for own, (label, lines) in zip(axes, panels.items(), strict=True):
        for number, (name, values) in enumerate(lines.items()):
            own.plot(places, values, color=COLOURS[number % len(COLOURS)], linewidth=1.6, label=name)
        own.set_ylabel(label, fontsize=9)
        own.set_ylim(bottom=0, top=1.02 if label == "probability" else None)
        own.grid(color="#DDDDDD", linewidth=0.6)
        own.spines[["top", "right"]].set_visible(False)
        if len(lines) > 1:
            own.legend(fontsize=9, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes[-1].set_xlabel(axis)
    axes[-1].set_xlim(places[0], places[-1] if len(places) > 1 else places[0] + 1)
    figure.suptitle(title)
    return figure
