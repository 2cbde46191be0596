import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import deletion, insertion
from jaxsal.engine.batch import prepare
from jaxsal.metrics.curve import read_curve
from jaxsal.metrics.curve_scores import curve_scores
from jaxsal.metrics.steps import rank
from jaxsal.recipes import resolve_options

RNG = np.random.default_rng(1)
CLIP = 0.5 + 0.5 * RNG.random((4, 5, 6, 3), np.float32)
NOISE = RNG.random((4, 5, 6), np.float32)
WEIGHTS = RNG.standard_normal(CLIP.shape, np.float32) / 10
VOXEL = (1, 2, 3)
CLIPS = list(RNG.random((3, 4, 6, 9, 3), np.float32))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
MEASURES = {"deletion": deletion, "insertion": insertion}


def probability(score_fn, clip, target=0):
    return float(jax.nn.softmax(score_fn(jnp.asarray(clip)))[target])


def test_one_voxel_in_closed_form():
    """With the voxel on top, deletion falls from p to 1/2 at the first step, and insertion rises there."""
    score_fn, saliency = toys.one_voxel(VOXEL), NOISE.copy()
    saliency[VOXEL] = 2
    p = probability(score_fn, CLIP)
    options = dict(num_steps=121, baseline="zero")
    curve = deletion(score_fn, CLIP, saliency, **options)
    np.testing.assert_allclose(curve.scores, [p] + [0.5] * 120, rtol=1e-5)
    np.testing.assert_allclose(curve.auc, (p / 2 + 0.5 * 119 + 0.25) / 120, rtol=1e-5)
    np.testing.assert_allclose(curve.fractions, np.arange(121) / 120, rtol=1e-6)
    curve = insertion(score_fn, CLIP, saliency, **options)
    np.testing.assert_allclose(curve.scores, [0.5] + [p] * 120, rtol=1e-5)
    assert len(insertion(score_fn, CLIP, saliency).scores) == 100


@pytest.mark.parametrize("approximation", ["none", "refine"])
def test_areas_of_uneven_steps_in_closed_form(approximation):
    """Five voxels in steps of two: the first falls from p to 1/2 over 0.4 of the clip, which is one step of three."""
    clip, saliency = np.ones((1, 1, 5, 3), np.float32), np.arange(5, 0, -1, np.float32)[None, None]
    score_fn = toys.one_voxel((0, 0, 0))
    p = probability(score_fn, clip)
    options = dict(step_size=2, baseline="zero", approximation=approximation, tolerance=0.0)
    for measure, before in ((deletion, p), (insertion, 0.5)):
        after = p + 0.5 - before
        curve = measure(score_fn, clip, saliency, **options)
        np.testing.assert_allclose(curve.fractions, [0, 0.4, 0.8, 1.0])
        np.testing.assert_allclose(curve.auc, 0.4 * (before + after) / 2 + 0.6 * after, rtol=1e-6)
        for recipe in ("icpr2022", "canonical"):
            by_steps = measure(score_fn, clip, saliency, recipe=recipe, **options)
            np.testing.assert_allclose(by_steps.auc, ((before + after) / 2 + 2 * after) / 3, rtol=1e-6)


def test_curves_know_their_floor_also_under_jit():
    replaced, score_fn = np.broadcast_to(CLIP.mean(axis=0), CLIP.shape), toys.linear_logit(WEIGHTS)
    for measure in (deletion, insertion):
        curve = jax.jit(lambda clip, m=measure: m(score_fn, clip, NOISE, 0, num_steps=5, baseline="time_mean"))(CLIP)
        np.testing.assert_allclose(curve.floor, probability(score_fn, replaced), rtol=1e-5)


def test_the_predicted_class_is_followed():
    score_fn = toys.one_voxel(VOXEL, gain=-4.0)
    for measure in (deletion, insertion):
        followed = measure(score_fn, CLIP, NOISE)
        np.testing.assert_array_equal(followed.scores, measure(score_fn, CLIP, NOISE, 1).scores)


def test_order_of_ties():
    ranks = jax.jit(rank, static_argnums=1)
    ties = np.array([1, 0, 0, 0, 2, 0], np.float32)
    np.testing.assert_array_equal(ranks(ties, "first"), [1, 2, 3, 4, 0, 5])
    np.testing.assert_array_equal(ranks(ties, "last"), [1, 5, 4, 3, 0, 2])
    np.testing.assert_array_equal(ranks(ties, "random"), ranks(3 * ties, "random"))
    large = np.asarray(ranks(np.zeros(1_000, np.float32), "random"))
    np.testing.assert_array_equal(np.sort(large), np.arange(1_000))
    assert abs(np.corrcoef(large, np.arange(1_000))[0, 1]) < 0.1


def test_scalars_are_ranked_one_by_one_where_frames_share_masks():
    """In 361 steps of one scalar the three channels of a voxel part ways; the study's code does so for PAN alone."""
    score_fn = toys.one_voxel(VOXEL)
    for num_slices, options, num_values in (
        (4, dict(unit="scalar", baseline="zero"), 4),
        (2, dict(recipe="icpr2022"), 4),
        (4, dict(recipe="icpr2022"), 2),
    ):
        curve = deletion(score_fn, CLIP, np.zeros((num_slices, 5, 6), np.float32), num_steps=361, **options)
        assert len(np.unique(np.round(curve.scores, 5))) == num_values


def test_a_number_of_steps_overrides_the_recipes_step_size():
    curve = deletion(toys.constant(3), CLIP, NOISE, recipe="canonical", num_steps=7)
    assert len(curve.scores) == 7
    assert len(deletion(toys.constant(3), CLIP, NOISE, recipe="canonical").scores) == 5 + 1


@pytest.mark.parametrize(
    ("measure", "num_slices", "overrides"),
    [
        ("deletion", 4, dict(num_steps=7)),
        ("insertion", 4, dict(num_steps=7, baseline="zero", ties="first")),
        ("deletion", 2, dict(num_steps=7, unit="scalar")),
        ("insertion", 4, dict(recipe="canonical")),
        ("insertion", 2, dict(num_steps=25, approximation="refine", tolerance=0.05)),
    ],
    ids=str,
)
def test_maps_of_several_clips_are_measured_as_each_alone(measure, num_slices, overrides):
    """Two maps of a clip, one of another and none of a third, for the class of each, any class, and the predicted."""
    maps = np.random.default_rng(0).random((4, num_slices, 6, 9), np.float32)
    owners, targets = [0, 2, 0], [0, 3, None]  # the fourth map fills up the program's shape
    recipe, options = overrides.get("recipe", "default"), {n: v for n, v in overrides.items() if n != "recipe"}
    chosen, batch = resolve_options(measure, recipe, options), prepare(CLASSIFIER, CLIPS)
    found = curve_scores(batch, owners, maps, targets, chosen, measure == "insertion", chunk_size=4)
    assert len(found) == 3
    for owner, saliency, target, own in zip(owners, maps, targets, found, strict=False):
        curve = read_curve(own, target, chosen)
        expected = MEASURES[measure](CLASSIFIER, CLIPS[owner], saliency, target, **overrides)
        np.testing.assert_allclose(curve.scores, expected.scores, rtol=1e-5)
        np.testing.assert_array_equal(curve.fractions, expected.fractions)
        assert float(curve.auc) == pytest.approx(float(expected.auc), rel=1e-5)
        assert curve.num_scored == expected.num_scored


def test_the_curve_of_another_class_is_read_from_the_same_scores():
    options = resolve_options("deletion", "default", dict(num_steps=7))
    saliency = np.random.default_rng(0).random((4, 6, 9), np.float32)
    (scores,) = curve_scores(prepare(CLASSIFIER, CLIPS[:1]), [0], saliency[None], [0], options, False)
    for label in range(4):
        expected = deletion(CLASSIFIER, CLIPS[0], saliency, label, num_steps=7)
        np.testing.assert_allclose(read_curve(scores, label, options).scores, expected.scores, rtol=1e-5)


def test_defaults_differ_between_the_measures():
    assert [resolve_options(measure, "default", {}).baseline for measure in MEASURES] == ["mean", "blur"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(saliency=NOISE[..., None]), r"`saliency` must have shape \(T', 5, 6\); got \(4, 5, 6, 1\)"),
        (dict(saliency=NOISE[:3]), "`saliency` must divide the clip's 4 frames; got 3 along time"),
        (dict(saliency=NOISE * np.float32(np.nan)), "`saliency` must be free of NaN"),
        (dict(num_steps=1), "`num_steps` must be at least 2; got 1"),
        (dict(target="all"), "`target` must be a number or None where the classes have no names; got 'all'"),
    ],
)
def test_bad_input(arguments, message, no_shape_checks):
    with pytest.raises(ValueError, match=message):
        deletion(**(dict(score_fn=toys.constant(), clip=CLIP, saliency=NOISE) | arguments))
