"""The official RISE and SIDU code on images (clips of one frame), number by number (recipe "canonical")."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

import golden
import toys
from jaxsal import deletion, insertion, score_masks
from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD
from jaxsal.engine.baselines import gaussian_blur, gaussian_kernel
from jaxsal.engine.batch import prepare
from jaxsal.engine.masks import RankMasks
from jaxsal.metrics.curve import read_curve
from jaxsal.metrics.steps import step_counts
from jaxsal.recipes import resolve_options
from jaxsal.saliency.readout import rise_map
from jaxsal.saliency.sidu import sidu_map, sidu_scores, similarity_difference, uniqueness

METRIC, MASKS, SIDU = (golden.load(name) for name in ("rise_metric", "rise_masks", "sidu_official"))
CLIP = METRIC["x_u8"][None] / np.float32(255)


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
    golden.assert_close("rise_masks", f"{case}.masks", toys.every_mask(masks)[:, 0])


def test_rise_scores_and_maps():
    masks = stored_masks(METRIC.group("rise"), METRIC.meta["size"], METRIC.meta["p1"])
    logits = score_masks(NETWORK, CLIP, masks, baseline=resolve_options("rise", "canonical", {}).baseline)
    scores = softmax(logits, axis=-1)
    golden.assert_close("rise_metric", "rise.scores", scores)
    ids = np.arange(len(scores), dtype=np.int32)
    maps = jax.jit(rise_map, static_argnums=4)(masks, ids, scores, np.ones(len(ids), bool), "mean")
    golden.assert_close("rise_metric", "rise.maps", maps[:, 0])


def test_gaussian_start():
    golden.assert_close("rise_metric", "probs_clean", softmax(prepare(NETWORK, [CLIP]).logits[0]))
    golden.assert_close("rise_metric", "kernel", gaussian_kernel())
    blurred = NETWORK.normalize(gaussian_blur(jnp.asarray(CLIP), NETWORK.mean))
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
        masks = RankMasks(ranks.reshape(CLIP.shape[:3]), counts.astype(np.int32), np.array(False))
        logits = score_masks(NETWORK, CLIP, masks, baseline="mean", chunk_size=2)
        curve = read_curve(toys.curve_of(masks, logits, target), target, chosen)
    else:
        saliency = METRIC[f"map_{parameters['map']}"][None]
        curve = measure(NETWORK, CLIP, saliency, recipe="canonical", chunk_size=2, **options)
    golden.assert_close("rise_metric", f"{name}.scores", curve.scores)
    golden.assert_close("rise_metric", f"{name}.auc", curve.auc)


def test_sidu_maps():
    batch = prepare(network(SIDU), [SIDU["x_u8"][None] / np.float32(255)])
    options = resolve_options("sidu", "canonical", dict(threshold=SIDU.meta["threshold"]))
    (scores,) = sidu_scores(batch, options)
    golden.assert_close("sidu_official", "features", scores.family.activations[0])
    golden.assert_close("sidu_official", "masks", toys.every_mask(scores.family)[:, 0])
    golden.assert_close("sidu_official", "pred_org", softmax(scores.clip_logits))
    golden.assert_close("sidu_official", "preds", softmax(scores.logits, axis=-1))
    golden.assert_close("sidu_official", "maps", sidu_map(scores, "all", options)[:, 0])


@pytest.mark.parametrize("prefix", ["", "weighting."])
def test_sidu_weighting(prefix):
    scores, original = (SIDU[f"{prefix}{name}"].astype(np.float32) for name in ("preds", "pred_org"))
    difference = jax.jit(similarity_difference)(original, scores, 0.25)
    golden.assert_close("sidu_official", f"{prefix}sd", difference)
    unique = jax.jit(uniqueness)(scores)
    golden.assert_close("sidu_official", f"{prefix}uniq", unique)
    if not prefix:
        golden.assert_close("sidu_official", "weights", difference * unique[:, None])
