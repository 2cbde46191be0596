"""Explains one clip by several methods and measures the maps."""

import time
import zlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxsal.callables import call, split_callable
from jaxsal.classifier import Classifier
from jaxsal.explanation import Explanation
from jaxsal.inputs import check_clip, check_score_fn, check_target, mask_shape
from jaxsal.keywords import resolve_options
from jaxsal.ledger import RiseLedger
from jaxsal.metrics.curves import curve_baseline, deletion, insertion
from jaxsal.options import METHODS, ExplainOptions
from jaxsal.recipes import CurveOptions
from jaxsal.report.tables import RANDOM
from jaxsal.saliency.gradcam import gradcam
from jaxsal.saliency.rise import rise_ledger
from jaxsal.saliency.sidu import sidu
from jaxsal.types import Clip

MEASURES = {"deletion": deletion, "insertion": insertion}
_RISE = ("num_masks", "grid_shape", "keep_prob", "estimator")


def check_options(options: ExplainOptions) -> None:
    """Raises ValueError if an option's value is not allowed by its method, before any clip is read."""
    resolve_options("rise", options.recipe, options.overrides(*_RISE))
    resolve_options("sidu", options.recipe, options.overrides("threshold"))
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

    Raises:
      ValueError: If the clip, the target or an option is not allowed.
    """
    check_options(options)
    clip = check_clip(clip, classifier)
    check_target(target, check_score_fn(classifier, clip), all_classes=False)
    arrays, static = split_callable(classifier)
    probabilities = np.asarray(jax.nn.softmax(call(arrays, clip, static)))
    target = int(probabilities.argmax()) if target is None else target
    maps, seconds, ledger = {}, {}, None
    for method, run in _runs(classifier, clip, target, options).items():
        start = time.perf_counter()
        found = run()
        if isinstance(found, RiseLedger):
            ledger, found = found, found.map(target)
        maps[METHODS[method]] = np.asarray(found)
        seconds[METHODS[method]] = time.perf_counter() - start
    generator = np.random.default_rng([options.seed, zlib.crc32(name.encode())])
    maps[RANDOM] = generator.random(mask_shape(classifier, clip), np.float32)
    seconds[RANDOM] = 0.0
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
    num_slices = maps[RANDOM].shape[0]
    baselines = {
        measure: np.asarray(curve_baseline(classifier, clip, curve_options(options, measure), num_slices=num_slices))
        for measure in MEASURES
    }
    clip = np.asarray(clip)
    return Explanation(
        name, spectrum, label, target, clip, probabilities, maps, curves, seconds, options, baselines, ledger
    )


def curve_options(options: ExplainOptions, measure: str) -> CurveOptions:
    """The options of one of the two measures, "deletion" or "insertion".

    Raises:
      ValueError: If one is not allowed.
    """
    return resolve_options(measure, options.recipe, _curve_overrides(options, measure))


def _curve_overrides(options: ExplainOptions, measure: str) -> dict[str, Any]:
    baseline = getattr(options, f"{measure}_baseline")
    return options.overrides("num_steps") | ({} if baseline is None else {"baseline": baseline})


def _runs(classifier: Classifier, clip: Any, target: int, options: ExplainOptions) -> dict[str, Callable[[], Any]]:
    """The methods that were asked for, ready to run; all give a map but RISE, which gives its ledger."""
    key = jax.random.key(options.seed)
    recipe, chunk_size = options.recipe, options.chunk_size
    runs: dict[str, Callable[[], Any]] = {
        "gradcam": lambda: gradcam(classifier, clip, target, recipe=recipe),
        "rise": lambda: rise_ledger(
            key, classifier, clip, recipe=recipe, chunk_size=chunk_size, **options.overrides(*_RISE)
        ),
        "sidu": lambda: sidu(
            classifier, clip, target, recipe=recipe, chunk_size=chunk_size, **options.overrides("threshold")
        ),
    }
    return {method: runs[method] for method in options.method}
