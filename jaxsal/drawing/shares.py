"""Which spectrum, when and where, as a figure: a bar, what each moment adds, and the cells on the frames."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.core.extras import check_installed
from jaxsal.core.shown import number_text
from jaxsal.core.spread import spread
from jaxsal.core.types import AnyArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

INFRARED, VISIBLE, GREY = "#D55E00", "#0072B2", "#777777"
"""Vermilion and blue, which colour-blind readers tell apart."""
NAMES = {"IR": "infrared", "TV": "visible"}
COLOURS = {"IR": INFRARED, "TV": VISIBLE}
_MOST_FRAMES = 8


class Split(NamedTuple):
    """What is drawn as a bar: what infrared, visible and both together add, and the score from nothing to both."""

    infrared: float
    visible: float
    interaction: float
    nothing: float
    both: float

    def texts(self) -> tuple[str, str, str]:
        """The three parts as percentages of their sum, in words; without a sum in units of the score."""
        total = self.both - self.nothing
        shown = (lambda part: f"{100 * part / total:.0f} %") if total else number_text
        spare = min(self.infrared, self.visible) + self.interaction
        joint = "only together" if self.interaction >= 0 else "either is enough" if spare >= 0 else "less together"
        size = shown(abs(self.interaction)) if total >= 0 else shown(-abs(self.interaction))
        return f"infrared {shown(self.infrared)}", f"visible {shown(self.visible)}", f"{joint} {size}"


def draw_shares(
    split: Split,
    when: Mapping[str, tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]],
    maps: Mapping[str, Float[np.ndarray, "Tm H W"]],
    scene: Mapping[str, Float[AnyArray, "T H W _"]] | None = None,
    *,
    title: str = "",
) -> "Figure":
    """Draws the split of a decision, what each moment of each spectrum adds, and the cells of both on one scale.

    Args:
      split: Of the decision.
      when: By spectrum, what each block of frames adds and half the width of its interval.
      maps: By spectrum, what the cell of each voxel adds.
      scene: The clips by spectrum, drawn below the cells.
      title: Above the bar.

    Raises:
      MissingPackageError: If Matplotlib is not installed.
    """
    check_installed("matplotlib")
    from matplotlib.figure import Figure

    num_maps = len(next(iter(maps.values())))
    shown = spread(num_maps, _MOST_FRAMES)
    figure = Figure(figsize=(1.25 * len(shown) + 1.6, 6.4), layout="constrained")
    grid = figure.add_gridspec(3, 1, height_ratios=[1.0, 1.3, 2.6])
    top, middle, bottom = (figure.add_subfigure(grid[row]) for row in range(3))
    draw_split(top.subplots(), split)
    _draw_when(middle.subplots(), when)
    axes = bottom.subplots(2, len(shown), squeeze=False)
    limit = max(float(np.abs(own).max()) for own in maps.values()) or 1.0
    for row, name in zip(axes, NAMES, strict=True):
        for axis, number in zip(row, shown, strict=True):
            picture = _draw_cells(axis, maps[name][number], limit, _frame(scene, name, number, num_maps))
        row[0].set_ylabel(NAMES[name], color=COLOURS[name], fontsize=10)
    bar = bottom.colorbar(picture, ax=axes, fraction=0.03, pad=0.01)
    bar.set_label("added to the score", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=11)
    return figure


def draw_split(axis: "Axes", split: Split) -> None:
    """The bar: infrared from the left, visible from the right.

    Where both lie, hatched, either is enough; a hatched gap between them needs both. Where one of them goes beyond the
    other end, the other takes something from it.
    """
    total = split.both - split.nothing
    infrared, visible = (part / total if total else 0.0 for part in split[:2])
    axis.barh(0.0, infrared, left=0.0, height=0.8, color=INFRARED, alpha=0.75)
    axis.barh(0.0, visible, left=1 - visible, height=0.8, color=VISIBLE, alpha=0.75)
    low, high = sorted((infrared, 1 - visible))
    axis.barh(0.0, high - low, left=low, height=0.8, facecolor="none", edgecolor="#333333", hatch="//", linewidth=0)
    axis.axvline(0.0, color="black", linewidth=0.8)
    axis.axvline(1.0, color="black", linewidth=0.8)
    axis.set(xlim=(min(0, low, high) - 0.01, max(1, low, high) + 0.01), ylim=(-0.6, 0.6), yticks=[])
    axis.set_xticks([0, 1], [f"nothing: {split.nothing:.3g}", f"both: {split.both:.3g}"], fontsize=8)
    for place, text, colour in zip((0, 1, 0.5), split.texts(), (INFRARED, VISIBLE, "#333333"), strict=True):
        side = {0: "left", 1: "right", 0.5: "center"}[place]
        axis.text(place, 0.66, text, color=colour, ha=side, va="bottom", fontsize=10)
    axis.spines[["top", "right", "left", "bottom"]].set_visible(False)


def _draw_when(axis: "Axes", when: Mapping[str, tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]]) -> None:
    """What each block of frames adds, infrared and visible side by side, with its interval where it has one."""
    for side, name in zip((-0.2, 0.2), NAMES, strict=True):
        values, error = when[name]
        places = np.arange(len(values)) + side
        axis.bar(places, values, width=0.38, color=COLOURS[name], alpha=0.75)
        if error.any():
            axis.errorbar(places, values, error, fmt="none", ecolor="#333333", capsize=2, linewidth=0.8)
    axis.axhline(0, color="black", linewidth=0.6)
    axis.set_xticks(range(len(values)), _blocks(len(values)), fontsize=8)
    axis.tick_params(axis="y", labelsize=7)
    axis.set_ylabel("added", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _blocks(count: int) -> Sequence[str]:
    """Names of blocks of time."""
    return ["all frames"] if count == 1 else ["first frames", *[""] * (count - 2), "last frames"]


def _frame(
    scene: Mapping[str, Float[AnyArray, "T H W _"]] | None, name: str, number: int, num_maps: int
) -> Float[np.ndarray, "H W"] | None:
    """The middle frame of those that share a map, in grey."""
    if scene is None:
        return None
    length = len(scene[name]) // num_maps
    return np.asarray(scene[name][number * length + length // 2]).mean(axis=-1)


def _draw_cells(
    axis: "Axes", values: Float[np.ndarray, "H W"], limit: float, frame: Float[np.ndarray, "H W"] | None
) -> "AxesImage":
    """Red where a cell speaks for the class, blue where against it, over the frame."""
    if frame is not None:
        axis.imshow(frame, cmap="gray", vmin=0, vmax=1)
    opacity = 1.0 if frame is None else 0.55 * np.sqrt(np.abs(values) / limit)
    picture = axis.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=opacity)
    axis.set(xticks=[], yticks=[])
    return picture
