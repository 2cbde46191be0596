"""The study's methods and measures on its tiny networks, number by number (recipe "icpr2022").

"tiny3d" is a 3-D network with a mask for each frame. The other two are the reference run's stand-in for PAN, where a
mask stands for a segment of four frames: "fixed" standardises its input and gives each segment its own slice of a mask;
"published" takes the range of a clip, or of a whole batch of masked clips, to [0, 1] instead, and gives the slices to
the frames in turn.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

import golden
import toys
from jaxsal import Classifier, deletion, gradcam, insertion, score_masks
from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD
from jaxsal.engine.baselines import make_baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.masks import RankMasks, expand_mask
from jaxsal.metrics.curve import read_curve
from jaxsal.metrics.curve_scores import curve_baseline
from jaxsal.metrics.steps import rank_maps, step_counts
from jaxsal.models import ResNet3D18, variables_from_torch
from jaxsal.recipes import resolve_options
from jaxsal.saliency.readout import rise_map
from jaxsal.saliency.sidu import sidu_map, sidu_scores, similarity_difference, uniqueness

TINY, PAN = golden.load("tiny3d"), golden.load("tiny_pan")


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


class Reference(NamedTuple):
    """A network and its reference outputs; what differs between variants of a file has the variant's name before it."""

    file: str
    variant: str
    network: Classifier
    shape: tuple[int, int, int]

    @property
    def stored(self):
        return golden.load(self.file)

    @property
    def clip(self):
        return self.stored["x_u8"] / np.float32(255)

    @property
    def target(self):
        return int(self.own("target"))

    def own(self, key):
        return self.stored[self.variant + key]

    def close(self, key, value):
        golden.assert_close(self.file, self.variant + key, value)

    def as_clip(self, scalars):
        """The original's colour x T x H x W, T x colour x H x W or (segment, frame, colour) x H x W as a clip."""
        frames = scalars.transpose(1, 0, 2, 3) if len(scalars) == 3 else scalars
        return frames.reshape(len(self.clip), 3, *self.shape[1:]).transpose(0, 2, 3, 1)

    def as_original(self, activations):
        """Activations with the axes of the original."""
        axes = (0, 3, 1, 2) if self.shape[0] < len(self.clip) else (3, 0, 1, 2)
        return activations.transpose(*axes)


NORMAL = dict(mean=IMAGENET_MEAN, std=IMAGENET_STD)
FIXED = Classifier.from_functions(features, head, PAN.group("w"), frames_per_mask=4, **NORMAL)
REFERENCES = {
    "tiny3d": Reference(
        "tiny3d", "", toys.conv_classifier(TINY.group("w"), (1, 2, 2), (2, 2, 2), **NORMAL), (16, 24, 28)
    ),
    "fixed": Reference("tiny_pan", "fixed.", FIXED, (8, 24, 28)),
    "published": Reference("tiny_pan", "published.", FIXED.with_normalization("minmax"), (8, 24, 28)),
}
LEFT_OUT = {
    "tiny3d": (),  # of the stand-in for PAN, what another case has shown: softmax, batches of a network that has none
    "fixed": ("rise_s8_b10", "rise_s8_soft", "sidu_t0", "sidu_t0.5_b3", "sidu_t0.5_soft"),
    "published": ("rise_s8_soft", "sidu_t0", "sidu_tm1", "sidu_t0.5_soft", "ins_b_43_f5", "del_b_43"),
}


def cases(kind):
    """Names of networks, and what the reference run was asked for there."""
    every = ((name, case) for name, of in REFERENCES.items() for case in of.stored.meta["params"][kind])
    return pytest.mark.parametrize(("of", "name"), [(of, name) for of, name in every if name not in LEFT_OUT[of]])


@pytest.mark.parametrize("of", REFERENCES)
def test_gradcam(of):
    reference = REFERENCES[of]
    batch = prepare(reference.network, [reference.clip])
    activations = "features" if of != "tiny3d" else "sidu_t0.5_stdfeat.features"
    reference.close(activations, reference.as_original(batch.activations()[0]))
    reference.close("logits", batch.logits[0])
    maps = gradcam(reference.network, reference.clip, "all", recipe="icpr2022")
    reference.close("gradcam.maps", maps)
    if of == "tiny3d":
        reference.close("gradcam.map_target_none", gradcam(reference.network, reference.clip, recipe="icpr2022"))


@cases("rise")
def test_rise(of, name):
    reference = REFERENCES[of]
    parameters, stored = reference.stored.meta["params"]["rise"][name], reference.stored
    group = stored.group(parameters.get("same", name))
    chosen = resolve_options("rise", "icpr2022", {})
    masks = toys.stored_masks(group["grid"], group["shifts"], parameters["p1"], reference.shape, chosen)
    np.testing.assert_array_equal(masks.cell, group["cell"])
    np.testing.assert_array_equal([len(matrix) for matrix in masks.matrices], group["up"])
    made = toys.every_mask(masks)
    for key in {f"{name}.masks", f"{name}.masks_first4"} & set(stored):
        golden.assert_close(reference.file, key, made[: len(stored[key])])
    published = dict(frame_slices="modulo", batch_size=parameters.get("gpu_batch", 24)) if of == "published" else {}
    scores = score_masks(reference.network, reference.clip, masks, baseline="zero", chunk_size=10, **published)
    scores = softmax(scores, axis=-1) if parameters.get("soft") else scores
    reference.close(f"{name}.scores", scores)
    ids = np.arange(masks.num_masks, dtype=np.int32)
    maps = jax.jit(rise_map, static_argnums=4)(masks, ids, scores, np.ones(len(ids), bool), "mean")
    reference.close(f"{name}.maps", maps)


def test_the_published_slices_go_round():
    """Frame f of a clip got slice f mod 8 of a mask of 8 segments."""
    mask = jnp.arange(8.0)[:, None, None] * jnp.ones((8, 2, 2))
    np.testing.assert_array_equal(expand_mask(mask, 32, "modulo")[:, 0, 0, 0], np.arange(32) % 8)
    np.testing.assert_array_equal(expand_mask(mask, 32)[:, 0, 0, 0], np.arange(32) // 4)


@cases("sidu")
def test_sidu(of, name):
    """Masks, predictions under them, similarity difference, uniqueness and maps."""
    reference = REFERENCES[of]
    parameters = reference.stored.meta["params"]["sidu"][name]
    options = dict(threshold=parameters["tau"])
    if of != "tiny3d" or parameters.get("fixed"):
        options["feature_normalization"] = "same"
    if parameters.get("soft"):
        options["scores"] = "probabilities"
    if of == "published":
        options["batch_size"] = parameters.get("batch_size", 64)
    chosen = resolve_options("sidu", "icpr2022", options)
    batch = prepare(reference.network, [reference.clip])
    (scores,) = sidu_scores(batch, chosen)
    maps = sidu_map(scores, "all", chosen)
    activations = scores.family.activations
    if of == "tiny3d":
        reference.close(f"{name}.features", reference.as_original(activations))
        margin = np.abs(np.asarray(activations, np.float64) - parameters["tau"]).min()
        reference.close(f"{name}.margin", margin)
    if reference.variant + f"{name}.masks" in reference.stored:
        reference.close(f"{name}.masks", toys.every_mask(scores.family))
    original, predictions = scores.clip_logits, scores.logits
    if parameters.get("soft"):
        original, predictions = softmax(original), softmax(predictions, axis=-1)
    reference.close(f"{name}.pred_org", original)
    reference.close(f"{name}.preds", predictions)
    reference.close(f"{name}.sd", jax.jit(similarity_difference)(original, predictions, 0.25))
    if parameters["tau"] < 0:  # uniqueness is the min-max of rounding noise: an arbitrary level, defined as 0 here
        assert np.ptp(reference.own(f"{name}.maps")) < 1e-6
        np.testing.assert_array_equal(maps, 0)
    else:
        reference.close(f"{name}.uniq", jax.jit(uniqueness)(predictions))
        reference.close(f"{name}.maps", maps)


@cases("curves")
def test_curves(of, name):
    """Step counts of segments are multiples of 12, so the order of a voxel's 12 tied scalars does not matter."""
    reference = REFERENCES[of]
    stored, parameters = reference.stored, reference.stored.meta["params"]["curves"][name]
    options = dict(num_steps=parameters["nsteps"], blur_factor=parameters.get("factor", 16))
    measure = deletion if parameters["mode"] == "del" else insertion
    cam = f"cam_{parameters['cam']}"
    for unit in ("auto", "voxel") if name == "del_b_43" else ("auto",):
        if name.startswith("TIES"):
            curve = curve_in_order(reference, stored[f"{cam}.order"], measure.__name__, options)
        else:
            options |= dict(unit=unit, chunk_size=4)
            curve = measure(reference.network, reference.clip, stored[f"{cam}.map"], recipe="icpr2022", **options)
        expected = reference.own(f"{name}.probs")[:, reference.target]
        np.testing.assert_allclose(curve.scores, expected, rtol=1e-4, atol=1e-5)
        reference.close(f"{name}.auc", curve.auc)
        num_elements = len(stored[f"{cam}.order"])
        np.testing.assert_allclose(curve.fractions * num_elements, stored[f"{name}.k"], atol=0.01)


def curve_in_order(reference, order, measure, options):
    """A curve in the order that the original's unstable sort gave to ties."""
    ranks = np.empty(order.size, np.int32)
    ranks[order] = np.arange(order.size)
    segmented = reference.shape[0] < len(reference.clip)
    ranks = reference.as_clip(ranks) if segmented else ranks.reshape(reference.shape)
    chosen = resolve_options(measure, "icpr2022", options)
    counts = step_counts(order.size, chosen, row=1)
    masks = RankMasks(ranks, counts.astype(np.int32), np.array(measure == "insertion"))
    baseline = make_baseline(curve_baseline(chosen, segmented=segmented), reference.clip, reference.network)
    logits = score_masks(reference.network, reference.clip, masks, baseline=baseline, chunk_size=4)
    return read_curve(toys.curve_of(masks, logits, reference.target), reference.target, chosen)


@pytest.mark.parametrize(
    ("of", "name"), [("tiny3d", "ins_a_100_f4"), ("published", "del_a_97"), ("fixed", "ins_a_97_f4")]
)
def test_what_the_network_receives(of, name):
    """One step's input after masking and normalising, and what insertion starts from."""
    reference = REFERENCES[of]
    stored, parameters = reference.stored, reference.stored.meta["params"]["curves"][name]
    measure = "insertion" if parameters["mode"] == "ins" else "deletion"
    chosen = resolve_options(measure, "icpr2022", dict(num_steps=parameters["nsteps"]))
    kind = curve_baseline(chosen, segmented=of != "tiny3d")
    start = np.asarray(make_baseline(kind, reference.clip, reference.network))

    def close(found, key):
        np.testing.assert_allclose(found, reference.as_clip(stored[key]), **golden.tolerance(reference.file, key))

    if measure == "insertion":
        close(start, f"{name}.start")
    ranks, counts = rank_maps(stored["cam_a.map"][None], reference.clip.shape, chosen)
    masks = RankMasks(np.asarray(ranks[0]), counts.astype(np.int32), measure == "insertion")
    prefix = reference.variant + name
    mask = np.asarray(expand_mask(toys.made(masks, stored[f"{prefix}.netin_at"][None])[0], len(reference.clip)))
    received = reference.network.normalize(mask * reference.clip + (1 - mask) * start)
    close(received, f"{prefix}.netin")


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
