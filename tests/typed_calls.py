"""Calls as a user writes them, read by mypy alone: it must take the right ones and find the error in each wrong one.

`warn_unused_ignores` makes an error that mypy no longer finds an error of its own.
"""

from pathlib import Path

import jax
import numpy as np

import jaxsal
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.recipes.further import OcclusionOptions
from jaxsal.training.options import TrainOptions


def files(folder: Path) -> jaxsal.Explanation:
    classifier: jaxsal.Classifier = jaxsal.load(folder)
    clip = jaxsal.read_clip("walk.mp4", classifier, spectrum="IR", start=8, value_range=(28_000, 30_000))
    scene = jaxsal.read_scene({"IR": "walk_ir.mp4", "TV": "walk.mp4"}, classifier, start=8, value_range="auto")
    jaxsal.gradcam(classifier, scene)
    jaxsal.gradcam(classifier, jaxsal.read_windows("patrol.mp4", classifier, window="4s", hop="2s")[1])
    shares: jaxsal.SpectrumShares = jaxsal.spectrum_shares(classifier, scene, grid_shape=(4, 1, 1))
    times: np.ndarray | None = clip.times
    ledger: jaxsal.RiseLedger = jaxsal.RiseLedger.load(folder / "walk.npz")
    jaxsal.view(clip, ledger, classes=classifier.classes).save(folder / "walk.html")
    jaxsal.open_results(folder / "results").rows[0]["deletion"]
    print(times, shares.percent, jaxsal.__version__)
    return jaxsal.explain(classifier, clip, "walk", methods=("rise",), num_masks=64, deletion_baseline="blur")


def model_of_your_own(clip: jax.Array, masks: jax.Array) -> jax.Array:
    model = jaxsal.models.ResNet3D18(num_classes=2)
    variables = jaxsal.models.init_variables(model, jax.random.key(0), (1, *clip.shape))
    classifier = jaxsal.Classifier.from_model(model, variables, classes=("walk", "wave"))
    return jaxsal.score_masks(classifier, clip, masks, baseline="mean")


def right(classifier: jaxsal.Classifier, clip: jax.Array, file: Path) -> jaxsal.Curve:
    key = jax.random.key(0)
    saliency = jaxsal.rise(key, classifier, clip, num_masks=100, grid_shape=(2, 8, 8), estimator="centered")
    jaxsal.rise_ledger(key, classifier, clip, sampling="sobol", baseline=np.zeros(3, np.float32)).save(file)
    jaxsal.sidu(classifier, clip, "all", recipe="icpr2022", threshold=0.3)
    jaxsal.gradcam(classifier, clip, 3, alignment="corners")
    jaxsal.sidu(classifier, clip, jaxsal.Contrast("walk", "wave"))
    jaxsal.saliency_map(classifier, clip, "all", method=OcclusionOptions(stride=(1, 4, 4)))
    ExplainOptions(method=("rise",), recipe="canonical", deletion_baseline="blur")
    TrainOptions(optimizer="sgd", num_epochs=3)
    return jaxsal.deletion(classifier, clip, saliency, num_steps=20, baseline="mean")


def wrong(classifier: jaxsal.Classifier, clip: jax.Array) -> None:
    key = jax.random.key(0)
    jaxsal.rise(key, classifier, clip, num_mask=100)  # type: ignore[call-arg]
    jaxsal.rise(key, classifier, clip, estimator="median")  # type: ignore[arg-type]
    jaxsal.sidu(classifier, clip, recipe="mine")  # type: ignore[arg-type]
    jaxsal.gradcam(classifier, clip, alignment="center")  # type: ignore[arg-type]
    jaxsal.explain(classifier, clip, methods=("rise",), num_mask=100)  # type: ignore[call-arg]
    jaxsal.read_clip("walk.mp4", classifier, spectrum="visible")  # type: ignore[arg-type]
    jaxsal.insertion(classifier, clip, clip[..., 0], num_steps="20")  # type: ignore[arg-type]
    ExplainOptions(controls=("noise",))  # type: ignore[arg-type]
    TrainOptions(cropping="centre")  # type: ignore[arg-type]
