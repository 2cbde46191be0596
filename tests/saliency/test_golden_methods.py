"""The study's methods and measures on its tiny 3-D network, number by number (recipe "icpr2022")."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import golden
import toys
from jaxsal import Classifier, deletion, gradcam, insertion, score_masks, sidu
from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD
from jaxsal.engine.masks import ActivationMasks, RankMasks
from jaxsal.metrics.curve import read_curve
from jaxsal.metrics.steps import step_counts
from jaxsal.models import ResNet3D18, variables_from_torch
from jaxsal.recipes import resolve_options
from jaxsal.saliency.readout import rise_map
from jaxsal.saliency.sidu import similarity_difference, uniqueness

TINY = golden.load("tiny3d")
CLIP = jnp.asarray(TINY["x_u8"] / np.float32(255))
NETWORK = toys.conv_classifier(TINY.group("w"), (1, 2, 2), (2, 2, 2), mean=IMAGENET_MEAN, std=IMAGENET_STD)


def stored_masks(name, parameters):
    stored = TINY.group(parameters.get("same", name))
    options = resolve_options("rise", "icpr2022", {})
    return toys.stored_masks(stored["grid"], stored["shifts"], parameters["p1"], CLIP.shape[:3], options)


def test_logits_and_features():
    golden.assert_close("tiny3d", "logits", NETWORK(CLIP))
    golden.assert_close("tiny3d", "sidu_t0.5_stdfeat.features", NETWORK.features(CLIP).transpose(3, 0, 1, 2))
    features = NETWORK.with_normalization("minmax").features(CLIP)
    golden.assert_close("tiny3d", "sidu_t0.5.features", features.transpose(3, 0, 1, 2))


def test_gradcam():
    golden.assert_close("tiny3d", "gradcam.maps", gradcam(NETWORK, CLIP, "all", recipe="icpr2022"))
    golden.assert_close("tiny3d", "gradcam.map_target_none", gradcam(NETWORK, CLIP, recipe="icpr2022"))
    logits, pull_back = jax.vjp(NETWORK.head, NETWORK.features(CLIP))
    gradients = jax.vmap(lambda one_hot: pull_back(one_hot)[0])(jnp.eye(len(logits)))
    golden.assert_close("tiny3d", "gradcam.grad", gradients.transpose(0, 4, 1, 2, 3))
    one = gradcam(NETWORK, CLIP, 3, recipe="icpr2022")
    np.testing.assert_allclose(one, TINY["gradcam.maps"][3], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", TINY.meta["params"]["rise"])
def test_rise(name):
    parameters = TINY.meta["params"]["rise"][name]
    masks = stored_masks(name, parameters)
    if "same" not in parameters:
        np.testing.assert_array_equal(masks.cell, TINY[f"{name}.cell"])
        np.testing.assert_array_equal([len(matrix) for matrix in masks.matrices], TINY[f"{name}.up"])
    made = jax.vmap(masks)(jnp.arange(masks.num_masks))
    for key, count in (("masks", 24), ("masks_first4", 4)):
        if f"{name}.{key}" in TINY:
            golden.assert_close("tiny3d", f"{name}.{key}", made[:count])

    logits = score_masks(NETWORK, CLIP, masks, baseline="zero", chunk_size=10)
    scores = jax.nn.softmax(logits) if parameters.get("soft") else logits
    golden.assert_close("tiny3d", f"{name}.scores", scores)
    ids = jnp.arange(masks.num_masks)
    maps = rise_map(masks, ids, scores, jnp.ones(len(ids), bool), "mean")
    golden.assert_close("tiny3d", f"{name}.maps", maps)


@pytest.mark.parametrize("name", TINY.meta["params"]["sidu"])
def test_sidu(name):
    parameters = TINY.meta["params"]["sidu"][name]
    options = {"scores": "probabilities"} if parameters.get("soft") else {}
    if parameters.get("fixed"):
        options["feature_normalization"] = "same"
    maps = sidu(NETWORK, CLIP, "all", recipe="icpr2022", threshold=parameters["tau"], **options)
    if parameters["tau"] < 0:
        # constant in the original too, at an arbitrary level; defined as 0 here
        assert np.ptp(TINY[f"{name}.maps"]) < 1e-6
        np.testing.assert_array_equal(maps, 0)
    else:
        golden.assert_close("tiny3d", f"{name}.maps", maps)


@pytest.mark.parametrize("name", TINY.meta["params"]["sidu"])
def test_sidu_step_by_step(name):
    """Masks, predictions under them, similarity difference and uniqueness."""
    parameters = TINY.meta["params"]["sidu"][name]
    normalization = "standardize" if parameters.get("fixed") else "minmax"
    activations = NETWORK.with_normalization(normalization).features(CLIP)
    golden.assert_close("tiny3d", f"{name}.features", activations.transpose(3, 0, 1, 2))
    margin = np.abs(np.asarray(activations, np.float64) - parameters["tau"]).min()
    golden.assert_close("tiny3d", f"{name}.margin", margin)
    masks = ActivationMasks(activations, float(parameters["tau"]), CLIP.shape[:3], "corners")
    if f"{name}.masks" in TINY:
        golden.assert_close("tiny3d", f"{name}.masks", jax.vmap(masks)(jnp.arange(masks.num_masks)))
    original, predictions = NETWORK(CLIP), score_masks(NETWORK, CLIP, masks)
    if parameters.get("soft"):
        original, predictions = jax.nn.softmax(original), jax.nn.softmax(predictions)
    golden.assert_close("tiny3d", f"{name}.pred_org", original)
    golden.assert_close("tiny3d", f"{name}.preds", predictions)
    golden.assert_close("tiny3d", f"{name}.sd", similarity_difference(original, predictions, 0.25))
    if parameters["tau"] >= 0:  # below, uniqueness is the min-max of rounding noise
        golden.assert_close("tiny3d", f"{name}.uniq", uniqueness(predictions))


@pytest.mark.parametrize("name", TINY.meta["params"]["curves"])
def test_curves(name):
    parameters = TINY.meta["params"]["curves"][name]
    measure = deletion if parameters["mode"] == "del" else insertion
    options = dict(num_steps=parameters["nsteps"], blur_factor=parameters.get("factor", 16))
    saliency = TINY[f"cam_{parameters['cam']}.map"]
    if name.startswith("TIES"):
        curve = curve_in_order(TINY[f"cam_{parameters['cam']}.order"], options)
    else:
        curve = measure(NETWORK, CLIP, saliency, recipe="icpr2022", **options)
    target = int(TINY["target"])
    np.testing.assert_allclose(curve.scores, TINY[f"{name}.probs"][:, target], rtol=1e-4, atol=1e-5)
    golden.assert_close("tiny3d", f"{name}.auc", curve.auc)
    np.testing.assert_allclose(curve.fractions * CLIP[..., 0].size, TINY[f"{name}.k"], atol=0.01)


def curve_in_order(order, options):
    """A deletion curve in the order that the original's unstable sort gave to tied voxels."""
    ranks = np.empty(order.size, np.int32)
    ranks[order] = np.arange(order.size)
    chosen = resolve_options("deletion", "icpr2022", options)
    counts = step_counts(order.size, chosen, row=1)
    masks = RankMasks(jnp.asarray(ranks.reshape(CLIP.shape[:3])), jnp.asarray(counts, jnp.int32), False)
    target = int(TINY["target"])
    return read_curve(toys.curve_of(masks, score_masks(NETWORK, CLIP, masks), target), target, chosen)


@pytest.mark.parametrize(("name", "keep"), [("del_a_100", False), ("ins_a_100_f4", True)])
def test_what_the_network_receives(name, keep):
    """One step's input after masking and normalising, voxel by voxel."""
    options = resolve_options("insertion" if keep else "deletion", "icpr2022", {})
    step = int(TINY[f"{name}.netin_at"])
    counts = step_counts(CLIP[..., 0].size, options, row=1)
    ranks = np.empty(CLIP[..., 0].size, np.int32)
    ranks[TINY["cam_a.order"]] = np.arange(ranks.size)
    mask = RankMasks(jnp.asarray(ranks.reshape(CLIP.shape[:3])), jnp.asarray(counts), keep)(jnp.asarray(step))[
        ..., None
    ]
    start = TINY[f"{name}.start"].transpose(0, 2, 3, 1) if keep else 0
    received = NETWORK.normalize(mask * CLIP + (1 - mask) * start)
    golden.assert_close("tiny3d", f"{name}.netin", received.transpose(3, 0, 1, 2))


def test_published_step_counts():
    pipeline = golden.load("pipeline")
    options = resolve_options("deletion", "icpr2022", {})
    for num_elements, counts in zip(pipeline["steps.n"], pipeline["steps.k100"], strict=True):
        np.testing.assert_array_equal(step_counts(int(num_elements), options, row=1), counts)
        exact = step_counts(int(num_elements), resolve_options("deletion", "default", {}), row=1)
        np.testing.assert_array_equal(exact, np.arange(100) * num_elements // 99)


@pytest.mark.nightly
def test_gradcam_of_the_published_network():
    """r3d_18 at full width, from its torch weights."""
    reference = golden.load("r3d18")
    variables = variables_from_torch("resnet3d18", golden.weights("r3d18"))
    classifier = Classifier.from_model(ResNet3D18(), variables)
    clip = jnp.asarray(reference["x_u8"][0] / np.float32(255))
    logits, pull_back = jax.vjp(classifier.head, classifier.features(clip))
    target = int(reference["gradcam.target"])
    assert int(logits.argmax()) == target
    (gradient,) = pull_back(jax.nn.one_hot(target, 8))
    golden.assert_close("r3d18", "gradcam.alpha", gradient.sum(axis=(0, 1, 2)))
    golden.assert_close("r3d18", "gradcam.map", gradcam(classifier, clip, recipe="icpr2022"))
