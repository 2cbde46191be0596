"""Clips of one shape on the road: checked once, put on the devices once, and no pass whose answer is known."""

import dataclasses
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import deletion, gradcam, insertion, rise, score_masks, sidu
from jaxsal.engine import batch as batches, inputs
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.requests import score_requests
from jaxsal.metrics.curve import read_curve
from jaxsal.metrics.curve_scores import curve_scores
from jaxsal.recipes import RECIPES, resolve_options
from jaxsal.saliency.gradcam import gradcam_maps
from jaxsal.saliency.methods import METHODS
from jaxsal.saliency.sidu import sidu_map, sidu_scores

CLIPS = list(np.random.default_rng(1).random((4, 4, 6, 9, 3), np.float32))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32), channels=3)
RISE = resolve_options("rise", "default", dict(num_masks=10, grid_shape=(2, 3, 3), keep_prob=0.4))
MEASURES = {"deletion": deletion, "insertion": insertion}
CURVES = {name: resolve_options(name, "default", dict(num_steps=5)) for name in MEASURES}


def rise_maps(batch, options=RISE, progress=None):
    families, requests = METHODS["rise"].masks(batch, options, batch.shape, 0)
    scores = score_requests(
        batch, families, requests, baseline=Baseline.of(options.baseline), chunk_size=8, progress=progress
    )
    return [METHODS["rise"].read_out(own, None, options) for own in scores]


def whole_road(batch):
    """The maps of all three methods and the scores of both curves of each, by clip."""
    sidu_options = RECIPES["default"].sidu
    maps = {
        "gradcam": gradcam_maps(batch, None, RECIPES["default"].gradcam),
        "rise": jnp.stack(rise_maps(batch)),
        "sidu": jnp.stack([sidu_map(own, None, sidu_options) for own in sidu_scores(batch, sidu_options)]),
    }
    everything = jnp.concatenate(list(maps.values()))
    owners = [number % len(CLIPS) for number in range(len(everything))]
    curves = {}
    for name, options in CURVES.items():
        found = curve_scores(batch, owners, everything, [None] * len(owners), options, name == "insertion")
        curves[name] = np.stack([read_curve(own, None, options).scores for own in found])
    return maps, curves


def test_one_batch_gives_what_each_clip_gives_alone():
    maps, curves = whole_road(prepare(CLASSIFIER, CLIPS))
    for number, clip in enumerate(CLIPS):
        alone = {
            "gradcam": gradcam(CLASSIFIER, clip),
            "rise": rise(jax.random.key(0), CLASSIFIER, clip, **dataclasses.asdict(RISE)),
            "sidu": sidu(CLASSIFIER, clip),
        }
        for place, (name, expected) in enumerate(alone.items()):
            np.testing.assert_allclose(maps[name][number], expected, rtol=1e-4, atol=1e-6)
            for measure, scores in curves.items():
                curve = MEASURES[measure](CLASSIFIER, clip, maps[name][number], num_steps=5)
                np.testing.assert_allclose(scores[4 * place + number], curve.scores, rtol=1e-5)


class Traffic:
    """What is checked, and which arrays go to the devices and come back, while it is patched in."""

    def __init__(self, patch):
        self.checked, self.sent, self.fetched = 0, [], []
        for module, name, seen in (
            (batches, "check_clip_shape", self.count),
            (jax, "device_put", self.send),
            (np, "asarray", self.fetch),
            (np, "array", self.fetch),
            (np, "stack", self.fetch),
            (np, "concatenate", self.fetch),
        ):
            patch.setattr(module, name, self.spied(getattr(module, name), seen))
        patch.setattr(inputs, "on_host", lambda array: isinstance(array, np.ndarray))  # as on an accelerator

    def spied(self, function, seen):
        def spy(first, *others, **options):
            seen(first)
            return function(first, *others, **options)

        return spy

    def count(self, clip):
        self.checked += 1

    def send(self, tree):
        self.sent += [leaf.shape for leaf in jax.tree.leaves(tree) if isinstance(leaf, np.ndarray)]

    def fetch(self, arrays):
        leaves = [leaf for leaf in jax.tree.leaves(arrays) if isinstance(leaf, jax.Array)]
        self.fetched += [leaf.shape for leaf in leaves if not isinstance(leaf, jax.core.Tracer)]


def check_the_traffic(patch):
    """Clips, weights and everything of their size stay where they are; scores, bits and checks come back.

    `core/test_devices.py` calls it where there are several devices.
    """
    whole_road(prepare(CLASSIFIER, CLIPS))  # what compiling itself moves
    weights = [np.asarray(leaf) for leaf in jax.tree.leaves(CLASSIFIER)]
    classifier = jax.tree.unflatten(jax.tree.structure(CLASSIFIER), weights)
    traffic = Traffic(patch)
    whole_road(prepare(classifier, CLIPS))
    assert traffic.checked == 4
    sent = Counter(traffic.sent)
    assert sent[4, 4, 6, 9, 3] == 1
    assert [sent[leaf.shape] for leaf in weights] == [1, 1]
    assert max(np.prod(shape) for shape in sent if shape != (4, 4, 6, 9, 3)) < CLIPS[0].size
    kinds = {shape[-1:] for shape in traffic.fetched}
    assert max(len(shape) for shape in traffic.fetched) <= 3, kinds


def test_clips_and_weights_are_sent_once_and_only_scores_come_back(monkeypatch, no_shape_checks):
    check_the_traffic(monkeypatch)


@pytest.fixture
def passes(monkeypatch):
    """How many clips were passed through the classifier outside of the loop over masks, by program."""
    seen = Counter()

    def counted(name, program):
        def spy(weights, clips, *static):
            seen[name] += len(jax.tree.leaves(clips)[0])
            return program(weights, clips, *static)

        monkeypatch.setattr(batches, name, spy)

    for name in ("call_each", "call_parts_each"):
        counted(name, getattr(batches, name))
    return seen


class Rows:
    """Counts the masked clips that are scored, as a `progress`."""

    def __init__(self):
        self.count = 0

    def __call__(self, done, total):
        self.count = total


def test_no_pass_whose_answer_is_known(passes, no_shape_checks):
    """One pass gives maps, activations and logits; then each baseline is scored once, and each distinct mask once."""
    counted, rows = [], Rows()
    batch = prepare(CLASSIFIER, CLIPS, count=counted.append)
    gradcam_maps(batch, None, RECIPES["default"].gradcam)
    assert counted == [4]
    np.testing.assert_allclose(batch.logits, [CLASSIFIER(clip) for clip in CLIPS], rtol=1e-5, atol=1e-6)
    gradcam_maps(batch, "all", RECIPES["default"].gradcam)
    rise_maps(batch, progress=rows)
    assert rows.count == 4 * 10
    assert counted == [4, 4 * 10]

    curve = dict(targets=[0, 1, 2, 3], options=CURVES["deletion"], progress=rows)
    maps = np.random.default_rng(0).random((4, 4, 6, 9), np.float32)
    curve_scores(batch, range(4), maps, keep=False, **curve)
    assert rows.count == 4 * (5 - 1)  # the untouched clip is known, the mean colour not yet
    curve_scores(batch, range(4), -maps, keep=False, **curve)
    assert rows.count == 4 * (5 - 2)
    curve_scores(batch, range(4), maps, keep=True, **curve)
    assert rows.count == 4 * (5 - 2)
    curve_scores(batch, range(4), maps, keep=True, **curve | dict(options=CURVES["insertion"]))
    assert rows.count == 4 * (5 - 1)  # from the blurred clip
    assert not passes


def test_steps_that_change_nothing_are_not_scored(no_shape_checks):
    """Of 13 steps over six voxels every other one is the one before."""
    clip, rows = np.full((2, 1, 3, 3), 0.5, np.float32), Rows()
    saliency = np.arange(6, dtype=np.float32).reshape(2, 1, 3)
    curve = deletion(toys.one_voxel((1, 0, 2)), clip, saliency, num_steps=13, baseline="zero", progress=rows)
    assert rows.count == 7
    np.testing.assert_allclose(curve.scores, [jax.nn.softmax(jnp.array([2.0, -2.0]))[0]] * 2 + [0.5] * 11, rtol=1e-6)


def test_channels_that_see_the_same_are_scored_once(passes, no_shape_checks):
    """Seven channels see one of two things, or nothing: two masks, and the fully replaced clip, which is known."""
    head = np.random.default_rng(3).normal(size=(8, 4)).astype(np.float32)
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=head, channels=8)
    first, second = (np.zeros((4, 6, 9), np.float32) for _ in range(2))
    first[:2], second[:, :3] = 1, 1
    clips = [np.stack([seen, 1 - seen, seen, seen, 1 - seen, seen, 0 * seen, seen], -1) for seen in (first, second)]
    options, rows = resolve_options("sidu", "default", dict(threshold=0.5)), Rows()
    batch = prepare(classifier, clips)
    found = sidu_scores(batch, options, progress=rows)
    assert rows.count == 2 * 3
    assert [own.logits.shape for own in found] == [(8, 4)] * 2
    sidu_scores(batch, options, progress=rows)
    assert rows.count == 2 * 2
    assert passes == {"call_parts_each": 2}
    for clip, own in zip(clips, found, strict=True):
        expected = score_masks(classifier, clip, own.family, baseline=options.baseline)
        np.testing.assert_allclose(own.logits, expected, rtol=1e-5, atol=1e-6)


def test_a_plain_functions_logits_are_scored_among_its_masks(passes):
    """Where a curve has the untouched clip among its steps, nothing asks for it again."""
    deletion(toys.one_frame(1), CLIPS[0], np.ones((4, 6, 9), np.float32), num_steps=5)
    assert not passes
    batch = prepare(toys.one_frame(1), CLIPS)
    assert batch.logits is not None
    assert batch.logits.shape == (4, 2)
    assert passes == {"call_each": 4}


def test_a_batch_is_filled_up_with_its_last_clip():
    """So that the last clips of many take the programs of the others; they have no scores and no maps of their own."""
    batch = prepare(CLASSIFIER, CLIPS[:2], size=4)
    assert (batch.size, len(batch.originals)) == (4, 2)
    np.testing.assert_array_equal(batch.clips[2:], np.stack([CLIPS[1]] * 2))
    assert len(sidu_scores(batch, RECIPES["default"].sidu)) == 2
    found = gradcam_maps(batch, [3, 1], RECIPES["default"].gradcam)
    np.testing.assert_allclose(found[1], gradcam(CLASSIFIER, CLIPS[1], 1), rtol=1e-5, atol=1e-7)


def test_arrays_as_baselines_are_told_apart_by_identity():
    grey, same = np.full(3, 0.5, np.float32), np.full(3, 0.5, np.float32)
    assert Baseline.of(grey) == Baseline.of(grey)
    assert Baseline.of(grey) != Baseline.of(same)
    assert Baseline.of("zero", blur_factor=2) == Baseline.of("zero")
    assert Baseline.of("blur", blur_factor=2) != Baseline.of("blur")


@pytest.mark.parametrize(
    ("clips", "error", "message"),
    [
        ([CLIPS[0], CLIPS[0][:2]], ValueError, r"`clips` must be of one shape; got \[.*\(2, 6, 9, 3\)"),
        ([CLIPS[0], 1.5 + CLIPS[0]], ValueError, r"`clip` must have values in \[0, 1\]; got values from 0"),
        ([CLIPS[0], CLIPS[0][0]], ValueError, r"`clip` must have shape \(T, H, W, C\); got \(6, 9, 3\)"),
        ([[0.5]], TypeError, "`clip` must be an array; got list"),
    ],
)
def test_bad_clips(clips, error, message, no_shape_checks):
    with pytest.raises(error, match=message):
        prepare(CLASSIFIER, clips)


def test_a_function_outside_of_jax_is_told_how_to_come_in():
    message = r"`score_fn` must compute with JAX alone; got a TracerArrayConversionError, .*from_callback\(function"
    with pytest.raises(TypeError, match=message):
        prepare(lambda clip: np.asarray(clip).mean(axis=(0, 1, 2)), [CLIPS[0]])
