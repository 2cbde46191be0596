"""Options of the methods beyond the study, the same in every recipe; `jaxsal.saliency` has the formulas."""

import math
from dataclasses import dataclass

from jaxsal.core.checks import Options, check_layer, check_positive, check_shape
from jaxsal.core.kinds import check_fields
from jaxsal.recipes.names import Alignment, Baseline, ScoreKind

MOST_PLAYERS = 2048
"""Cells whose Shapley values one regression finds in seconds."""
MOST_CELLS = 10_000_000
"""Of a grid; more do not fit into memory."""


def check_cells(grid_shape: tuple[int, int, int]) -> None:
    """Raises ValueError if a grid has more cells than fit into memory."""
    if math.prod(grid_shape) > MOST_CELLS:
        raise ValueError(f"`grid_shape` must have at most {MOST_CELLS:,} cells; got {grid_shape}.")


@check_fields
@dataclass(frozen=True)
class OcclusionOptions:
    """Options of occlusion.

    Attributes:
      grid_shape: Blocks that cover the clip in time, height and width; a block spans ceil(size / count) voxels.
      stride: Voxels from one block to the next; as far as a block spans if None, so that no two overlap.
      scores: What is compared, as for `jaxsal.rise`.
      baseline: What stands in for a block.
    """

    grid_shape: tuple[int, int, int] = (2, 8, 8)
    stride: tuple[int, int, int] | None = None
    scores: ScoreKind = "probabilities"
    baseline: Baseline = "mean"

    def __post_init__(self):
        check_shape("grid_shape", self.grid_shape)
        check_cells(self.grid_shape)
        if self.stride is not None:
            check_shape("stride", self.stride)


@check_fields
@dataclass(frozen=True)
class ScoreCamOptions:
    """Options of Score-CAM.

    Attributes:
      scores: What weighs the channels before the softmax over them, as for `jaxsal.rise`.
      baseline: What stands in for removed voxels.
      alignment: How masks and map are stretched, see `jaxsal.engine.resample`.
      layer: Layer of a Flax module whose channels are weighted; the one that enters the head if None.
    """

    scores: ScoreKind = "logits"
    baseline: Baseline = "mean"
    alignment: Alignment = "centers"
    layer: str | None = None

    def __post_init__(self):
        check_layer(self.layer)


@check_fields
@dataclass(frozen=True)
class KernelShapOptions:
    """Options of KernelSHAP.

    Attributes:
      num_masks: Coalitions to score; the error of the map falls as 1 / sqrt(num_masks).
      grid_shape: Cells in time, height and width, which are the players.
      scores: What a coalition is worth, as for `jaxsal.rise`.
      baseline: What stands in for cells that are not in a coalition.
    """

    num_masks: int = 1000
    grid_shape: tuple[int, int, int] = (2, 8, 8)
    scores: ScoreKind = "probabilities"
    baseline: Baseline = "mean"

    def __post_init__(self):
        check_positive("num_masks", self.num_masks)
        check_shape("grid_shape", self.grid_shape)
        if not 2 <= math.prod(self.grid_shape) <= MOST_PLAYERS:
            raise ValueError(f"`grid_shape` must have 2 to {MOST_PLAYERS:,} cells; got {self.grid_shape}.")


FURTHER: dict[str, str] = {
    "ridge": "RISE ridge",
    "kernelshap": "KernelSHAP",
    "occlusion": "Occlusion",
    "scorecam": "Score-CAM",
}
"""By name of the method: its title in tables and pictures."""
DEFAULTS: dict[str, Options] = {
    "kernelshap": KernelShapOptions(),
    "occlusion": OcclusionOptions(),
    "scorecam": ScoreCamOptions(),
}
"""By name of the method: its options in every recipe."""
REREAD: dict[str, tuple[str, dict[str, str]]] = {"ridge": ("rise", {"estimator": "ridge"})}
"""By name of the method: the method whose scores it reads, and the options in which it differs."""
