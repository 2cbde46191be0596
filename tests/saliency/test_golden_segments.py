"""The study's methods and measures where a mask stands for a segment of four frames, number by number.

The tiny network is the reference run's stand-in for PAN. "fixed" standardises its input and gives each segment its own
slice of a mask; "published" takes the range of a clip, or of a whole batch of masked clips, to [0, 1] instead, and
gives the slices to the frames in turn.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import golden
import toys
from jaxsal import Classifier, deletion, gradcam, insertion, score_masks, sidu
from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD
from jaxsal.engine.baselines import Baseline, make_baseline
from jaxsal.engine.masks import ActivationMasks, RankMasks, expand_mask
from jaxsal.metrics.curve import read_curve
from jaxsal.metrics.curve_scores import curve_baseline
from jaxsal.metrics.steps import rank_maps, step_counts
from jaxsal.recipes import resolve_options
from jaxsal.saliency.readout import rise_map
from jaxsal.saliency.sidu import similarity_difference, uniqueness

TINY = golden.load("tiny_pan")
CLIP = jnp.asarray(TINY["x_u8"] / np.float32(255))
PARAMETERS = TINY.meta["params"]


def features(params, clip):
    """Each segment's 4 frames x 3 colours as 12 channels: conv, ReLU, conv, ReLU."""
    segments = clip.reshape(8, 4, *clip.shape[1:]).transpose(0, 2, 3, 1, 4)
    activations = segments.reshape(*segments.shape[:3], 12)
    for name in ("conv1", "conv2"):
        kernel = params[f"{name}.weight"].transpose(2, 3, 1, 0)
        layout = ("NHWC", "HWIO", "NHWC")
        activations = jax.lax.conv_general_dilated(
            activations, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=layout
        )
        activations = jax.nn.relu(activations + params[f"{name}.bias"])
    return activations


def head(params, activations):
    """Linear in the mean of the segments' mean and maximum."""
    segments = activations.mean(axis=(1, 2))
    pooled = 0.5 * (segments.mean(axis=0) + segments.max(axis=0))
    return params["fc.weight"] @ pooled + params["fc.bias"]


FIXED = Classifier.from_functions(
    features,
    head,
    {name: jnp.asarray(value) for name, value in TINY.group("w").items()},
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    frames_per_mask=4,
)
NETWORKS = {"fixed": FIXED, "published": FIXED.with_normalization("minmax")}


@pytest.mark.parametrize("variant", NETWORKS)
def test_gradcam_weighs_each_segment(variant):
    network = NETWORKS[variant]
    golden.assert_close("tiny_pan", f"{variant}.logits", network(CLIP))
    golden.assert_close("tiny_pan", f"{variant}.features", network.features(CLIP).transpose(0, 3, 1, 2))
    maps = gradcam(network, CLIP, "all", recipe="icpr2022")
    golden.assert_close("tiny_pan", f"{variant}.gradcam.maps", maps)
    _, pull_back = jax.vjp(network.head, network.features(CLIP))
    (gradients,) = jax.vmap(pull_back)(jnp.eye(5))
    golden.assert_close("tiny_pan", f"{variant}.gradcam.alpha", gradients.sum(axis=(2, 3)))


@pytest.mark.parametrize("name", PARAMETERS["rise"])
@pytest.mark.parametrize("variant", NETWORKS)
def test_rise_masks_segments(variant, name):
    parameters = PARAMETERS["rise"][name]
    group = TINY.group(parameters.get("same", name))
    chosen = resolve_options("rise", "icpr2022", {})
    masks = toys.stored_masks(group["grid"], group["shifts"], parameters["p1"], (8, 24, 28), chosen)
    np.testing.assert_array_equal(masks.cell, group["cell"])
    np.testing.assert_array_equal([len(matrix) for matrix in masks.matrices], group["up"])
    for stored in {f"{name}.masks", f"{name}.masks_first4"} & set(TINY):
        golden.assert_close("tiny_pan", stored, jax.vmap(masks)(jnp.arange(len(TINY[stored]))))
    options = dict(frame_slices="modulo", batch_size=parameters.get("gpu_batch", 24)) if variant == "published" else {}
    scores = score_masks(NETWORKS[variant], CLIP, masks, **options)
    scores = jax.nn.softmax(scores) if parameters.get("soft") else scores
    golden.assert_close("tiny_pan", f"{variant}.{name}.scores", scores)
    ids = jnp.arange(24)
    maps = rise_map(masks, ids, scores, jnp.ones(24, bool), "mean")
    golden.assert_close("tiny_pan", f"{variant}.{name}.maps", maps)


def test_the_published_slices_go_round():
    """Frame f of a clip got slice f mod 8 of a mask of 8 segments."""
    mask = jnp.arange(8.0)[:, None, None] * jnp.ones((8, 2, 2))
    np.testing.assert_array_equal(expand_mask(mask, 32, "modulo")[:, 0, 0, 0], np.arange(32) % 8)
    np.testing.assert_array_equal(expand_mask(mask, 32)[:, 0, 0, 0], np.arange(32) // 4)


@pytest.mark.parametrize("name", PARAMETERS["sidu"])
@pytest.mark.parametrize("variant", NETWORKS)
def test_sidu_masks_segments(variant, name):
    parameters = PARAMETERS["sidu"][name]
    options = dict(threshold=parameters["tau"], feature_normalization="same")
    if variant == "published":
        options["batch_size"] = parameters.get("batch_size", 64)
    if parameters.get("soft"):
        options["scores"] = "probabilities"
    maps = sidu(NETWORKS[variant], CLIP, "all", recipe="icpr2022", **options)
    masks = ActivationMasks(NETWORKS[variant].features(CLIP), float(parameters["tau"]), (8, 24, 28), "corners")
    original, scores = (
        NETWORKS[variant](CLIP),
        score_masks(NETWORKS[variant], CLIP, masks, batch_size=options.get("batch_size")),
    )
    if parameters.get("soft"):
        original, scores = jax.nn.softmax(original), jax.nn.softmax(scores)
    golden.assert_close("tiny_pan", f"{variant}.{name}.pred_org", original)
    golden.assert_close("tiny_pan", f"{variant}.{name}.preds", scores)
    golden.assert_close("tiny_pan", f"{variant}.{name}.sd", similarity_difference(original, scores, 0.25))
    if f"{variant}.{name}.masks" in TINY:
        golden.assert_close("tiny_pan", f"{variant}.{name}.masks", jax.vmap(masks)(jnp.arange(8)))
    if parameters["tau"] < 0:  # uniqueness is the min-max of rounding noise
        np.testing.assert_array_equal(maps, 0)
    else:
        golden.assert_close("tiny_pan", f"{variant}.{name}.uniq", uniqueness(scores))
        golden.assert_close("tiny_pan", f"{variant}.{name}.maps", maps)


@pytest.mark.parametrize("name", [name for name in PARAMETERS["curves"] if not name.startswith("TIES")])
@pytest.mark.parametrize("variant", NETWORKS)
def test_curves_rank_scalars(variant, name):
    """Step counts here are multiples of 12, so the order of a voxel's 12 tied scalars does not matter."""
    parameters = PARAMETERS["curves"][name]
    measure = deletion if parameters["mode"] == "del" else insertion
    options = dict(num_steps=parameters["nsteps"], blur_factor=parameters.get("factor", 16))
    saliency = TINY[f"cam_{parameters['cam']}.map"]
    network = NETWORKS[variant]
    target = int(TINY[f"{variant}.target"])
    assert int(jnp.argmax(network(CLIP))) == target
    for unit in ("auto", "voxel"):
        curve = measure(network, CLIP, saliency, recipe="icpr2022", unit=unit, **options)
        expected = TINY[f"{variant}.{name}.probs"][:, target]
        np.testing.assert_allclose(curve.scores, expected, rtol=1e-4, atol=1e-5)
        golden.assert_close("tiny_pan", f"{variant}.{name}.auc", curve.auc)
        np.testing.assert_allclose(curve.fractions * CLIP.size, TINY[f"{name}.k"], atol=0.05)


def voxels(scalars):
    """The original's (segment, frame, colour) x H x W as a clip."""
    return scalars.reshape(32, 3, *CLIP.shape[1:3]).transpose(0, 2, 3, 1)


@pytest.mark.parametrize(("variant", "name"), [("published", "del_a_97"), ("fixed", "ins_a_97_f4")])
def test_what_the_network_receives(variant, name):
    """One step's input after masking and normalising, and what insertion starts from."""
    parameters = PARAMETERS["curves"][name]
    keep = parameters["mode"] == "ins"
    chosen = resolve_options("insertion" if keep else "deletion", "icpr2022", dict(num_steps=parameters["nsteps"]))
    start = make_baseline(curve_baseline(chosen, segmented=True), CLIP, NETWORKS[variant])
    if keep:
        np.testing.assert_allclose(
            start, voxels(TINY[f"{name}.start"]), **golden.tolerance("tiny_pan", f"{name}.start")
        )
    ranks, counts = rank_maps(jnp.asarray(TINY["cam_a.map"])[None], CLIP.shape, chosen)
    masks = RankMasks(ranks[0], jnp.asarray(counts, jnp.int32), keep)
    mask = expand_mask(masks(jnp.asarray(int(TINY[f"{variant}.{name}.netin_at"]))), 32)
    received = NETWORKS[variant].normalize(mask * CLIP + (1 - mask) * start)
    expected = voxels(TINY[f"{variant}.{name}.netin"])
    np.testing.assert_allclose(received, expected, **golden.tolerance("tiny_pan", f"{variant}.{name}.netin"))


@pytest.mark.parametrize("name", [name for name in PARAMETERS["curves"] if name.startswith("TIES")])
@pytest.mark.parametrize("variant", NETWORKS)
def test_curves_in_the_order_that_the_original_gave_to_ties(variant, name):
    """Its order counts along (segment, frame, colour, H, W)."""
    parameters = PARAMETERS["curves"][name]
    measure = "deletion" if parameters["mode"] == "del" else "insertion"
    chosen = resolve_options(measure, "icpr2022", dict(num_steps=parameters["nsteps"]))
    order = TINY[f"cam_{parameters['cam']}.order"]
    ranks = np.empty(order.size, np.int32)
    ranks[order] = np.arange(order.size)
    ranks = voxels(ranks)
    counts = step_counts(order.size, chosen, row=1)
    np.testing.assert_array_equal(counts, TINY[f"{name}.k"])
    kind = Baseline.of(chosen.baseline, blur_factor=parameters.get("factor", 4), blur_time=False)
    baseline = make_baseline(kind, CLIP, NETWORKS[variant])
    masks = RankMasks(jnp.asarray(ranks), jnp.asarray(counts, jnp.int32), measure == "insertion")
    logits = score_masks(NETWORKS[variant], CLIP, masks, baseline=baseline)
    golden.assert_close("tiny_pan", f"{variant}.{name}.probs", jax.nn.softmax(logits))
    target = int(TINY[f"{variant}.target"])
    curve = read_curve(toys.curve_of(masks, logits, target), target, chosen)
    golden.assert_close("tiny_pan", f"{variant}.{name}.auc", curve.auc)
