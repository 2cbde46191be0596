"""Options of the methods beyond the study, the same in every recipe; `jaxsal.saliency` has the formulas."""

import math
from dataclasses import dataclass
from typing import Literal

from jaxsal.core.checks import Options, check_layer, check_number, check_positive, check_shape
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


@check_fields
@dataclass(frozen=True)
class ShapleyOptions:
    """Options of Shapley values.

    Attributes:
      num_masks: Coalitions to score at most. Where every coalition fits, all are scored and the values are exact;
        otherwise as many random orders of the players as fit, at least four.
      grid_shape: Cells of each spectrum in time, height and width, which are the players.
      pairs: Whether the interactions of the cells of both spectra of a scene are sampled, too, where not every
        coalition is scored; an order then has (n + 1)^2 coalitions for n cells of a spectrum, not 2 n - 1.
      scores: What a coalition is worth, as for `jaxsal.rise`.
      baseline: What stands in for cells that are not in a coalition.
    """

    num_masks: int = 1000
    grid_shape: tuple[int, int, int] = (4, 2, 2)
    pairs: bool = False
    scores: ScoreKind = "probabilities"
    baseline: Baseline = "mean"

    def __post_init__(self):
        check_positive("num_masks", self.num_masks)
        check_shape("grid_shape", self.grid_shape)
        if math.prod(self.grid_shape) > MOST_PLAYERS:
            raise ValueError(f"`grid_shape` must have at most {MOST_PLAYERS:,} cells; got {self.grid_shape}.")


@check_fields
@dataclass(frozen=True)
class CamOptions:
    """Options of the methods that weigh activations place by place.

    Attributes:
      alignment: How the map is stretched to the clip, see `jaxsal.engine.resample`.
      layer: Layer of a Flax module whose activations they are; the one that enters the head if None.
    """

    alignment: Alignment = "centers"
    layer: str | None = None

    def __post_init__(self):
        check_layer(self.layer)


class HiResCamOptions(CamOptions):
    """Options of HiResCAM."""


class LayerCamOptions(CamOptions):
    """Options of LayerCAM."""


class GradCamPlusPlusOptions(CamOptions):
    """Options of Grad-CAM++."""


class ReciproCamOptions(CamOptions):
    """Options of ReciproCAM."""


@check_fields
@dataclass(frozen=True)
class LeGradOptions:
    """Options of LeGrad.

    Attributes:
      alignment: How the map is stretched to the clip, see `jaxsal.engine.resample`.
    """

    alignment: Alignment = "centers"


@check_fields
@dataclass(frozen=True)
class IntegratedOptions:
    """Options of integrated gradients.

    Attributes:
      num_samples: Clips on the way from the baseline to the clip, at least 1.
      baseline: Where the way begins.
      scores: What is explained, as for `jaxsal.rise`; the map sums to what it changes along the way.
    """

    num_samples: int = 32
    baseline: Baseline = "mean"
    scores: ScoreKind = "logits"

    def __post_init__(self):
        check_positive("num_samples", self.num_samples)


@check_fields
@dataclass(frozen=True)
class SmoothGradOptions:
    """Options of SmoothGrad.

    Attributes:
      num_samples: Noisy copies of the clip, at least 1.
      noise_std: Standard deviation of the noise, in units of the clip's values, at least 0; 0 gives the plain gradient.
      sign: "absolute" sums the absolute mean gradient over the channels of a voxel, "signed" the gradient itself.
      scores: What is explained, as for `jaxsal.rise`.
    """

    num_samples: int = 32
    noise_std: float = 0.15
    sign: Literal["absolute", "signed"] = "absolute"
    scores: ScoreKind = "logits"

    def __post_init__(self):
        check_positive("num_samples", self.num_samples)
        if not 0 <= check_number("noise_std", self.noise_std) < math.inf:
            raise ValueError(f"`noise_std` must be at least 0; got {self.noise_std}.")


FURTHER: dict[str, str] = {
    "ridge": "RISE ridge",
    "kernelshap": "KernelSHAP",
    "shapley": "Shapley values",
    "occlusion": "Occlusion",
    "scorecam": "Score-CAM",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "gradcampp": "Grad-CAM++",
    "reciprocam": "ReciproCAM",
    "integrated": "Integrated gradients",
    "smoothgrad": "SmoothGrad",
    "legrad": "LeGrad",
}
"""By name of the method: its title in tables and pictures."""
FOR_TOKENS = ("legrad",)
"""Methods that need a network of tokens, whose attention weights they read."""
DEFAULTS: dict[str, Options] = {
    "kernelshap": KernelShapOptions(),
    "shapley": ShapleyOptions(),
    "occlusion": OcclusionOptions(),
    "scorecam": ScoreCamOptions(),
    "hirescam": HiResCamOptions(),
    "layercam": LayerCamOptions(),
    "gradcampp": GradCamPlusPlusOptions(),
    "reciprocam": ReciproCamOptions(),
    "integrated": IntegratedOptions(),
    "smoothgrad": SmoothGradOptions(),
    "legrad": LeGradOptions(),
}
"""By name of the method: its options in every recipe."""
REREAD: dict[str, tuple[str, dict[str, str]]] = {"ridge": ("rise", {"estimator": "ridge"})}
"""By name of the method: the method whose scores it reads, and the options in which it differs."""
