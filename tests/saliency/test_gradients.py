"""Integrated gradients and SmoothGrad in closed form: completeness, cubes under noise, frames that share a map."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import Contrast, saliency_map
from jaxsal.recipes.further import IntegratedOptions, SmoothGradOptions

RNG = np.random.default_rng(0)
CLIP = RNG.random((2, 3, 4, 3), np.float32)
WEIGHTS = RNG.normal(size=CLIP.shape).astype(np.float32)


def squares(clip):
    """Logits (sum w x^2, (sum x)^2 / 9, 0)."""
    return jnp.stack([(WEIGHTS * clip**2).sum(), clip.sum() ** 2 / 9, jnp.zeros(())])


def test_integrated_gradients_of_squares_are_exact_and_add_up():
    """The gradient is linear along the way, so that its value in the middle of each part is its mean there."""
    baseline = RNG.random(CLIP.shape, np.float32)
    options = IntegratedOptions(num_samples=3, baseline=baseline)
    maps = np.asarray(saliency_map(squares, CLIP, "all", method=options))
    np.testing.assert_allclose(maps[0], (WEIGHTS * (CLIP**2 - baseline**2)).sum(axis=-1), rtol=1e-3, atol=1e-5)
    ways = (CLIP - baseline).sum(axis=-1) * (CLIP.sum() + baseline.sum()) / 9
    np.testing.assert_allclose(maps[1], ways, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(maps.sum(axis=(1, 2, 3)), squares(CLIP) - squares(baseline), rtol=1e-3, atol=1e-4)
    difference = saliency_map(squares, CLIP, Contrast(0, 1), method=options)
    np.testing.assert_allclose(difference, maps[0] - maps[1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("noise_std", [0.0, 0.5])
def test_smoothgrad_of_a_cubic_in_one_voxel(noise_std):
    """score = sum_c x[voxel, c]^3 at x = 1: E S = 3 * 3 (1 + std^2) there, else 0."""
    voxel, num_samples = (1, 2, 3), 4000 if noise_std else 1
    options = SmoothGradOptions(num_samples, noise_std)
    score_fn = lambda clip: jnp.stack([(clip[voxel] ** 3).sum(), jnp.zeros(())])  # noqa: E731
    saliency = saliency_map(score_fn, jnp.ones(CLIP.shape), 0, method=options, seed=3)
    expected = np.zeros(CLIP.shape[:3])
    expected[voxel] = 9 * (1 + noise_std**2)
    stderr = 3 * np.sqrt(3 * (4 * noise_std**2 + 2 * noise_std**4) / num_samples)
    np.testing.assert_allclose(saliency, expected, atol=5 * stderr + 1e-4)


def test_signs_seeds_and_shared_frames():
    classifier = toys.pooling_classifier(cells=(1, 1, 1), frames_per_mask=2)
    head = np.asarray(classifier.params["head"])
    signed = SmoothGradOptions(2, 0.1, sign="signed")
    of_all = saliency_map(classifier, CLIP, "all", method=signed)
    expected = 2 * head.sum(axis=0) / np.prod(CLIP.shape[:3])
    np.testing.assert_allclose(of_all, np.broadcast_to(expected[:, None, None, None], (4, 1, 3, 4)), rtol=1e-4)
    absolute = saliency_map(classifier, CLIP, 1, method=dataclasses.replace(signed, sign="absolute"))
    np.testing.assert_allclose(absolute, 2 * np.abs(head[:, 1]).sum() / np.prod(CLIP.shape[:3]), rtol=1e-4)
    first, again, other = (saliency_map(squares, CLIP, 0, method=signed, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_of_a_scene_each_spectrum_has_its_own():
    scene = {"IR": CLIP[..., :1], "TV": CLIP}
    score_fn = lambda scene: jnp.stack([2 * scene["IR"].sum(), -scene["TV"].sum()])  # noqa: E731
    maps = saliency_map(score_fn, scene, 0, method=IntegratedOptions(2, baseline="zero"))
    np.testing.assert_allclose(maps["IR"], 2 * CLIP[..., 0], rtol=1e-5)
    np.testing.assert_array_equal(maps["TV"], 0)


def test_memory_does_not_grow_with_the_samples():
    from jaxsal.engine.batch import prepare
    from jaxsal.saliency import gradients

    def temporary(num_samples):
        batch = prepare(squares, [CLIP])
        options = SmoothGradOptions(num_samples)
        arguments = batch.split.arrays, batch.clips, batch.clips, np.zeros(1, np.int32), np.zeros(1, np.uint32)
        static = batch.split.static, batch.shape, 3, "given", options, gradients.noisy, gradients.of_noise
        return gradients._maps_each.lower(*arguments, *static).compile().memory_analysis().temp_size_in_bytes

    assert temporary(512) == temporary(8)


def test_messages():
    with pytest.raises(ValueError, match="`noise_std` must be at least 0; got -1"):
        SmoothGradOptions(noise_std=-1)
    with pytest.raises(ValueError, match="`num_samples` must be at least 1; got 0"):
        IntegratedOptions(num_samples=0)
