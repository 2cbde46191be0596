"""Explains one clip by several methods and measures the maps."""

import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from jaxsal.classifier import Classifier
from jaxsal.explanation import Explanation
from jaxsal.inputs import check_clip, check_score_fn, check_target, mask_shape
from jaxsal.keywords import resolve_options
from jaxsal.ledger import RiseLedger, clip_logits
from jaxsal.metrics.curves import curve_baseline, deletion, insertion
from jaxsal.options import METHODS, ExplainOptions
from jaxsal.recipes import CurveOptions
from jaxsal.saliency.gradcam import gradcam
from jaxsal.saliency.rise import rise_ledger
from jaxsal.saliency.sidu import sidu
from jaxsal.types import Clip

MEASURES = {"deletion": deletion, "insertion": insertion}
_RISE = ("num_masks", "grid_shape", "keep_prob", "estimator")


def check_options(options: ExplainOptions) -> None:
    """Raises ValueError if an option's value is not allowed by its method, before any clip is read."""
    resolve_options("rise", options.recipe, rise_overrides(options))
    resolve_options("sidu", options.recipe, _sidu_overrides(options))
    for measure in MEASURES:
        curve_options(options, measure)


def explain(
    classifier: Classifier,
    clip: Clip,
    options: ExplainOptions,
    *,
    name: str,
    spectrum: str,
    label: int = -1,
    target: int | None = None,
    ledger_path: Path | None = None,
) -> Explanation:
    """Runs the methods and both measures on one clip.

    Args:
      classifier: What is explained.
      clip: The clip, (T, H, W, C), values in [0, 1].
      options: Methods, recipe and their options.
      name: The clip's name; with the seed it determines the random map.
      spectrum: "IR" or "TV", for the tables.
      label: The true class, -1 where it is not known.
      target: The class to explain; the predicted one if None.
      ledger_path: Where RISE's scores are saved as they come, and taken up if they are there; nowhere if None.

    Raises:
      ValueError: If the clip, the target or an option is not allowed.
    """
    check_options(options)
    if options.precision != "float32":  # one that was rounded by its owner stays so
        classifier = classifier.with_precision("bfloat16")
    clip = check_clip(clip, classifier)
    check_target(target, check_score_fn(classifier, clip), all_classes=False)
    probabilities = softmax(clip_logits(classifier, clip))
    target = int(probabilities.argmax()) if target is None else target
    maps, seconds, ledger = {}, {}, None
    for method, run in _runs(classifier, clip, target, options, ledger_path).items():
        start = time.perf_counter()
        found = run()
        if isinstance(found, RiseLedger):
            ledger, found = found, found.map(target)
        maps[METHODS[method]] = np.asarray(found)
        seconds[METHODS[method]] = time.perf_counter() - start
    shape = mask_shape(classifier, clip)
    for reference in options.references:
        maps[reference] = reference_map(reference, name, shape, options.seed)
        seconds[reference] = 0.0
    curves: Any = {
        method: tuple(
            jax.tree.map(
                np.asarray,
                run(
                    classifier,
                    clip,
                    saliency,
                    target,
                    recipe=options.recipe,
                    chunk_size=options.chunk_size,
                    **_curve_overrides(options, measure),
                ),
            )
            for measure, run in MEASURES.items()
        )
        for method, saliency in maps.items()
    }
    baselines = {
        measure: np.asarray(curve_baseline(classifier, clip, curve_options(options, measure), num_slices=shape[0]))
        for measure in MEASURES
    }
    clip = np.asarray(clip)
    return Explanation(
        name, spectrum, label, target, clip, probabilities, maps, curves, seconds, options, baselines, ledger
    )


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


def _sidu_overrides(options: ExplainOptions) -> dict[str, Any]:
    return options.overrides("threshold") | _batch(options.sidu_batch)


def _batch(batch_size: int | None) -> dict[str, Any]:
    return {} if batch_size is None else {"batch_size": batch_size}


def _curve_overrides(options: ExplainOptions, measure: str) -> dict[str, Any]:
    baseline = getattr(options, f"{measure}_baseline")
    return options.overrides("num_steps") | ({} if baseline is None else {"baseline": baseline})


def _runs(
    classifier: Classifier, clip: Any, target: int, options: ExplainOptions, ledger_path: Path | None
) -> dict[str, Callable[[], Any]]:
    """The methods that were asked for, ready to run; all give a map but RISE, which gives its ledger."""
    key = jax.random.key(options.seed)
    recipe, chunk_size = options.recipe, options.chunk_size
    masks = rise_overrides(options)
    runs: dict[str, Callable[[], Any]] = {
        "gradcam": lambda: gradcam(classifier, clip, target, recipe=recipe),
        "rise": lambda: rise_ledger(
            key, classifier, clip, recipe=recipe, path=ledger_path, chunk_size=chunk_size, **masks
        ),
        "sidu": lambda: sidu(
            classifier, clip, target, recipe=recipe, chunk_size=chunk_size, **_sidu_overrides(options)
        ),
    }
    return {method: runs[method] for method in options.method}
