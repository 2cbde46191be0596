"""How a decision splits into infrared, visible and their interaction: a scene's result."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.core.shown import number_text
from jaxsal.core.types import AnyArray
from jaxsal.datasets.records import SPECTRA
from jaxsal.drawing.shares import Split, draw_shares

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cells = Mapping[str, Float[np.ndarray, "..."]]
"""By spectrum, "IR" and "TV": a number for each cell, (t, r, c), or for each moment, (t,)."""


class Estimate(NamedTuple):
    """A number for each cell, or each moment, of each spectrum.

    Attributes:
      values: In units of the score.
      error: Half the width of the 95 % interval, by Student's t over pairs of orders; 0 where values are exact.
    """

    values: Cells
    error: Cells


class SpectrumShares(NamedTuple):
    """How a decision splits into infrared, visible and their interaction.

    With v the score where only some of the scene is shown and the rest is replaced by the baseline:

        infrared    = v(IR) - v(nothing)
        visible     = v(TV) - v(nothing)
        interaction = v(both) - v(IR) - v(TV) + v(nothing)

    They sum to v(both) - v(nothing). Four scores give them, so they have no sampling error. A positive interaction says
    that the score needs both spectra; a negative one that either is enough or, where it is more than what one of them
    adds, that one takes something from the other.

    Attributes:
      infrared: What infrared adds alone.
      visible: What the visible spectrum adds alone.
      interaction: What both together add beyond that.
      worths: v by what is shown: "nothing", "IR", "TV" and "both".
      alone: What each cell adds while the other spectrum is replaced; sums to `infrared` and `visible`.
      shared: What each cell adds more, or less, once the other spectrum is there; sums to `interaction` over the cells
        of either spectrum.
      when: The Owen values of all cells of a moment together, (t,) for either spectrum.
      interactions: What cell i of infrared and cell j of the visible spectrum add together, (n, n), cells in raster
        order; sums to `interaction`. None where coalitions were sampled without `pairs`.
      interactions_error: Half the width of their 95 % intervals, (n, n).
      cells: Cell numbers of the voxels, (T', H, W).
      num_coalitions: Different coalitions that were scored.
      exact: Whether that was every coalition of cells.
    """

    infrared: float
    visible: float
    interaction: float
    worths: Mapping[str, float]
    alone: Estimate
    shared: Estimate
    when: Estimate
    interactions: Float[np.ndarray, "n n"] | None
    interactions_error: Float[np.ndarray, "n n"] | None
    cells: Float[AnyArray, "Tm H W"]
    num_coalitions: int
    exact: bool

    @property
    def values(self) -> Cells:
        """The Owen values: `alone` and half of `shared`. Over all cells they sum to v(both) - v(nothing)."""
        return {name: self.alone.values[name] + self.shared.values[name] / 2 for name in SPECTRA}

    @property
    def maps(self) -> dict[str, Float[np.ndarray, "Tm H W"]]:
        """The values as maps of both spectra."""
        return {name: own.ravel()[self.cells].astype(np.float32) for name, own in self.values.items()}

    @property
    def percent(self) -> dict[str, float]:
        """Infrared, visible and interaction as percentages of their sum; NaN where the scene adds nothing."""
        total = self.worths["both"] - self.worths["nothing"]
        parts = dict(infrared=self.infrared, visible=self.visible, interaction=self.interaction)
        return {name: 100 * part / total if total else math.nan for name, part in parts.items()}

    def __repr__(self) -> str:
        return f"SpectrumShares({self.text})"

    @property
    def text(self) -> str:
        """The split in one line."""
        percent, ends = self.percent, " to ".join(number_text(self.worths[name]) for name in ("nothing", "both"))
        parts = ", ".join(f"{name} {percent[name]:.0f} %" for name in percent)
        return f"{parts}, of the score's way from {ends}"

    def plot(self, scene: Mapping[str, AnyArray] | None = None, *, title: str = "") -> "Figure":
        """Draws the split as a bar, and what every cell adds over time and space, both spectra on one scale.

        Args:
          scene: The clips by spectrum, whose frames are then drawn below the cells.
          title: Above the bar.

        Returns:
          The figure, which a notebook shows; `.savefig(path)` writes it.

        Raises:
          MissingPackageError: If Matplotlib is not installed.
        """
        split = Split(self.infrared, self.visible, self.interaction, self.worths["nothing"], self.worths["both"])
        when = {name: (self.when.values[name], self.when.error[name]) for name in SPECTRA}
        return draw_shares(split, when, self.maps, scene, title=title)
