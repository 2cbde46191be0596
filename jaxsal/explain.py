"""Explains one clip by several methods and measures the maps; the result is one file."""

import json
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxsal.callables import call, split_callable
from jaxsal.classifier import Classifier
from jaxsal.files import write_atomically
from jaxsal.inputs import check_clip, check_score_fn, check_target, mask_shape
from jaxsal.keywords import resolve_options
from jaxsal.metrics.curves import Curve, deletion, insertion
from jaxsal.options import METHODS, ExplainOptions
from jaxsal.report.tables import RANDOM, ClipResult
from jaxsal.saliency.gradcam import gradcam
from jaxsal.saliency.rise import rise
from jaxsal.saliency.sidu import sidu
from jaxsal.types import AnyArray, Clip

_RISE = ("num_masks", "grid_shape", "keep_prob", "estimator")


class Explanation(NamedTuple):
    """What the methods say of one clip.

    Attributes:
      name: The clip's name.
      spectrum: "IR" or "TV".
      label: The true class, -1 where it is not known.
      target: The explained class.
      clip: (T, H, W, C), in [0, 1].
      probabilities: Of all classes, (K,).
      maps: By method, (T', H, W); "random" among them, to compare with.
      curves: By method, (deletion, insertion).
      seconds: By method, what its map took.
    """

    name: str
    spectrum: str
    label: int
    target: int
    clip: Float[AnyArray, "T H W C"]
    probabilities: Float[AnyArray, " K"]
    maps: Mapping[str, Float[AnyArray, "Tm H W"]]
    curves: Mapping[str, tuple[Curve, Curve]]
    seconds: Mapping[str, float]

    def results(self) -> list[ClipResult]:
        """One row of the table of results per method."""
        return [
            ClipResult(
                clip=self.name,
                spectrum=self.spectrum,
                method=method,
                label=self.label,
                target=self.target,
                deletion=float(removed.auc),
                insertion=float(shown.auc),
                floor=float(removed.scores[-1]),
                start=float(shown.scores[0]),
                seconds=self.seconds[method],
            )
            for method, (removed, shown) in self.curves.items()
        ]


def check_options(options: ExplainOptions) -> None:
    """Raises ValueError if an option's value is not allowed by its method, before any clip is read."""
    resolve_options("rise", options.recipe, options.overrides(*_RISE))
    resolve_options("sidu", options.recipe, options.overrides("threshold"))
    for measure in (deletion, insertion):
        overrides = _curve_options(options, measure)
        del overrides["chunk_size"]
        resolve_options(measure.__name__, overrides.pop("recipe"), overrides)


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
    maps, seconds = {}, {}
    for method, run in _runs(classifier, clip, target, options).items():
        start = time.perf_counter()
        maps[METHODS[method]] = np.asarray(run())
        seconds[METHODS[method]] = time.perf_counter() - start
    generator = np.random.default_rng([options.seed, zlib.crc32(name.encode())])
    maps[RANDOM] = generator.random(mask_shape(classifier, clip), np.float32)
    seconds[RANDOM] = 0.0
    curves: Any = {
        method: tuple(
            jax.tree.map(np.asarray, measure(classifier, clip, saliency, target, **_curve_options(options, measure)))
            for measure in (deletion, insertion)
        )
        for method, saliency in maps.items()
    }
    return Explanation(name, spectrum, label, target, np.asarray(clip), probabilities, maps, curves, seconds)


def _curve_options(options: ExplainOptions, measure: Callable[..., Curve]) -> dict[str, Any]:
    """The keywords of one of the two measures."""
    chosen: dict[str, Any] = dict(
        recipe=options.recipe, chunk_size=options.chunk_size, **options.overrides("num_steps")
    )
    baseline = getattr(options, f"{measure.__name__}_baseline")
    return chosen if baseline is None else chosen | {"baseline": baseline}


def _runs(classifier: Classifier, clip: Any, target: int, options: ExplainOptions) -> dict[str, Callable[[], Any]]:
    """The methods that were asked for, ready to run."""
    key = jax.random.key(options.seed)
    recipe, chunk_size = options.recipe, options.chunk_size
    runs: dict[str, Callable[[], Any]] = {
        "gradcam": lambda: gradcam(classifier, clip, target, recipe=recipe),
        "rise": lambda: rise(
            key, classifier, clip, target, recipe=recipe, chunk_size=chunk_size, **options.overrides(*_RISE)
        ),
        "sidu": lambda: sidu(
            classifier, clip, target, recipe=recipe, chunk_size=chunk_size, **options.overrides("threshold")
        ),
    }
    return {method: runs[method] for method in options.method}


def save_explanation(path: str | Path, explanation: Explanation, identity: dict[str, Any]) -> None:
    """Writes an explanation to one .npz file, whole or not at all.

    Args:
      path: Where to.
      explanation: What to write.
      identity: What the explanation came from, such as options and checkpoint; `load_explanation` compares it.
    """
    e = explanation
    header = dict(name=e.name, spectrum=e.spectrum, label=e.label, target=e.target, seconds=dict(e.seconds))
    arrays = {"clip": np.rint(255 * np.asarray(e.clip)).astype(np.uint8), "probabilities": e.probabilities}
    for method in e.maps:
        arrays[f"map.{method}"] = e.maps[method]
        for measure, curve in zip(("deletion", "insertion"), e.curves[method], strict=True):
            for field, values in zip(Curve._fields, curve, strict=True):
                arrays[f"{measure}.{method}.{field}"] = values
    with write_atomically(path) as file:
        np.savez_compressed(file, header=np.array(json.dumps(header | {"identity": identity})), **arrays)


def load_explanation(path: str | Path, identity: dict[str, Any]) -> Explanation | None:
    """Reads an explanation back; None if there is none, or it is damaged or came from something else."""
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
            header = json.loads(str(arrays["header"]))
    except (FileNotFoundError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
    if header.pop("identity") != json.loads(json.dumps(identity)):
        return None
    methods = [name.removeprefix("map.") for name in arrays if name.startswith("map.")]

    def curve(measure: str, method: str) -> Curve:
        return Curve(*(jnp.asarray(arrays[f"{measure}.{method}.{field}"]) for field in Curve._fields))

    return Explanation(
        clip=arrays["clip"].astype(np.float32) / 255,
        probabilities=arrays["probabilities"],
        maps={method: arrays[f"map.{method}"] for method in methods},
        curves={method: (curve("deletion", method), curve("insertion", method)) for method in methods},
        **header,
    )
