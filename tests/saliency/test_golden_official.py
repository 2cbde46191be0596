"""The official RISE and SIDU code on images (clips of one frame), number by number (recipe "canonical")."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import golden
import toys
from jaxsal import deletion, insertion, score_masks, sidu
from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD
from jaxsal.engine.baselines import gaussian_blur, gaussian_kernel
from jaxsal.engine.masks import ActivationMasks, RankMasks
from jaxsal.metrics.curve import read_curve
from jaxsal.metrics.steps import step_counts
from jaxsal.recipes import resolve_options
from jaxsal.saliency.readout import rise_map
from jaxsal.saliency.sidu import similarity_difference, uniqueness

METRIC, MASKS, SIDU = (golden.load(name) for name in ("rise_metric", "rise_masks", "sidu_official"))
CLIP = jnp.asarray(METRIC["x_u8"][None] / np.float32(255))


def network(reference):
    net = reference.meta["net"]
    strides = [(1, net[name], net[name]) for name in ("conv1_stride", "conv2_stride")]
    return toys.conv_classifier(reference.group("w"), *strides, mean=IMAGENET_MEAN, std=IMAGENET_STD)


NETWORK = network(METRIC)


def stored_masks(group, size, keep_prob):
    options = resolve_options("rise", "canonical", {})
    offsets = np.pad(group["shifts"], ((0, 0), (1, 0)))
    return toys.stored_masks(group["grid"][:, None], offsets, keep_prob, (1, *size), options)


@pytest.mark.parametrize("case", MASKS.meta["cases"])
def test_rise_masks(case):
    parameters, group = MASKS.meta["cases"][case], MASKS.group(case)
    masks = stored_masks(group, parameters["size"], parameters["p1"])
    np.testing.assert_array_equal(masks.cell[1:], group["cell"])
    np.testing.assert_array_equal([len(matrix) for matrix in masks.matrices[1:]], group["up"])
    made = jax.vmap(masks)(jnp.arange(masks.num_masks))
    golden.assert_close("rise_masks", f"{case}.masks", made[:, 0])


def test_rise_scores_and_maps():
    masks = stored_masks(METRIC.group("rise"), METRIC.meta["size"], METRIC.meta["p1"])
    logits = score_masks(NETWORK, CLIP, masks, baseline=resolve_options("rise", "canonical", {}).baseline)
    scores = jax.nn.softmax(logits)
    golden.assert_close("rise_metric", "rise.scores", scores)
    maps = rise_map(masks, jnp.arange(len(scores)), scores, jnp.ones(len(scores), bool), "mean")
    golden.assert_close("rise_metric", "rise.maps", maps[:, 0])


def test_gaussian_start():
    golden.assert_close("rise_metric", "probs_clean", jax.nn.softmax(NETWORK(CLIP)))
    golden.assert_close("rise_metric", "kernel", gaussian_kernel())
    blurred = NETWORK.normalize(gaussian_blur(CLIP, NETWORK.mean))
    golden.assert_close("rise_metric", "blurred", blurred[0].transpose(2, 0, 1))


@pytest.mark.parametrize("name", METRIC.meta["curves"])
def test_curves(name):
    parameters = METRIC.meta["curves"][name]
    measure, method = (deletion, "deletion") if parameters["mode"] == "del" else (insertion, "insertion")
    options = dict(step_size=parameters["step"])
    if name.startswith("TIES"):
        ranks = np.empty(METRIC[f"{name}.order"].size, np.int32)
        ranks[METRIC[f"{name}.order"]] = np.arange(ranks.size)
        chosen, target = resolve_options(method, "canonical", options), int(METRIC["target"])
        counts = step_counts(ranks.size, chosen, row=28)
        masks = RankMasks(jnp.asarray(ranks.reshape(CLIP.shape[:3])), jnp.asarray(counts, jnp.int32), False)
        logits = score_masks(NETWORK, CLIP, masks, baseline="mean")
        curve = read_curve(toys.curve_of(masks, logits, target), target, chosen)
    else:
        saliency = METRIC[f"map_{parameters['map']}"][None]
        curve = measure(NETWORK, CLIP, saliency, recipe="canonical", **options)
    golden.assert_close("rise_metric", f"{name}.scores", curve.scores)
    golden.assert_close("rise_metric", f"{name}.auc", curve.auc)


def test_canonical_steps_are_rows():
    saliency = METRIC["map_a"][None]
    curve = deletion(NETWORK, CLIP, saliency, recipe="canonical")
    assert len(curve.scores) == 28 + 1
    np.testing.assert_allclose(curve.fractions, np.arange(29) / 28, atol=1e-6)


def test_sidu_maps():
    clip = jnp.asarray(SIDU["x_u8"][None] / np.float32(255))
    classifier = network(SIDU)
    golden.assert_close("sidu_official", "features", classifier.features(clip)[0])
    masks = ActivationMasks(classifier.features(clip), SIDU.meta["threshold"], clip.shape[:3], "mirror")
    golden.assert_close("sidu_official", "masks", jax.vmap(masks)(jnp.arange(masks.num_masks))[:, 0])
    golden.assert_close("sidu_official", "pred_org", jax.nn.softmax(classifier(clip)))
    predictions = jax.nn.softmax(score_masks(classifier, clip, masks, baseline="mean"))
    golden.assert_close("sidu_official", "preds", predictions)
    maps = sidu(classifier, clip, "all", recipe="canonical", threshold=SIDU.meta["threshold"])
    golden.assert_close("sidu_official", "maps", maps[:, 0])


@pytest.mark.parametrize("prefix", ["", "weighting."])
def test_sidu_weighting(prefix):
    scores = jnp.asarray(SIDU[f"{prefix}preds"], jnp.float32)
    original = jnp.asarray(SIDU[f"{prefix}pred_org"], jnp.float32)
    difference = similarity_difference(original, scores, 0.25)
    golden.assert_close("sidu_official", f"{prefix}sd", difference)
    unique = uniqueness(scores)
    golden.assert_close("sidu_official", f"{prefix}uniq", unique)
    weights = difference * unique[:, None]
    if not prefix:
        golden.assert_close("sidu_official", "weights", weights)
    maps = jnp.tensordot(weights.T, SIDU[f"{prefix}masks"], axes=1) / (0.5 * len(scores))
    golden.assert_close("sidu_official", f"{prefix}maps", maps)
