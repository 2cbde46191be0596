import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import sidu
from jaxsal.engine.resample import resample
from jaxsal.saliency import sidu as sidu_module

CLIP = jax.random.uniform(jax.random.key(1), (4, 6, 9, 3))
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
    logits = np.stack([np.asarray(classifier(jnp.asarray(m)[..., None] * CLIP)) for m in masks])
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
    of_predicted = sidu(classifier, CLIP, recipe=recipe, threshold=0.5)
    np.testing.assert_allclose(of_predicted, maps[original.argmax()], rtol=1e-6)


@pytest.mark.parametrize("threshold", [-1.0, -0.5, 2.0])
def test_masks_that_are_all_alike_give_zeros(threshold):
    np.testing.assert_array_equal(sidu(CLASSIFIER, CLIP, "all", threshold=threshold), 0)


def test_masks_that_are_alike_are_scored_once(monkeypatch):
    """Seven channels that see one of two things: two masks, in one chunk of four."""
    scored = []
    score = sidu_module.score_masks
    monkeypatch.setattr(sidu_module, "score_masks", lambda *a, **k: scored.append(len(k["ids"])) or score(*a, **k))
    head = jax.random.normal(jax.random.key(3), (7, 4))
    bright = jnp.asarray([0, 1, 1, 0, 1, 0, 0])
    clip = jnp.where(bright, CLIP[..., :1], 1 - CLIP[..., :1])
    options = dict(threshold=0.5, chunk_size=4, baseline="zero")
    maps = sidu(toys.pooling_classifier(cells=(2, 2, 3), head=head, channels=7), clip, "all", **options)
    assert scored == [4]
    monkeypatch.setattr(sidu_module, "_distinct_masks", lambda masks, _: (np.arange(7), np.arange(7)))
    expected = sidu(toys.pooling_classifier(cells=(2, 2, 3), head=head, channels=7), clip, "all", **options)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)
    assert expected.max() > 0.01


def test_constant_model_gives_zeros():
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=jnp.zeros((3, 4)))
    np.testing.assert_array_equal(sidu(classifier, CLIP, "all"), 0)


@pytest.mark.parametrize("chunk_size", [1, 2, 64])
def test_chunk_size_changes_nothing(chunk_size):
    maps = sidu(CLASSIFIER, CLIP, "all", chunk_size=chunk_size)
    np.testing.assert_allclose(maps, sidu(CLASSIFIER, CLIP, "all"), rtol=1e-5, atol=1e-6)


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
