"""The registry of measures of maps, which the runner, the tables and the docs read."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Float

from jaxsal import recipes
from jaxsal.core.checks import Options
from jaxsal.core.types import AnyArray, OneTarget
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.requests import Scores
from jaxsal.metrics import drop, fidelity, sparsity
from jaxsal.metrics.curve import Curve, read_curve
from jaxsal.metrics.curve_scores import curve_baseline, curve_scores
from jaxsal.metrics.measure import Measure as Measure, Measured as Measured
from jaxsal.metrics.steps import count_steps
from jaxsal.recipes import CurveOptions


def _measure_curve(
    batch: Batch,
    owners: Sequence[int],
    maps: Float[AnyArray, "F *S Tm H W"],
    classes: Sequence[OneTarget],
    options: CurveOptions,
    chunk_size: int,
    *,
    keep: bool,
    only: str = "",
) -> list[Measured]:
    if only:
        maps = maps[:, batch.spectra.index(only)]
    scores = curve_scores(batch, owners, maps, classes, options, keep, only=only, chunk_size=chunk_size)
    curves = [read_curve(own, label, options) for own, label in zip(scores, classes, strict=True)]
    pairs = zip(scores, curves, strict=True)
    return [Measured(float(curve.auc), curve, _of_all_steps(own, curve)) for own, curve in pairs]


def _of_all_steps(scores: Scores, curve: Curve) -> Float[np.ndarray, "n K"]:
    """The logits along a curve, NaN at steps that were not scored."""
    logits = np.full((len(curve.scores), scores.logits.shape[1]), np.nan, np.float32)
    logits[scores.ids] = scores.logits
    return logits


def _steps_between(clip_shape: tuple[int, ...], num_slices: int, options: CurveOptions) -> int:
    """The scores of a curve but for its ends."""
    return max(count_steps(clip_shape, num_slices, options) - 2, 0)


def _curve_baseline(options: CurveOptions, segmented: bool, *, only: str = "") -> Baseline:
    return curve_baseline(options, segmented=segmented, only=only)


def _curve_measure(name: str, only: str = "") -> Measure:
    keep = name.startswith("insertion")
    measure, baseline = partial(_measure_curve, keep=keep, only=only), partial(_curve_baseline, only=only)
    return Measure(name, recipes.measure_sign(name), measure, _steps_between, baseline)


MEASURES: dict[str, Measure] = {name: _curve_measure(name) for name in recipes.MEASURES}
MEASURES |= {name: _curve_measure(name, only) for name, (_, only) in recipes.ALONE.items()}
_FURTHER = (
    *(sparsity.GINI, sparsity.ENTROPY),
    *(drop.DROP, drop.GAIN, drop.INCREASE),
    *(fidelity.MU_FIDELITY, fidelity.INFIDELITY),
)
MEASURES |= {measure.name: measure for measure in _FURTHER}
"""By name; those of one spectrum of a scene alone among them, see `jaxsal.recipes.ALONE`."""


def add_measure(measure: Measure, options: Options) -> None:
    """Makes a further measure known everywhere; `options` is a frozen dataclass with its defaults."""
    MEASURES[measure.name] = measure
    recipes.ADDED_MEASURES[measure.name] = measure.good
    recipes.add_options(measure.name, options)
