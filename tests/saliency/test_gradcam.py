import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import Classifier, gradcam, rise, score_masks, sidu
from jaxsal.engine.resample import resample

CLIP = np.random.default_rng(1).random((4, 6, 9, 3), np.float32)
HEAD = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


@pytest.mark.parametrize(("target", "relu"), [(2, "sum"), (3, "channels"), (None, "sum")])
def test_linear_head_in_closed_form(target, relu):
    """With a mean and a linear head alpha_k is the head's weight, wherever the gradient is taken."""
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD)
    activations = np.asarray(classifier.features(CLIP))
    label = int(np.argmax(classifier(CLIP))) if target is None else target
    evidence = activations * HEAD[:, label]
    small = np.maximum(evidence, 0).sum(-1) if relu == "channels" else np.maximum(evidence.sum(-1), 0)
    expected = resample(jnp.asarray(small), (4, 6, 9), "corners")
    saliency = gradcam(classifier, CLIP, target, relu=relu, alignment="corners")
    np.testing.assert_allclose(saliency, expected, rtol=1e-5, atol=1e-6)
    assert expected.max() > 0


def test_mean_of_the_gradient_is_a_constant_factor():
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD)
    summed, averaged = (gradcam(classifier, CLIP, gradient_pool=pool) for pool in ("sum", "mean"))
    np.testing.assert_allclose(summed, averaged * 12, rtol=1e-5)


def test_all_classes_at_once():
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD)
    every = gradcam(classifier, CLIP, "all")
    assert every.shape == (4, 4, 6, 9)
    for label in range(4):
        np.testing.assert_allclose(every[label], gradcam(classifier, CLIP, label), rtol=1e-5, atol=1e-7)


def test_weights_per_frame_see_each_frame():
    """A head that looks at the first frame alone: no other frame gets credit, unless weights are per clip."""

    def head(params, activations):
        return (activations[0].mean(axis=(0, 1)) @ params["head"]) * 2

    def classifier(frames_per_mask):
        params = {"cells": jnp.ones((2, 2, 3)), "head": jnp.abs(HEAD)}
        return Classifier.from_functions(toys._pool, head, params, frames_per_mask=frames_per_mask)

    per_segment = gradcam(classifier(2), CLIP, 1)
    assert per_segment.shape == (2, 6, 9)
    assert per_segment[0].max() > 0
    np.testing.assert_array_equal(per_segment[1], 0)
    assert gradcam(classifier(2), CLIP, 1, weights_per="clip")[1].max() > 0
    assert gradcam(classifier(1), CLIP, 1).min() > 0


def test_jit_equals_eager():
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD)
    compiled = jax.jit(lambda c, x: gradcam(c, x))(classifier, CLIP)
    np.testing.assert_allclose(compiled, gradcam(classifier, CLIP), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(clip=CLIP[0]), ValueError, r"`clip` must have shape \(T, H, W, C\); got \(6, 9, 3\)"),
        (dict(clip=CLIP[:0]), ValueError, "`clip` must not be empty"),
        (dict(clip=CLIP * 255), ValueError, r"`clip` must have values in \[0, 1\]"),
        (dict(clip=CLIP * np.float32(np.nan)), ValueError, r"`clip` must have values in \[0, 1\]; got values from nan"),
        (dict(clip=(CLIP * 255).astype(np.uint8)), TypeError, r"`clip` must hold floats .*divide bytes by 255"),
        (dict(clip=CLIP[:3], frames_per_mask=2), ValueError, "`clip` must have a multiple of 2 frames; got 3"),
        (dict(target=4), ValueError, "`target` must be a class from 0 to 3; got 4"),
        (dict(target="best"), ValueError, "a number, None or 'all' where the classes have no names; got 'best'"),
        (dict(target=1.5), TypeError, "`target` must be a class by number or name, a function .*; got 1.5"),
        (dict(recipe="mine"), ValueError, r"`recipe` must be one of .*default.*icpr2022.*canonical.*got 'mine'"),
        (dict(relo="sum"), TypeError, "`relo` must be an argument of gradcam; .* Did you mean 'relu'"),
    ],
)
def test_bad_input(arguments, error, message, no_shape_checks):
    frames_per_mask = arguments.get("frames_per_mask", 1)
    arguments = {name: value for name, value in arguments.items() if name != "frames_per_mask"}
    cells = (1, 2, 3) if frames_per_mask > 1 else (2, 2, 3)
    classifier = toys.pooling_classifier(cells=cells, head=HEAD, frames_per_mask=frames_per_mask)
    with pytest.raises(error, match=message):
        gradcam(classifier, **(dict(clip=CLIP) | arguments))


def test_wrong_channels(no_shape_checks):
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=HEAD, mean=[0.5] * 3, std=[1.0] * 3)
    clip = np.zeros((4, 6, 9, 4), np.float32)
    message = r"`clip` must have 3 channels; got shape \(4, 6, 9, 4\)"
    for method in (
        gradcam,
        sidu,
        lambda c, x: rise(jax.random.key(0), c, x),
        lambda c, x: score_masks(c, x, clip[None]),
    ):
        with pytest.raises(ValueError, match=message):
            method(classifier, clip)


@pytest.mark.parametrize("add_axis", [lambda a: a[None], lambda a: a[0]])
def test_activations_must_have_four_axes(no_shape_checks, add_axis):
    classifier = Classifier.from_functions(
        lambda p, x: add_axis(x * p), lambda p, a: a.reshape(-1, 3).mean(axis=0), 1.0
    )
    with pytest.raises(ValueError, match=r"`classifier.features` must return \(t, h, w, d\); got shape"):
        gradcam(classifier, CLIP)


def test_needs_features_and_head(no_shape_checks):
    with pytest.raises(TypeError, match="`classifier` must have features and head for gradcam; got .* without"):
        gradcam(toys.constant(), CLIP)
