import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import score_masks, sidu
from jaxsal.engine import scoring
from jaxsal.engine.batch import prepare
from jaxsal.engine.resample import resample
from jaxsal.recipes import resolve_options
from jaxsal.saliency import sidu as sidu_module
from jaxsal.saliency.sidu import sidu_map, sidu_scores

CLIP = np.random.default_rng(1).random((4, 6, 9, 3), np.float32)
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=10 * np.eye(3, 4, dtype=np.float32))


@pytest.mark.parametrize("recipe", ["default", "icpr2022", "canonical"])
def test_against_a_plain_numpy_twin(recipe):
    classifier = CLASSIFIER
    activations = np.asarray(classifier.features(CLIP))
    if recipe == "icpr2022":
        activations = np.asarray(classifier.with_normalization("minmax").features(CLIP))
    alignment = "corners" if recipe == "icpr2022" else "mirror"
    binary = jnp.asarray(activations > 0.5, jnp.float32)
    masks = np.moveaxis(np.asarray(resample(binary, (4, 6, 9), alignment)), -1, 0)
    logits = np.stack([classifier(m[..., None] * CLIP) for m in masks])
    original = np.asarray(classifier(CLIP))
    if recipe != "icpr2022":
        logits, original = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (logits, original))
    similarity = np.exp(-((original - logits) ** 2) / (2 * 0.25**2))
    unique = np.array([sum(np.linalg.norm(a - b) for b in logits) for a in logits])
    unique = (unique - unique.min()) / (unique.max() - unique.min() + 1e-13)
    expected = np.einsum("nk,nthw->kthw", similarity * unique[:, None], masks) / (0.5 * len(masks))
    maps = sidu(classifier, CLIP, "all", recipe=recipe, threshold=0.5)
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-5)
    assert expected.max() > 0.1
    of_predicted = sidu(classifier, CLIP, recipe=recipe, threshold=0.5, chunk_size=2)
    np.testing.assert_allclose(of_predicted, maps[original.argmax()], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("threshold", [-1.0, 2.0])
def test_masks_that_are_all_alike_give_zeros(threshold):
    np.testing.assert_array_equal(sidu(CLASSIFIER, CLIP, "all", threshold=threshold), 0)


def test_other_classes_kernels_and_kinds_of_score_are_read_from_the_same_scores(monkeypatch, no_shape_checks):
    """Also once the masks were stored and are put together again."""
    options = resolve_options("sidu", "default", dict(threshold=0.5))
    batch = prepare(CLASSIFIER, [CLIP])
    (scores,) = sidu_scores(batch, options)
    restored = scores._replace(family=sidu_module.restored(sidu_module.stored(scores.family), options, batch.shape, 0))
    changes = [dict(target=2), dict(target="all"), dict(kernel_width=0.5), dict(scores="logits", target=1)]
    expected = [sidu(CLASSIFIER, CLIP, threshold=0.5, **change) for change in changes]
    monkeypatch.setattr(scoring, "score_chunks", None)
    for change, of_class in zip(changes, expected, strict=True):
        read_out = {name: value for name, value in change.items() if name != "target"}
        chosen = dataclasses.replace(options, **read_out)
        for held in (scores, restored):
            found = sidu_map(held, change.get("target"), chosen)
            np.testing.assert_allclose(found, of_class, rtol=1e-5, atol=1e-6)
    assert float(expected[0].max()) > 0.01


def test_a_batch_of_masked_clips_is_scored_with_all_its_masks():
    """Where scores depend on their batch, masks that are alike are scored each, and the batch is as they come."""
    minmax = CLASSIFIER.with_normalization("minmax")
    options = resolve_options("sidu", "default", dict(threshold=0.5, batch_size=2))
    (scores,) = sidu_scores(prepare(minmax, [CLIP]), options)
    expected = score_masks(minmax, CLIP, scores.family, baseline=options.baseline, batch_size=2)
    np.testing.assert_allclose(scores.logits, expected, rtol=1e-5)


def test_constant_model_gives_zeros():
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=jnp.zeros((3, 4)))
    np.testing.assert_array_equal(sidu(classifier, CLIP, "all"), 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(threshold=float("nan")), "`threshold` must be a number; got nan"),
        (dict(kernel_width=0.0), "`kernel_width` must be above 0; got 0.0"),
        (dict(feature_normalization="none"), r"`feature_normalization` must be one of .*got 'none'"),
        (dict(clip=CLIP[..., None]), r"`clip` must have shape \(T, H, W, C\)"),
    ],
)
def test_bad_input(arguments, message, no_shape_checks):
    with pytest.raises(ValueError, match=message):
        sidu(**(dict(classifier=CLASSIFIER, clip=CLIP) | arguments))
