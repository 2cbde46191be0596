"""Baselines made of a clip's own frames: the mean of all, the first, and all in reverse order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import deletion, insertion, rise, score_masks, sidu
from jaxsal.engine.baselines import Baseline, make_baseline, stand_ins

RNG = np.random.default_rng(0)
CLIP = RNG.random((6, 4, 5, 3), np.float32)
SCENE = {"IR": RNG.random((6, 4, 5, 1), np.float32), "TV": CLIP}
WEIGHTS = {name: RNG.normal(size=part.shape).astype(np.float32) / 8 for name, part in SCENE.items()}
BASELINES = {
    "time_mean": lambda clip: np.repeat(clip.sum(axis=0, keepdims=True) / len(clip), len(clip), axis=0),
    "first_frame": lambda clip: np.stack([clip[0]] * len(clip)),
    "reverse": lambda clip: np.stack([clip[len(clip) - 1 - t] for t in range(len(clip))]),
}


def evidence(clip):
    """Logits (E, 0): E is linear in each number of a clip, or of a scene."""
    parts = clip if isinstance(clip, dict) else {"TV": clip}
    total = sum((WEIGHTS[name] * part).sum() for name, part in parts.items())
    return jnp.stack([total, 0 * total])


def stand_in(name, clip):
    return jax.tree.map(BASELINES[name], clip)


@pytest.mark.parametrize("name", BASELINES)
def test_the_replaced_clip(name):
    clips = {spectrum: np.stack([part, 1 - part]) for spectrum, part in SCENE.items()}
    found = stand_ins(Baseline.of(name), clips, evidence)
    for spectrum, part in clips.items():
        np.testing.assert_allclose(found[spectrum], [BASELINES[name](clip) for clip in part], rtol=1e-5, atol=1e-6)
    one = make_baseline(Baseline.of(name), CLIP, evidence)
    np.testing.assert_allclose(np.broadcast_to(one, CLIP.shape), BASELINES[name](CLIP), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("num_slices", "clip"), [(2, CLIP), (6, SCENE)])
@pytest.mark.parametrize("name", BASELINES)
def test_masked_scores_in_closed_form(name, num_slices, clip):
    """Frames that share a frame of the mask are still replaced by their own frames of the baseline."""
    masks = RNG.random((5, num_slices, 4, 5), np.float32)
    spread = np.repeat(masks, 6 // num_slices, axis=1)[..., None]
    scores = score_masks(evidence, clip, masks, baseline=name, chunk_size=4)
    shown, hidden = jax.tree.leaves(clip), jax.tree.leaves(stand_in(name, clip))
    weights = [WEIGHTS[spectrum] for spectrum in (("IR", "TV") if isinstance(clip, dict) else ("TV",))]
    blends = [
        (weight * (spread * a + (1 - spread) * b)).sum(axis=(1, 2, 3, 4))
        for weight, a, b in zip(weights, shown, hidden, strict=True)
    ]
    np.testing.assert_allclose(scores[:, 0], np.sum(blends, axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "num_slices", "clip"), [("time_mean", 2, SCENE), ("reverse", 6, CLIP)])
def test_curves_run_between_the_clip_and_the_replaced_one(name, num_slices, clip):
    saliency = RNG.random((num_slices, 4, 5), np.float32)
    ends = [jax.nn.softmax(evidence(end))[0] for end in (clip, stand_in(name, clip))]
    for measure, expected in ((deletion, ends), (insertion, ends[::-1])):
        curve = measure(evidence, clip, saliency, 0, num_steps=5, baseline=name)
        np.testing.assert_allclose(curve.scores[np.array([0, -1])], expected, rtol=1e-5)


def test_masks_hide_what_the_baseline_shows():
    """RISE and SIDU weigh their masks as they do where the replaced clip is given as an array."""
    classifier = toys.pooling_classifier(cells=(2, 2, 5), head=8 * RNG.normal(size=(3, 4)).astype(np.float32))
    baselines = "reverse", BASELINES["reverse"](CLIP)
    options = dict(num_masks=8, grid_shape=(2, 2, 2), keep_prob=0.5)
    named, given = (rise(jax.random.key(0), classifier, CLIP, 0, baseline=b, **options) for b in baselines)
    np.testing.assert_allclose(named, given, rtol=1e-4)
    named, given = (sidu(classifier, CLIP, 0, threshold=0.5, baseline=b) for b in baselines)
    assert given.max() > 0
    np.testing.assert_allclose(named, given, rtol=1e-3, atol=1e-5)
