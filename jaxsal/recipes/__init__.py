"""The options of every method and measure, and the named sets of them; each name exists here once.

Three recipes: "default" is the study's adaptation to video with the methods' own maths; "icpr2022" does what
the study's published code does, quirk for quirk; "canonical" does what each method's own code does. Every
departure of one from another is one field here. Nothing here imports JAX, so that the command line starts without it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args

from jaxsal.core.checks import Options, check_choice, hint
from jaxsal.recipes.further import DEFAULTS, FURTHER, REREAD
from jaxsal.recipes.measuring import (
    FURTHER_MEASURES as FURTHER_MEASURES,
    MEASURE_DEFAULTS,
    chosen_measures as chosen_measures,
)
from jaxsal.recipes.names import (
    Alignment as Alignment,
    Approximation as Approximation,
    Area as Area,
    ArrayLike as ArrayLike,
    Baseline as Baseline,
    BaselineName as BaselineName,
    ChunkSize as ChunkSize,
    Estimator as Estimator,
    FrameSlices as FrameSlices,
    MaskCount as MaskCount,
    Measure as Measure,
    Method as Method,
    Precision as Precision,
    RecipeName as RecipeName,
    Sampling as Sampling,
    ScoreKind as ScoreKind,
    TemporalCell as TemporalCell,
    Ties as Ties,
)
from jaxsal.recipes.study import (
    MAX_SOBOL as MAX_SOBOL,
    SETTLED as SETTLED,
    CurveOptions as CurveOptions,
    GradCamOptions as GradCamOptions,
    Recipe as Recipe,
    RiseOptions as RiseOptions,
    SiduOptions as SiduOptions,
)

STUDY_METHODS: tuple[str, ...] = get_args(Method)
"""The study's methods, which run where none are chosen."""
METHODS: dict[str, str] = dict(zip(STUDY_METHODS, ("Grad-CAM", "RISE", "SIDU"), strict=True)) | FURTHER
"""By name: how tables and pictures call each method that explains."""
MEASURES: tuple[str, ...] = get_args(Measure)
ALONE: dict[str, tuple[Measure, str]] = {
    f"{measure}_{spectrum}": (measure, spectrum) for measure in get_args(Measure) for spectrum in ("IR", "TV")
}
"""Measures of scenes in both spectra: deletion and insertion over the voxels of one alone, by their names."""
ADDED_MEASURES: dict[str, int] = {}
"""Further measures of maps, and whether low (-1) or high (1) is good; see `jaxsal.metrics.measures.add_measure`."""


RECIPES = {
    "default": Recipe(),
    "icpr2022": Recipe(
        gradcam=GradCamOptions(relu="channels", alignment="corners"),
        rise=RiseOptions(
            scores="logits",
            baseline="zero",
            alignment="corners",
            temporal_cell="spatial",
            frame_slices="modulo",
        ),
        sidu=SiduOptions(scores="logits", baseline="zero", alignment="corners", feature_normalization="minmax"),
        deletion=CurveOptions(baseline="zero", step_rounding="float32", unit="auto", nan_as_zero=True, area="steps"),
        insertion=CurveOptions(baseline="blur", step_rounding="float32", unit="auto", nan_as_zero=True, area="steps"),
    ),
    "canonical": Recipe(
        rise=RiseOptions(num_masks=6000),
        sidu=SiduOptions(threshold=0.1),
        deletion=CurveOptions(step_size="row", ties="last", area="steps"),
        insertion=CurveOptions(step_size="row", ties="last", area="steps", baseline="gaussian"),
    ),
}


def resolve_options(method: str, recipe: str, overrides: dict[str, Any]) -> Any:
    """The options of a method under a recipe, with single ones replaced.

    Raises:
      TypeError: If an override is no option of the method; the message lists the options.
      ValueError: If the recipe is unknown or an option's value is not allowed.
    """
    options = _defaults(method, recipe)
    known = [field.name for field in dataclasses.fields(options)]
    unknown = [name for name in overrides if name not in known]
    if unknown:
        raise TypeError(f"`options` must be out of {known} for {method}; got {unknown[0]!r}.{hint(unknown[0], known)}")
    if "num_steps" in overrides and getattr(options, "step_size", None) is not None:
        overrides = {"step_size": None} | overrides  # a number of steps takes the place of the recipe's step size
    return dataclasses.replace(options, **overrides)


def chosen_options(method: str, recipe: str, values: Mapping[str, Any]) -> Any:
    """The options of a method under a recipe; those among `values` that are not None replace the recipe's.

    Args:
      method: A method or a measure.
      recipe: The recipe.
      values: By name; other names are ignored, so that a function can give its own arguments, `locals()`.

    Raises:
      ValueError: If the recipe is unknown or an option's value is not allowed.
    """
    names = [field.name for field in dataclasses.fields(_defaults(method, recipe))]
    return resolve_options(method, recipe, {n: values[n] for n in names if values.get(n) is not None})


_ADDED: dict[str, Any] = dict(DEFAULTS) | MEASURE_DEFAULTS


def measure_sign(name: str) -> int:
    """Whether low (-1) or high (1) is good for a measure."""
    known = {"deletion": -1, "insertion": 1} | FURTHER_MEASURES | ADDED_MEASURES
    return known.get(ALONE.get(name, (name, ""))[0], 1)


def add_options(name: str, defaults: Options) -> None:
    """Makes the options of a further method or measure known; every recipe has the same ones."""
    _ADDED[name] = defaults


def _defaults(method: str, recipe: str) -> Any:
    check_choice("recipe", recipe, tuple(RECIPES))
    if method in REREAD:
        read, changes = REREAD[method]
        return dataclasses.replace(_defaults(read, recipe), **changes)
    return _ADDED[method] if method in _ADDED else getattr(RECIPES[recipe], method)
