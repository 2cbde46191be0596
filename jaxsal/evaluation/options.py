"""Options of explaining clips and measuring the maps, shared by Python, configurations and the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from jaxsal.core.checks import check_choice, check_chunk_size, check_positive, check_seed
from jaxsal.core.controls import ControlChoice
from jaxsal.core.kinds import check_fields
from jaxsal.recipes import (
    ADDED_MEASURES,
    MEASURES,
    METHODS,
    SETTLED,
    Approximation,
    BaselineName,
    ChunkSize,
    Estimator,
    MaskCount,
    Method,
    Precision,
    RecipeName,
    Sampling,
    ScoreKind,
    chosen_measures,
    resolve_options,
)

_OF_CURVES = {name: name for name in ("num_steps", "approximation", "tolerance", "scores")}
_OF_MASKS = ("num_masks", "grid_shape", "keep_prob", "sampling", "scores")
_OF_RISE = (*_OF_MASKS, "estimator", "settled_cells", "confidence", "most_masks")
RECIPE_FIELDS: dict[str, dict[str, str]] = {
    "gradcam": {"layer": "layer"},
    "rise": {name: name for name in _OF_RISE} | {"baseline": "mask_baseline", "batch_size": "rise_batch"},
    "sidu": {name: name for name in ("threshold", "scores", "layer")}
    | {"baseline": "mask_baseline", "batch_size": "sidu_batch"},
    "ridge": {name: name for name in _OF_MASKS} | {"baseline": "mask_baseline", "batch_size": "rise_batch"},
    "kernelshap": {name: name for name in ("num_masks", "grid_shape", "scores")} | {"baseline": "mask_baseline"},
    "shapley": {name: name for name in ("num_masks", "grid_shape", "scores")} | {"baseline": "mask_baseline"},
    "occlusion": {"grid_shape": "grid_shape", "scores": "scores", "baseline": "mask_baseline"},
    "scorecam": {"baseline": "mask_baseline", "layer": "layer"},
    **{name: {"layer": "layer"} for name in ("hirescam", "layercam", "gradcampp", "reciprocam")},
    "integrated": {"num_samples": "num_samples", "baseline": "mask_baseline"},
    "smoothgrad": {"num_samples": "num_samples"},
    "deletion": _OF_CURVES | {"baseline": "deletion_baseline"},
    "insertion": _OF_CURVES | {"baseline": "insertion_baseline"},
}
"""By method or measure and the name of its option in `jaxsal.recipes`: the field of `ExplainOptions` that sets it."""


@check_fields
@dataclass(frozen=True)
class ExplainOptions:
    """How clips are explained and how the maps are measured; the recipe supplies every option that is None.

    Attributes:
      method: Methods to run, one or more.
      controls: Maps to compare with, measured beside the methods: "random" (voxel noise), "smooth" (noise of RISE's
        grid), "other" (the same method's map of a clip of another class), "centre" (a Gaussian), "motion" (frame
        differences), "constant"; "all" or none. Each costs a deletion and an insertion curve a clip, "other" one
        pair a method.
      against: Class that the explained class is told from, by name or number: the score is then the probability of the
        explained class where only these two are possible. "second" takes the most probable other class of each clip,
        and so does a class that is the explained one itself. If unset, the class is explained by itself.
      recipe: Preset that supplies every option you do not set: "default"; "icpr2022", the study's code; or
        "canonical", each method's original code.
      layer: Layer that methods of activations read (Grad-CAM and its kind, SIDU, Score-CAM), as `jaxsal layers`
        lists it. If unset, the layer that enters the head.
      num_masks: RISE: random masks per clip, at least 1; the error of the map falls as 1 / sqrt(masks). "settled" takes
        as many as settle the order of the most salient cells; other methods with masks then keep their own number.
      settled_cells: RISE with "settled" masks: cells of the grid whose order must be settled, the most salient ones.
      confidence: RISE with "settled" masks: how sure that order must be, above 0 and below 1.
      most_masks: RISE with "settled" masks: masks per clip at most; the order may then be open.
      grid_shape: RISE: cells of the random grid in time, height and width, at least 1 each; occlusion, KernelSHAP
        and Shapley values: blocks.
      keep_prob: RISE: probability of keeping a cell, above 0 and at most 1.
      estimator: RISE: "mean" is the paper's estimator; "centered" has less variance; "ridge" is a regression.
      sampling: RISE: how the random grids are drawn; "stratified" and "sobol" have less variance, but give no
        standard errors.
      threshold: SIDU: activations above this value form a channel's mask; any number.
      num_samples: Integrated gradients and SmoothGrad: gradients that are averaged, at least 1.
      scores: How the network's outputs become scores, in RISE, SIDU and the curves: "softmax", "sigmoid" (classes that
        do not exclude each other), "logits", "given" (the network returns probabilities), or "probabilities" (what
        the network says, else softmax; a single logit gives no and yes).
      mask_baseline: Methods with masks: what replaces removed voxels.
      rise_batch: RISE: masked clips that are normalised together, at least 1 (the study's PAN: 24); if unset, each
        masked clip is normalised alone.
      sidu_batch: Same for SIDU (the study's PAN: 64).
      num_steps: Deletion and insertion: scores per curve, at least 2, counting the first and the last. If unset, the
        recipe "canonical" changes one row of the frame per step.
      deletion_baseline: What deletion puts in place of removed voxels: black ("zero"), the mean colour ("mean"), the
        blurred clip ("blur", "gaussian"), the mean of all frames ("time_mean"), the first frame ("first_frame"), or
        the frames in reverse order ("reverse"). The last three take the motion out, or turn it round.
      insertion_baseline: What insertion starts from, one of the same.
      approximation: Deletion and insertion: "none" scores every step; "refine" scores every 8th step, and more steps
        where the score jumps.
      tolerance: With approximation "refine": largest jump in score between two scored steps, at least 0.
      chunk_size: Masked clips per forward batch, at least 1. "auto" is 16 on a CPU, and on a GPU or TPU as many as fit
        into its memory, at most 64 a device. Results do not change.
      clips_per_batch: Clips that are explained together, at least 1; a numeric `chunk_size` bounds them. Results do not
        change. If the run is killed, at most this many clips are recomputed; RISE scores are kept.
      seed: Seed of RISE's masks and of the random map, 0 to 4294967295.
      precision: Number format of weights and activations; bfloat16 is faster on accelerators and rounds scores. A run
        in bfloat16 first compares RISE maps of 64 masks with float32 and says if voxels are ranked differently.
      measure: Measures of every map beside deletion and insertion: "gini", "entropy", "average_drop", "average_gain",
        "increase", "mu_fidelity", "infidelity"; "all" or none.
    """

    method: tuple[str, ...] = get_args(Method)
    controls: tuple[ControlChoice, ...] = ("random", "smooth", "other")
    against: str | None = None
    recipe: RecipeName = "default"
    layer: str | None = None
    num_masks: MaskCount | None = None
    settled_cells: int | None = None
    confidence: float | None = None
    most_masks: int | None = None
    grid_shape: tuple[int, int, int] | None = None
    keep_prob: float | None = None
    estimator: Estimator | None = None
    sampling: Sampling | None = None
    threshold: float | None = None
    num_samples: int | None = None
    scores: ScoreKind | None = None
    mask_baseline: BaselineName | None = None
    rise_batch: int | None = None
    sidu_batch: int | None = None
    num_steps: int | None = None
    deletion_baseline: BaselineName | None = None
    insertion_baseline: BaselineName | None = None
    approximation: Approximation | None = None
    tolerance: float | None = None
    chunk_size: ChunkSize = "auto"
    clips_per_batch: int = 4
    seed: int = 0
    precision: Precision = "float32"
    measure: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.method:
            raise ValueError(f"`method` must name at least one of {tuple(METHODS)}; got none.")
        for name in self.method:
            check_choice("method", name, tuple(METHODS))
        if self.against == "":
            raise ValueError("`against` must be a class, 'second' or None; got ''.")
        chosen_measures(self.measure)
        check_chunk_size(self.chunk_size)
        for name in ("clips_per_batch", "rise_batch", "sidu_batch"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        check_seed(self.seed)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ExplainOptions":
        """The options from what `dataclasses.asdict` and JSON made of them."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**known)

    def check(self) -> None:
        """Raises ValueError if an option's value is not allowed by its method or measure."""
        for name in (*METHODS, *self.measures):
            self.resolve(name)

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures of every map."""
        return tuple(dict.fromkeys((*MEASURES, *chosen_measures(self.measure), *ADDED_MEASURES)))

    def overrides(self, method: str) -> dict[str, Any]:
        """The options of a method or a measure that are not left to the recipe, by their names in `jaxsal.recipes`."""
        values = {name: getattr(self, field) for name, field in RECIPE_FIELDS.get(method, {}).items()}
        if method != "rise" and values.get("num_masks") == SETTLED:
            del values["num_masks"]
        return {name: value for name, value in values.items() if value is not None}

    def resolve(self, method: str) -> Any:
        """All options of a method or a measure: `RiseOptions`, `SiduOptions`, `GradCamOptions` or `CurveOptions`.

        Raises:
          ValueError: If an option's value is not allowed.
        """
        return resolve_options(method, self.recipe, self.overrides(method))
