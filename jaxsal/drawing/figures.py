"""Frames of clips and maps side by side as a Matplotlib figure, for notebooks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxsal.core.checks import check_positive
from jaxsal.core.extras import check_installed
from jaxsal.core.spread import spread
from jaxsal.core.types import SaliencyMap
from jaxsal.drawing.colours import Bar, map_bar
from jaxsal.drawing.pictures import Pictures, overlay

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INCHES = 1.5


def draw_frames(
    rows: Mapping[str, Pictures],
    *,
    num_frames: int = 8,
    titles: Sequence[str] | None = None,
    bars: Mapping[str, Bar] | None = None,
    title: str = "",
) -> "Figure":
    """Draws evenly spaced frames side by side, one labelled row for each clip or overlay.

    Args:
      rows: Frames under their label, (T, H, W, 3) uint8, all of equally many frames.
      num_frames: Columns, at most.
      titles: Of all T frames, such as their times; "frame 0" and so on if None.
      bars: Colour bars by label, at the right end of the row.
      title: Above all rows.

    Raises:
      MissingPackageError: If Matplotlib is not installed.
      ValueError: If `num_frames` is below 1.
    """
    check_positive("num_frames", num_frames)
    check_installed("matplotlib")
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.figure import Figure

    length, height, width, _ = next(iter(rows.values())).shape
    shown = spread(length, num_frames)
    size = _INCHES * len(shown) * width / height + 2, _INCHES * len(rows) + 0.5
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(shown) + 1, squeeze=False, width_ratios=[*[1.0] * len(shown), 0.08])
    for (label, frames), (*row, last) in zip(rows.items(), axes, strict=True):
        for axis, number in zip(row, shown, strict=True):
            axis.imshow(frames[number])
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(label, fontsize=9)
        if bar := (bars or {}).get(label):
            over_white = ListedColormap(bar.colours()[1] / 255)
            colours = ScalarMappable(Normalize(bar.low, bar.high), over_white)
            figure.colorbar(colours, cax=last, extend="max" if bar.beyond else "neither").set_label(
                bar.unit, fontsize=7
            )
            last.tick_params(labelsize=7)
        else:
            last.set_axis_off()
    for axis, number in zip(axes[0], shown, strict=False):
        axis.set_title(titles[number] if titles is not None else f"frame {number}", fontsize=9)
    figure.suptitle(title)
    return figure


def map_rows(maps: Mapping[str, SaliencyMap], units: Mapping[str, str]) -> tuple[dict[str, Pictures], dict[str, Bar]]:
    """Maps as colours alone, without a clip below them, and their bars; limits as those of `overlay`."""
    rows, bars = {}, {}
    for label, values in maps.items():
        values = np.asarray(values, np.float32)
        rows[label] = overlay(np.zeros((*values.shape, 3), np.float32), values, opacity=1.0, fade=False)
        bars[label] = map_bar(values, units[label], fade=False)._replace(opacity=1.0)
    return rows, bars
