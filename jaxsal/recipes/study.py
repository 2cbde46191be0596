"""The options of the study's methods and measures."""

import math
from dataclasses import dataclass
from typing import Literal

from jaxsal.core.checks import check_integer, check_layer, check_number, check_positive, check_shape
from jaxsal.core.kinds import check_fields
from jaxsal.recipes.further import check_cells
from jaxsal.recipes.names import (
    Alignment,
    Approximation,
    Area,
    Baseline,
    Estimator,
    FrameSlices,
    MaskCount,
    Sampling,
    ScoreKind,
    TemporalCell,
    Ties,
)

SETTLED: Literal["settled"] = "settled"
"""The number of RISE's masks that settle the order of the most salient cells, see `jaxsal.saliency.settled`."""
LEAST_KEEP_PROB = 2**-23
"""The finest chance that a random number of float32 can be below."""
MOST_RIDGE = 2048
"""Cells whose weights one regression finds in seconds."""
MAX_SOBOL = 2**17
"""Masks that sampling "sobol" can draw."""


@check_fields
@dataclass(frozen=True)
class GradCamOptions:
    """Options of Grad-CAM; `jaxsal.gradcam` says what each does."""

    relu: Literal["sum", "channels"] = "sum"
    gradient_pool: Literal["sum", "mean"] = "sum"
    weights_per: Literal["auto", "clip", "frame"] = "auto"
    alignment: Alignment = "centers"
    layer: str | None = None

    def __post_init__(self):
        check_layer(self.layer)


@check_fields
@dataclass(frozen=True)
class RiseOptions:
    """Options of RISE; `jaxsal.rise` says what each does."""

    num_masks: MaskCount = 1000
    grid_shape: tuple[int, int, int] = (2, 8, 8)
    keep_prob: float = 0.1
    scores: ScoreKind = "probabilities"
    baseline: Baseline = "mean"
    alignment: Alignment = "mirror"
    temporal_cell: TemporalCell = "own"
    frame_slices: FrameSlices = "aligned"
    estimator: Estimator = "mean"
    batch_size: int | None = None
    sampling: Sampling = "independent"
    settled_cells: int = 5
    confidence: float = 0.95
    most_masks: int = 16_000

    def __post_init__(self):
        check_positive("most_masks", self.most_masks)
        check_positive("num_masks", self.most)
        check_positive("settled_cells", self.settled_cells)
        if not 0 < check_number("confidence", self.confidence) < 1:
            raise ValueError(f"`confidence` must be above 0 and below 1; got {self.confidence}.")
        self._check_settled()
        check_shape("grid_shape", self.grid_shape)
        check_cells(self.grid_shape)
        if not 0 < check_number("keep_prob", self.keep_prob) <= 1:
            raise ValueError(f"`keep_prob` must be in (0, 1]; got {self.keep_prob}.")
        if self.keep_prob < LEAST_KEEP_PROB:
            raise ValueError(f"`keep_prob` must be at least 1.2e-7, or no mask keeps a cell; got {self.keep_prob}.")
        if self.estimator == "ridge" and math.prod(self.grid_shape) > MOST_RIDGE:
            raise ValueError(
                f"`grid_shape` must have at most {MOST_RIDGE:,} cells for estimator 'ridge'; got {self.grid_shape}."
            )
        if self.sampling == "sobol" and self.most > MAX_SOBOL:
            raise ValueError(f"`num_masks` must be at most {MAX_SOBOL} with sampling 'sobol'; got {self.num_masks}.")
        _check_batch(self.batch_size)

    def _check_settled(self) -> None:
        """An order is settled by masks that are independent, of the map that is their mean."""
        if self.num_masks == SETTLED and (self.sampling, self.batch_size) != ("independent", None):
            raise ValueError(
                f"`num_masks` must be a number unless `sampling` is 'independent' and `batch_size` is None; "
                f"got 'settled' with {self.sampling!r} and {self.batch_size}."
            )
        if self.num_masks == SETTLED and self.estimator == "ridge":
            raise ValueError("`num_masks` must be a number for estimator 'ridge'; got 'settled'.")

    @property
    def most(self) -> int:
        """The masks that are scored at most: `num_masks`, or `most_masks` where that is "settled"."""
        return self.most_masks if self.num_masks == SETTLED else self.num_masks


@check_fields
@dataclass(frozen=True)
class SiduOptions:
    """Options of SIDU; `jaxsal.sidu` says what each does."""

    threshold: float = 0.5
    kernel_width: float = 0.25
    scores: ScoreKind = "probabilities"
    baseline: Baseline = "mean"
    alignment: Alignment = "mirror"
    feature_normalization: Literal["same", "minmax"] = "same"
    batch_size: int | None = None
    layer: str | None = None

    def __post_init__(self):
        if math.isnan(check_number("threshold", self.threshold)):
            raise ValueError(f"`threshold` must be a number; got {self.threshold}.")
        if not check_number("kernel_width", self.kernel_width) > 0:
            raise ValueError(f"`kernel_width` must be above 0; got {self.kernel_width}.")
        _check_batch(self.batch_size)
        check_layer(self.layer)


@check_fields
@dataclass(frozen=True)
class CurveOptions:
    """Options of deletion and insertion; `jaxsal.deletion` says what each does."""

    num_steps: int = 100
    step_size: int | Literal["row"] | None = None
    step_rounding: Literal["exact", "float32"] = "exact"
    baseline: Baseline = "mean"
    blur_factor: int = 4
    blur_time: bool | None = None
    unit: Literal["voxel", "scalar", "auto"] = "voxel"
    ties: Ties = "random"
    nan_as_zero: bool = False
    scores: ScoreKind = "probabilities"
    area: Area = "fractions"
    approximation: Approximation = "none"
    tolerance: float = 0.02

    def __post_init__(self):
        if check_integer("num_steps", self.num_steps) < 2:
            raise ValueError(f"`num_steps` must be at least 2; got {self.num_steps}.")
        check_positive("num_steps", self.num_steps)
        if self.step_size is not None and not isinstance(self.step_size, str):
            check_positive("step_size", self.step_size)
        check_positive("blur_factor", self.blur_factor)
        if not check_number("tolerance", self.tolerance) >= 0:
            raise ValueError(f"`tolerance` must be at least 0; got {self.tolerance}.")


def _check_batch(batch_size: int | None) -> None:
    if batch_size is not None:
        check_positive("batch_size", batch_size)


@dataclass(frozen=True)
class Recipe:
    """One set of options for every method and measure."""

    gradcam: GradCamOptions = GradCamOptions()
    rise: RiseOptions = RiseOptions()
    sidu: SiduOptions = SiduOptions()
    deletion: CurveOptions = CurveOptions()
    insertion: CurveOptions = CurveOptions(baseline="blur")
