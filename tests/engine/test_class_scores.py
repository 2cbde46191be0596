"""Any score: every kind, one logit, functions of the logits, and numbers that are none, in all methods and measures."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, softmax

import toys
from jaxsal import Classifier, deletion, gradcam, rise, rise_ledger, sidu
from jaxsal.engine.class_scores import class_names, class_scores, predicted_class, target_scores
from jaxsal.engine.masks import ActivationMasks
from jaxsal.engine.requests import Scores
from jaxsal.evaluation.one_clip import explain
from jaxsal.recipes import SiduOptions
from jaxsal.saliency.sidu import sidu_map

KEY = jax.random.key(0)
CLIP = np.random.default_rng(1).random((2, 4, 6, 3), np.float32)
MASKS = dict(num_masks=24, grid_shape=(2, 2, 3), keep_prob=0.5)
LOGITS = np.array([[2.0, -1.0, 0.5], [90.0, -90.0, 0.0]], np.float32)
HEAD = jnp.array([[9.0, -3.0], [-6.0, 5.0], [1.0, 2.0]])
NETWORK = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD)
YES_OR_NO = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD[:, :1], classes=("person",))
TWO_SIDES = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD[:, :1] * jnp.array([-0.5, 0.5]))
"""The same as a softmax of two: softmax (-z / 2, z / 2) = (1 - p, p)."""


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("probabilities", softmax(LOGITS, axis=1)),
        ("softmax", softmax(LOGITS, axis=1)),
        ("sigmoid", expit(LOGITS)),
        ("logits", LOGITS),
        ("given", LOGITS),
    ],
)
def test_every_kind_is_its_formula(array, kind, expected):
    found = class_scores(array(LOGITS), kind)
    assert isinstance(found, type(array(LOGITS)))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(target_scores(array(LOGITS), 2, kind), expected[:, 2], rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("logit", [-3.0, 0.25, 200.0])
def test_one_logit_says_no_and_yes(logit):
    one, p = np.array([logit], np.float32), expit(logit)
    for kind in ("probabilities", "softmax", "sigmoid"):
        np.testing.assert_allclose(class_scores(one, kind), [1 - p, p], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(class_scores(one, "logits"), [-logit, logit])
    assert predicted_class(one, "probabilities") == (logit > 0)
    np.testing.assert_allclose(class_scores(np.float32([0.25]), "given"), [0.75, 0.25])
    assert predicted_class(np.float32([0.25]), "given") == 0
    assert class_names(("person",), 1) == ("not person", "person")


@pytest.mark.parametrize("target", [None, "all"])
def test_one_logit_is_explained_as_the_softmax_of_its_two_sides(target):
    one, two = ((classifier, CLIP, target) for classifier in (YES_OR_NO, TWO_SIDES))
    np.testing.assert_allclose(rise(KEY, *one, **MASKS), rise(KEY, *two, **MASKS), rtol=1e-5)
    np.testing.assert_allclose(sidu(*one), sidu(*two), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gradcam(*one), 2 * gradcam(*two), rtol=1e-5)  # z against z / 2
    if target != "all":
        curves = [deletion(*of[:2], CLIP[..., 0], target, num_steps=5) for of in (one, two)]
        np.testing.assert_allclose(curves[0].scores, curves[1].scores, rtol=1e-5)
        assert 0 < float(curves[0].auc) < 1


def test_one_logit_by_name_in_an_explanation_and_a_ledger():
    found = explain(YES_OR_NO, CLIP, "not person", methods=("rise",), controls=(), num_steps=5, num_masks=8)
    p = expit(float(YES_OR_NO(CLIP)[0]))
    np.testing.assert_allclose(found.probabilities, [1 - p, p], rtol=1e-5)
    assert (found.target, found.target_name, found.classes) == (0, "not person", ("not person", "person"))
    np.testing.assert_allclose(found.curves["RISE"][0].scores[0], 1 - p, rtol=1e-5)
    assert "2 classes" in repr(found.ledger)
    np.testing.assert_allclose(found.ledger.map("person"), found.ledger.map(1))


def test_another_kind_of_score_costs_no_pass():
    """`map` has no classifier; what weighs the masks is the kind's score of the stored logits."""
    ledger = rise_ledger(KEY, NETWORK, CLIP, **MASKS)
    for kind in ("softmax", "sigmoid", "logits"):
        expected = rise(KEY, NETWORK, CLIP, 1, scores=kind, **MASKS)
        np.testing.assert_allclose(ledger.map(1, scores=kind), expected, rtol=1e-6)
    weights = expit(ledger.logits[:, 1])
    masks = np.stack([ledger.masks(n) for n in jnp.asarray(ledger.ids)])
    by_hand = np.tensordot(weights, masks, 1) / (24 * 0.5)
    np.testing.assert_allclose(ledger.map(1, scores="sigmoid"), by_hand, rtol=1e-5)


def test_a_function_of_the_logits_is_followed_and_weighs():
    def margin(logits):
        return logits[0] - logits[1]

    ledger = rise_ledger(KEY, NETWORK, CLIP, **MASKS)
    difference = ledger.map(0, scores="logits") - ledger.map(1, scores="logits")
    np.testing.assert_allclose(ledger.map(margin), difference, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rise(KEY, NETWORK, CLIP, margin, **MASKS), difference, rtol=1e-4, atol=1e-5)
    curve = deletion(NETWORK, CLIP, CLIP[..., 0], margin, num_steps=5)
    sides = [deletion(NETWORK, CLIP, CLIP[..., 0], k, num_steps=5, scores="logits").scores for k in (0, 1)]
    np.testing.assert_allclose(curve.scores, sides[0] - sides[1], rtol=1e-5)
    of_difference = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD[:, :1] - HEAD[:, 1:])
    np.testing.assert_allclose(gradcam(NETWORK, CLIP, margin), gradcam(of_difference, CLIP, 1), rtol=1e-5)


def test_sidu_compares_a_function_and_keeps_the_uniqueness_of_all_scores():
    three = ActivationMasks(jnp.eye(3).reshape(1, 1, 3, 3), 0.5, (1, 1, 3), "corners")
    options = SiduOptions(scores="logits", kernel_width=1.0)
    rows = jnp.array([[1.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    saliency = sidu_map(Scores(three, np.arange(3), rows, jnp.array([1.0, 0.0])), lambda z: z[0] / 3, options)
    np.testing.assert_allclose(saliency[0, 0], [0, 0, np.exp(-0.5) / 1.5], atol=1e-6)


def test_a_classifier_says_what_its_scores_are():
    labels = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD, scores="sigmoid")
    for call in (
        lambda network, **kind: rise(KEY, network, CLIP, 1, **MASKS, **kind),
        lambda network, **kind: sidu(network, CLIP, 1, **kind),
        lambda network, **kind: deletion(network, CLIP, CLIP[..., 0], 1, num_steps=5, **kind).scores,
    ):
        np.testing.assert_array_equal(call(labels), call(NETWORK, scores="sigmoid"))
        assert np.abs(call(labels) - call(NETWORK)).max() > 1e-3
    found = explain(labels, CLIP, methods=("rise",), controls=(), num_steps=5, num_masks=8)
    np.testing.assert_allclose(found.probabilities, expit(np.asarray(labels(CLIP))), rtol=1e-5)
    chosen = explain(NETWORK, CLIP, scores="sigmoid", methods=("rise",), controls=(), num_steps=5, num_masks=8)
    np.testing.assert_array_equal(chosen.probabilities, found.probabilities)
    np.testing.assert_array_equal(chosen.curves["RISE"][1].scores, found.curves["RISE"][1].scores)
    found = explain(NETWORK, CLIP, scores="logits", methods=("rise",), controls=(), num_steps=5, num_masks=8)
    np.testing.assert_allclose(found.curves["RISE"][0].scores[0], NETWORK(CLIP).max(), rtol=1e-5)
    assert found.probabilities.sum() == pytest.approx(1)
    assert found.plot_curves().axes[0].get_ylabel() == "logit of the target"


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (lambda logits: logits, ValueError, r"`target` must map logits \(2,\) to one number; got \(2,\)"),
        (2, ValueError, "`target` must be a class from 0 to 1; got 2"),
    ],
)
def test_bad_targets(target, error, message):
    for call in (
        lambda: rise(KEY, NETWORK, CLIP, target, **MASKS),
        lambda: gradcam(NETWORK, CLIP, target),
        lambda: sidu(NETWORK, CLIP, target),
        lambda: deletion(NETWORK, CLIP, CLIP[..., 0], target),
    ):
        with pytest.raises(error, match=message):
            call()


def test_a_classifier_has_no_scores_that_are_logits():
    with pytest.raises(ValueError, match="`scores` must be one of .*; got 'logits'"):
        toys.pooling_classifier(scores="logits")


def test_a_weight_that_is_no_number_is_named():
    message = re.escape("`params['head']` must be finite; got nan in 1 of 6 values")
    with pytest.raises(ValueError, match=message):
        toys.pooling_classifier(head=HEAD.at[1, 1].set(jnp.nan))
    spoilt = jax.tree.map(lambda leaf: leaf.at[0].set(jnp.inf), NETWORK)
    with pytest.raises(ValueError, match=re.escape("`classifier.params['cells']` must be finite; got inf in 6 of 12")):
        gradcam(spoilt, CLIP)


def test_a_clip_that_gives_no_number_is_named():
    def broken(clip):
        return jnp.where(clip.min() < 1, jnp.nan, 1.0) * jnp.ones(3)

    network = Classifier.from_functions(lambda _, clip: clip, lambda _, a: a[0, 0, 0] + a.sum() * jnp.nan, ())
    message = "`classifier` must give finite logits; got nan at logit 0 for the clip"
    for call in (lambda: deletion(broken, CLIP, CLIP[..., 0]), lambda: gradcam(network, CLIP)):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match=message + r" under mask \d+"):
        rise(KEY, broken, np.ones_like(CLIP), baseline="zero", **MASKS)
