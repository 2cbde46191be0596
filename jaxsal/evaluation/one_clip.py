"""`jaxsal.explain`: one clip by several methods, with the measures of every map."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import jax
import numpy as np

from jaxsal.core.checks import check_choice
from jaxsal.core.controls import ControlChoice
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import ClipTree, Contrast, ScoreFn, Target
from jaxsal.datasets.records import FUSED
from jaxsal.engine.batch import prepare
from jaxsal.engine.classifiers import has_parts
from jaxsal.engine.targets import check_target
from jaxsal.evaluation.cells import Case, target_name
from jaxsal.evaluation.explain import explain_cases
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.recipes import (
    STUDY_METHODS,
    Approximation,
    BaselineName,
    ChunkSize,
    Estimator,
    MaskCount,
    Precision,
    RecipeName,
    Sampling,
    ScoreKind,
)
from jaxsal.saliency.methods import METHODS


@check_kinds
def explain(
    classifier: ScoreFn,
    clip: ClipTree,
    target: Target = None,
    *,
    methods: Sequence[str] | None = None,
    measures: Sequence[str] = (),
    controls: Sequence[ControlChoice] = ("random", "smooth"),
    recipe: RecipeName = "default",
    layer: str | None = None,
    num_masks: MaskCount | None = None,
    settled_cells: int | None = None,
    confidence: float | None = None,
    most_masks: int | None = None,
    grid_shape: tuple[int, int, int] | None = None,
    keep_prob: float | None = None,
    estimator: Estimator | None = None,
    sampling: Sampling | None = None,
    threshold: float | None = None,
    num_samples: int | None = None,
    scores: ScoreKind | None = None,
    mask_baseline: BaselineName | None = None,
    rise_batch: int | None = None,
    sidu_batch: int | None = None,
    num_steps: int | None = None,
    deletion_baseline: BaselineName | None = None,
    insertion_baseline: BaselineName | None = None,
    approximation: Approximation | None = None,
    tolerance: float | None = None,
    chunk_size: ChunkSize = "auto",
    seed: int = 0,
    precision: Precision = "float32",
    name: str = "clip",
    spectrum: Literal["TV", "IR"] = "TV",
    label: int | str | None = None,
    store: str | Path | None = None,
    progress: bool = False,
) -> Explanation:
    """Explains one clip by several methods, and measures the maps; what `jaxsal explain` does for a file.

    Args:
      classifier: Maps one clip to logits (K,): of `jaxsal.load`, a `Classifier`, or any function.
      clip: The clip, (T, H, W, C), values in [0, 1], such as `jaxsal.read_clip` gives, whose recording the player then
        shows; or a scene, a clip for each spectrum by name, such as `jaxsal.read_scene` gives.
      target: The class to explain, by number or name; `jaxsal.Contrast("wave", "clap")` explains what tells one from
        another; a function maps the logits (K,) to the number to explain, and `scores` says nothing then; the predicted
        class if None.
      methods: Methods to run, by the names of `jaxsal.recipes.METHODS`; "gradcam", "rise" and "sidu" if None, "rise"
        alone for a function without features and head.
      measures: Measures of every map beside deletion and insertion, by the names of `jaxsal.recipes.FURTHER_MEASURES`,
        or "all"; `found.measures["RISE"]` has their values.
      controls: Maps to compare with: "random" (voxel noise), "smooth" (noise of RISE's grid), "centre" (a Gaussian),
        "motion" (frame differences), "constant", or "all"; "other" needs several clips.
      recipe: Preset that supplies every option you do not set: "default"; "icpr2022", the study's code; or
        "canonical", each method's original code.
      layer: Methods that read activations: layer of a Flax module whose activations they read, as `classifier.layers`
        lists it; the one that enters the head if None.
      num_masks: RISE: random masks, at least 1; the error of the map falls as 1 / sqrt(masks). "settled" takes as many
        as settle the order of the most salient cells; `found.settled` says how many.
      settled_cells: RISE with "settled" masks: cells whose order must be settled, the most salient ones.
      confidence: RISE with "settled" masks: how sure that order must be, above 0 and below 1.
      most_masks: RISE with "settled" masks: masks at most; the order may then be open.
      grid_shape: RISE: cells of the random grid in time, height and width; occlusion, KernelSHAP and Shapley values:
        blocks.
      keep_prob: RISE: probability of keeping a cell, above 0 and at most 1.
      estimator: RISE: "mean" is the paper's estimator; "centered" has less variance; "ridge" is a regression.
      sampling: RISE: "independent"; "stratified" and "sobol" have less variance, but give no standard errors.
      threshold: SIDU: activations above this value form a channel's mask.
      num_samples: Integrated gradients and SmoothGrad: gradients that are averaged, at least 1.
      scores: How the network's outputs become scores, in RISE, SIDU and the curves: "probabilities", "softmax",
        "sigmoid", "logits" or "given", as for `jaxsal.rise`.
      mask_baseline: Methods with masks: what replaces removed voxels.
      rise_batch: RISE: masked clips that are normalised together; if None, each by itself.
      sidu_batch: Same for SIDU.
      num_steps: Deletion and insertion: scores per curve, at least 2.
      deletion_baseline: What deletion puts in place of removed voxels.
      insertion_baseline: What insertion starts from.
      approximation: Deletion and insertion: "none" scores every step; "refine" fewer, see `jaxsal.metrics.refine`.
      tolerance: With approximation "refine": largest jump in score between two scored steps.
      chunk_size: Masked clips per forward batch, see `jaxsal.rise`; changes speed, not the result.
      seed: Of RISE's masks and of the random map, 0 to 4294967295.
      precision: Of weights and activations, "float32" or "bfloat16".
      name: Of the clip, for tables and pictures.
      spectrum: Of the clip, "TV" (visible) or "IR".
      label: The true class, by number or name, if it is known.
      store: Folder that keeps the results, so that the same call takes them up; they are kept in memory if None.
      progress: Whether to show on standard error, or in the notebook, how far the work is.

    Returns:
      The prediction, and by title of a method ("Grad-CAM", "RISE", "SIDU") its map, its curves and further measures;
      with `.plot()`, `.to_xarray()`, and `.ledger`, RISE's scores.

    Raises:
      TypeError: If an argument is of the wrong kind.
      ValueError: If the clip, the target, a method or an option's value is not allowed.

    Example:
      >>> import jax, jax.numpy as jnp, jaxsal
      >>> classifier = jaxsal.Classifier.from_functions(
      ...     lambda params, clip: clip * params,
      ...     lambda params, activations: 9 * activations.mean(axis=(0, 1, 2)),
      ...     jnp.ones(3),
      ...     classes=("red", "green", "blue"),
      ... )
      >>> clip = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3)).at[..., 1].set(0.9)
      >>> found = jaxsal.explain(classifier, clip, methods=("gradcam", "rise"), num_masks=32, num_steps=5)
      >>> found.prediction, found.target_name, list(found.maps)
      ('green', 'green', ['Grad-CAM', 'RISE', 'random', 'smooth'])
      >>> deletion, insertion = found.curves["RISE"]
      >>> jaxsal.explain(classifier, clip, "gren", methods=("rise",))
      Traceback (most recent call last):
        ...
      ValueError: `target` must be one of ('red', 'green', 'blue'); got 'gren'. Did you mean 'green'?
    """
    for method in () if methods is None else methods:
        check_choice("methods", method, tuple(METHODS))
    options = ExplainOptions(
        method=tuple(_usable(classifier, layer) if methods is None else methods),
        measure=tuple(measures),
        controls=tuple(controls),
        recipe=recipe,
        layer=layer,
        num_masks=num_masks,
        settled_cells=settled_cells,
        confidence=confidence,
        most_masks=most_masks,
        grid_shape=grid_shape,
        keep_prob=keep_prob,
        estimator=estimator,
        sampling=sampling,
        threshold=threshold,
        num_samples=num_samples,
        scores=scores,
        mask_baseline=mask_baseline,
        rise_batch=rise_batch,
        sidu_batch=sidu_batch,
        num_steps=num_steps,
        deletion_baseline=deletion_baseline,
        insertion_baseline=insertion_baseline,
        approximation=approximation,
        tolerance=tolerance,
        chunk_size=chunk_size,
        seed=seed,
        precision=precision,
    )
    options.check()
    batch, classes = prepare(classifier, [clip], name="classifier"), tuple(getattr(classifier, "classes", ()))
    wanted = batch.target(target, all_classes=False)
    if isinstance(wanted, Contrast):
        options = dataclasses.replace(options, against=str(wanted.against))
    explained = wanted.target if isinstance(wanted, Contrast) else wanted
    if callable(explained) and store is not None:
        raise ValueError("`store` must be left out for a function as target, which results do not keep; got one.")
    chosen = explained if explained is None or callable(explained) else int(explained)
    true_class = check_target(label, batch.num_classes, classes=classes, all_classes=False, name="label")
    known = true_class if isinstance(true_class, int) else -1
    array = jax.tree.map(lambda part: np.asarray(part, np.float32), dict(clip) if batch.spectra else clip)
    shown_as = FUSED if batch.spectra else spectrum
    case = Case(name, shown_as, known, lambda: array, chosen)
    (found,) = explain_cases(classifier, [case], options, store, classes=classes, progress=progress).explanations
    clips = dict(clip) if batch.spectra else {spectrum: clip}
    known_excerpts = {name: getattr(own, "excerpt", None) for name, own in clips.items()}
    excerpts = {name: excerpt for name, excerpt in known_excerpts.items() if excerpt is not None}
    score = str(target_name(explained)) if callable(explained) else ""
    return found._replace(times=getattr(clip, "times", None), excerpts=excerpts, score=score)


def _usable(classifier: ScoreFn, layer: str | None) -> list[str]:
    """The study's methods that a classifier allows."""
    return [name for name in STUDY_METHODS if layer or has_parts(classifier) or not METHODS[name].needs_parts]
