"""Explains clips by several methods and measures the maps."""

import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from jaxsal.classifier import Classifier
from jaxsal.core.types import Clip
from jaxsal.engine.inputs import check_clip, check_score_fn, check_target, mask_shape
from jaxsal.engine.side_by_side import logits_of_clips
from jaxsal.evaluation.explanation import Explanation
from jaxsal.keywords import resolve_options
from jaxsal.metrics.curves import Curve, curve_baseline
from jaxsal.metrics.many import measure_maps
from jaxsal.options import MEASURES, METHODS, ExplainOptions
from jaxsal.recipes import CurveOptions
from jaxsal.saliency.gradcam import gradcam_clips
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.saliency.rise import rise_ledger
from jaxsal.saliency.sidu import sidu_clips

_RISE = ("num_masks", "grid_shape", "keep_prob", "estimator", "sampling")
_CURVES = ("num_steps", "approximation", "tolerance")


def check_options(options: ExplainOptions) -> None:
    """Raises ValueError if an option's value is not allowed by its method, before any clip is read."""
    resolve_options("rise", options.recipe, rise_overrides(options))
    resolve_options("sidu", options.recipe, sidu_overrides(options))
    for measure in MEASURES:
        curve_options(options, measure)


class Subject(NamedTuple):
    """A clip to explain, with what is known of it.

    Attributes:
      name: The clip's name; with the seed it determines the random map.
      spectrum: "IR" or "TV", for the tables.
      clip: (T, H, W, C), values in [0, 1].
      label: The true class, -1 where it is not known.
      target: The class to explain; the predicted one if None.
      ledger_path: Where RISE's scores are saved as they come, and taken up if they are there; nowhere if None.
    """

    name: str
    spectrum: str
    clip: Clip
    label: int = -1
    target: int | None = None
    ledger_path: Path | None = None


def explain(
    classifier: Classifier, options: ExplainOptions, subjects: Sequence[Subject], *, batch_size: int | None = None
) -> list[Explanation]:
    """Runs the methods and both measures on clips of one shape.

    What takes one pass of a clip is done for all clips at once, and so are SIDU's masks and the curves of all maps,
    side by side in each chunk. RISE has masks enough to fill its chunks, and goes clip by clip.

    Args:
      classifier: What is explained.
      options: Methods, recipe and their options.
      subjects: The clips.
      batch_size: The clips that programs are made for, as many as there are if None; fewer, as at the end of many, are
        filled up with copies of the last one, so that nothing is compiled again.

    Raises:
      ValueError: If a clip, a target or an option is not allowed, or the clips' shapes differ.
    """
    check_options(options)
    if options.precision != "float32":  # one that was rounded by its owner stays so
        classifier = classifier.with_precision("bfloat16")
    subjects = [_checked(classifier, subject) for subject in subjects]
    clips: list[Any] = [subject.clip for subject in subjects]
    if len({clip.shape for clip in clips}) > 1:
        raise ValueError(f"`subjects` must have clips of one shape; got {sorted({clip.shape for clip in clips})}.")
    batch = clips + clips[-1:] * ((batch_size or 0) - len(clips))
    probabilities = softmax(logits_of_clips(classifier, batch)[: len(clips)], axis=-1)
    targets = [
        int(found.argmax()) if subject.target is None else subject.target
        for found, subject in zip(probabilities, subjects, strict=True)
    ]
    maps, seconds, ledgers = _maps(classifier, subjects, batch, targets, options)
    curves = _curves(classifier, batch, maps, targets, options)
    return [
        Explanation(
            name=subject.name,
            spectrum=subject.spectrum,
            label=subject.label,
            target=targets[number],
            clip=np.asarray(subject.clip),
            probabilities=probabilities[number],
            maps=maps[number],
            curves=curves[number],
            seconds=seconds,
            options=options,
            baselines=_baselines(classifier, clips[number], options),
            ledger=ledgers[number],
        )
        for number, subject in enumerate(subjects)
    ]


def _curves(
    classifier: Classifier,
    clips: Sequence[Any],
    maps: Sequence[dict[str, Any]],
    targets: Sequence[int],
    options: ExplainOptions,
) -> list[dict[str, tuple[Curve, Curve]]]:
    """Of each clip by method, (deletion, insertion)."""
    both = [
        measure_maps(
            measure,
            classifier,
            clips,
            maps,
            targets,
            recipe=options.recipe,
            chunk_size=options.chunk_size,
            **_curve_overrides(options, measure),
        )
        for measure in MEASURES
    ]
    return [
        {
            method: (jax.tree.map(np.asarray, removed[method]), jax.tree.map(np.asarray, shown[method]))
            for method in removed
        }
        for removed, shown in zip(*both, strict=True)
    ]


def _baselines(classifier: Classifier, clip: Any, options: ExplainOptions) -> dict[str, Any]:
    """What replaces removed voxels, by measure."""
    num_slices = mask_shape(classifier, clip)[0]
    chosen = {measure: curve_options(options, measure) for measure in MEASURES}
    return {
        measure: np.asarray(curve_baseline(classifier, clip, of_measure, num_slices=num_slices))
        for measure, of_measure in chosen.items()
    }


def _checked(classifier: Classifier, subject: Subject) -> Subject:
    """The subject with its clip on the device."""
    clip = check_clip(subject.clip, classifier)
    check_target(subject.target, check_score_fn(classifier, clip), all_classes=False)
    return subject._replace(clip=clip)


def _maps(
    classifier: Classifier,
    subjects: Sequence[Subject],
    clips: Sequence[Any],
    targets: Sequence[int],
    options: ExplainOptions,
) -> tuple[list[dict[str, Any]], dict[str, float], list[RiseLedger | None]]:
    """The maps of each clip by method, the seconds that a clip's took by method, and RISE's ledgers."""
    maps: list[dict[str, Any]] = [{} for _ in subjects]
    seconds: dict[str, float] = {}
    ledgers: list[RiseLedger | None] = [None for _ in subjects]
    for method, run in _runs(classifier, subjects, clips, targets, options).items():
        start = time.perf_counter()
        found = run()
        if method == "rise":
            ledgers = found
            found = [ledger.map(target) for ledger, target in zip(found, targets, strict=True)]
        for of_clip, saliency in zip(maps, found, strict=True):
            of_clip[METHODS[method]] = np.asarray(saliency)
        explained = len(clips) if method == "gradcam" else len(subjects)  # RISE and SIDU score no copies
        seconds[METHODS[method]] = (time.perf_counter() - start) / explained
    for reference in options.references:
        for of_clip, subject in zip(maps, subjects, strict=True):
            shape = mask_shape(classifier, subject.clip)
            of_clip[reference] = reference_map(reference, subject.name, shape, options.seed)
        seconds[reference] = 0.0
    return maps, seconds, ledgers


def reference_map(reference: str, name: str, shape: tuple[int, int, int], seed: int) -> Float[np.ndarray, "Tm H W"]:
    """A map that knows nothing of the clip: noise that its name and the seed determine, or the same everywhere."""
    if reference == "constant":
        return np.zeros(shape, np.float32)
    return np.random.default_rng([seed, zlib.crc32(name.encode())]).random(shape, np.float32)


def curve_options(options: ExplainOptions, measure: str) -> CurveOptions:
    """The options of one of the two measures, "deletion" or "insertion".

    Raises:
      ValueError: If one is not allowed.
    """
    return resolve_options(measure, options.recipe, _curve_overrides(options, measure))


def rise_overrides(options: ExplainOptions) -> dict[str, Any]:
    """Fields of `jaxsal.recipes.RiseOptions` that are not left to the recipe."""
    return options.overrides(*_RISE) | _batch(options.rise_batch)


def sidu_overrides(options: ExplainOptions) -> dict[str, Any]:
    """Fields of `jaxsal.recipes.SiduOptions` that are not left to the recipe."""
    return options.overrides("threshold") | _batch(options.sidu_batch)


def _batch(batch_size: int | None) -> dict[str, Any]:
    return {} if batch_size is None else {"batch_size": batch_size}


def _curve_overrides(options: ExplainOptions, measure: str) -> dict[str, Any]:
    baseline = getattr(options, f"{measure}_baseline")
    return options.overrides(*_CURVES) | ({} if baseline is None else {"baseline": baseline})


def _runs(
    classifier: Classifier,
    subjects: Sequence[Subject],
    clips: Sequence[Any],
    targets: Sequence[int],
    options: ExplainOptions,
) -> dict[str, Callable[[], Any]]:
    """The methods that were asked for, ready to run on all clips; all give maps but RISE, which gives its ledgers."""
    key = jax.random.key(options.seed)
    recipe, chunk_size = options.recipe, options.chunk_size

    def ledgers() -> list[RiseLedger]:
        keywords: Any = dict(recipe=recipe, chunk_size=chunk_size, **rise_overrides(options))
        return [rise_ledger(key, classifier, one.clip, path=one.ledger_path, **keywords) for one in subjects]

    runs: dict[str, Callable[[], Any]] = {
        "gradcam": lambda: gradcam_clips(classifier, clips, targets, recipe=recipe),
        "rise": ledgers,
        "sidu": lambda: sidu_clips(
            classifier, clips, targets, recipe=recipe, chunk_size=chunk_size, **sidu_overrides(options)
        ),
    }
    return {method: runs[method] for method in options.method}
