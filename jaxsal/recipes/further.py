"""Options of the methods beyond the study, the same in every recipe; `jaxsal.saliency` has the formulas."""

from dataclasses import dataclass

from jaxsal.core.checks import Options, check_names, check_shape
from jaxsal.recipes.names import Alignment, Baseline, ScoreKind


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
        if self.stride is not None:
            check_shape("stride", self.stride)
        check_names(self)


@dataclass(frozen=True)
class ScoreCamOptions:
    """Options of Score-CAM.

    Attributes:
      scores: What weighs the channels before the softmax over them, as for `jaxsal.rise`.
      baseline: What stands in for removed voxels.
      alignment: How masks and map are stretched, see `jaxsal.engine.resample`.
    """

    scores: ScoreKind = "logits"
    baseline: Baseline = "mean"
    alignment: Alignment = "centers"

    def __post_init__(self):
        check_names(self)


FURTHER: dict[str, tuple[str, Options]] = {
    "occlusion": ("Occlusion", OcclusionOptions()),
    "scorecam": ("Score-CAM", ScoreCamOptions()),
}
"""By name of the method: its title in tables and pictures, and its options."""
