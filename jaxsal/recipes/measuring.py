"""Options of the measures beside deletion and insertion, the same in every recipe; `jaxsal.metrics` has formulas."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxsal.core.checks import Options, check_choice, check_number, check_positive, check_seed, check_shape
from jaxsal.core.kinds import check_fields
from jaxsal.recipes.further import check_cells
from jaxsal.recipes.names import BaselineName, ScoreKind


@check_fields
@dataclass(frozen=True)
class DropOptions:
    """Options of average drop, average gain and increase in confidence.

    Attributes:
      baseline: What the clip is blended with where the map is low; "zero" is the product of clip and map, as in the
        sources.
      scores: Whose drop is measured, as for `jaxsal.rise`; probabilities in the sources.
    """

    baseline: BaselineName = "zero"
    scores: ScoreKind = "probabilities"


@check_fields
@dataclass(frozen=True)
class SparsityOptions:
    """Options of the Gini index and of the entropy.

    Attributes:
      credit: What counts as credit of a voxel: "absolute", |S|, as in the sources; or "above_least", S - min S, for
        maps whose zero has no meaning, such as RISE's.
    """

    credit: Literal["absolute", "above_least"] = "absolute"


@check_fields
@dataclass(frozen=True)
class FidelityOptions:
    """Options of mu-fidelity and infidelity, which share their forward passes where all options are equal.

    Attributes:
      num_subsets: Random sets of cells that are removed, at least 3; all maps of a clip share them.
      grid_shape: Cells in time, height and width.
      share: The share of the cells that a set has, above 0 and below 1.
      baseline: What stands in for removed cells.
      scores: Whose drop is measured, as for `jaxsal.rise`.
      correlation: Of mu-fidelity: "pearson", as in the paper, or "spearman", of ranks.
      scaled: Of infidelity: whether the map is first scaled so that the error is the least; without it only maps in the
        unit of the score can have a small one.
      seed: Of the sets.
    """

    num_subsets: int = 128
    grid_shape: tuple[int, int, int] = (2, 8, 8)
    share: float = 0.2
    baseline: BaselineName = "mean"
    scores: ScoreKind = "probabilities"
    correlation: Literal["pearson", "spearman"] = "pearson"
    scaled: bool = True
    seed: int = 0

    def __post_init__(self):
        check_positive("num_subsets", self.num_subsets)
        if self.num_subsets < 3:
            raise ValueError(f"`num_subsets` must be at least 3 for a correlation; got {self.num_subsets}.")
        check_shape("grid_shape", self.grid_shape)
        check_cells(self.grid_shape)
        if math.prod(self.grid_shape) < 2:
            raise ValueError(f"`grid_shape` must have at least 2 cells; got {self.grid_shape}.")
        if not 0 < check_number("share", self.share) < 1:
            raise ValueError(f"`share` must be above 0 and below 1; got {self.share}.")
        check_seed(self.seed)


FURTHER_MEASURES: dict[str, int] = {
    "gini": 1,
    "entropy": -1,
    "average_drop": -1,
    "average_gain": 1,
    "increase": 1,
    "mu_fidelity": 1,
    "infidelity": -1,
}
"""By name of the measure: whether low (-1) or high (1) is good."""
MEASURE_DEFAULTS: dict[str, Options] = {
    **dict.fromkeys(("gini", "entropy"), SparsityOptions()),
    **dict.fromkeys(("average_drop", "average_gain", "increase"), DropOptions()),
    **dict.fromkeys(("mu_fidelity", "infidelity"), FidelityOptions()),
}
"""By name of the measure: its options in every recipe."""


def chosen_measures(names: Sequence[str]) -> tuple[str, ...]:
    """The measures beside deletion and insertion that some names choose; "all" chooses every one.

    Raises:
      ValueError: If a name is unknown.
    """
    for name in names:
        check_choice("measure", name, ("all", *FURTHER_MEASURES))
    return tuple(FURTHER_MEASURES) if "all" in names else tuple(names)
