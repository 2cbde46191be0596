"""One scene in two spectra, for a network that takes both, through everything: a mask is one for all spectra."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal import deletion, gradcam, insertion, rise_ledger, score_masks, sidu
from jaxsal.engine.batch import prepare

SHAPE = (4, 5, 6)
RNG = np.random.default_rng(0)
SCENE = {name: RNG.random((*SHAPE, size), np.float32) for name, size in (("TV", 3), ("IR", 1))}
MEAN = {"IR": np.float32([0.3]), "TV": np.float32([0.5, 0.4, 0.6])}
MASKS = RNG.random((11, *SHAPE), np.float32)
SALIENCY = RNG.random(SHAPE, np.float32)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Both:
    """Logits (E, -E), E the evidence of all voxels: a linear one in each spectrum."""

    weights: dict[str, Any]
    mean: dict[str, Any]

    def features(self, scene):
        """The evidence of infrared, of visible light and of both, (T, H, W, 3)."""
        infrared, visible = ((self.weights[name] * scene[name]).sum(axis=-1) for name in ("IR", "TV"))
        return jnp.stack([infrared, visible, infrared + visible], axis=-1)

    def head(self, activations):
        evidence = activations.sum() / 2
        return jnp.stack([evidence, -evidence])

    def __call__(self, scene):
        return self.head(self.features(scene))


BOTH = Both({name: RNG.normal(size=part.shape).astype(np.float32) / 8 for name, part in SCENE.items()}, MEAN)
EVIDENCE = sum((BOTH.weights[name] * SCENE[name]).sum(axis=-1) for name in SCENE)


def probability(evidence):
    return 1 / (1 + np.exp(-2 * evidence))


@pytest.mark.parametrize("baseline", ["zero", "mean", np.full(1, 0.25, np.float32)], ids=str)
def test_masked_scores_in_closed_form(baseline):
    fill = {"zero": 0 * EVIDENCE, "mean": sum((BOTH.weights[n] * MEAN[n]).sum(axis=-1) for n in SCENE)}
    given = 0.25 * sum(weights.sum(axis=-1) for weights in BOTH.weights.values())
    stand_in = fill[baseline] if isinstance(baseline, str) else given
    expected = (MASKS * EVIDENCE + (1 - MASKS) * stand_in).sum(axis=(1, 2, 3))
    scores = score_masks(BOTH, SCENE, MASKS, baseline=baseline, chunk_size=4)
    np.testing.assert_allclose(scores, np.stack([expected, -expected], axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("baseline", ["blur", "gaussian"])
def test_each_spectrum_is_blurred_by_itself(baseline):
    nothing = score_masks(BOTH, SCENE, np.zeros((1, *SHAPE), np.float32), baseline=baseline)
    flat = {name: np.full_like(part, MEAN[name]) for name, part in SCENE.items()}
    same = score_masks(BOTH, flat, np.zeros((1, *SHAPE), np.float32), baseline=baseline)
    np.testing.assert_allclose(same[0], BOTH(flat), rtol=1e-4, atol=1e-4)  # a constant spectrum stays as it is
    assert np.abs(nothing[0] - BOTH(SCENE)).max() > 1e-3


def test_gradcam_in_closed_form():
    """The gradient is 1/2 everywhere, so each channel weighs T H W / 2, and together they are twice the evidence."""
    expected = EVIDENCE.size * np.maximum(EVIDENCE, 0)
    np.testing.assert_allclose(gradcam(BOTH, SCENE, 0), expected, rtol=1e-4, atol=1e-4)


def test_rise_in_closed_form():
    ledger = rise_ledger(
        jax.random.key(0), BOTH, SCENE, num_masks=50, grid_shape=(2, 3, 3), keep_prob=0.4, baseline="zero"
    )
    masks = np.asarray(jax.vmap(ledger.masks)(jnp.arange(50)), np.float64)
    scores = probability((masks * EVIDENCE).sum(axis=(1, 2, 3)))
    expected = np.einsum("n,nthw->thw", scores, masks) / (50 * 0.4)
    np.testing.assert_allclose(ledger.map(0), expected, rtol=1e-4, atol=1e-5)
    grown = ledger.extend(BOTH, SCENE, 60)
    assert len(grown.ids) == 60
    with pytest.raises(ValueError, match="This ledger was computed for a different `clip`"):
        ledger.extend(BOTH, SCENE | {"IR": 1 - SCENE["IR"]}, 60)


def test_sidu_in_closed_form():
    binary = np.moveaxis(np.asarray(BOTH.features(SCENE)) > 0.02, -1, 0)
    first = probability((binary * EVIDENCE).sum(axis=(1, 2, 3)))
    scores = np.stack([first, 1 - first], axis=-1)
    similarity = np.exp(-((probability(EVIDENCE.sum()) - first) ** 2) / (2 * 0.25**2))
    distances = np.array([np.linalg.norm(row - scores, axis=-1).sum() for row in scores])
    unique = (distances - distances.min()) / np.ptp(distances)
    expected = np.einsum("k,kthw->thw", similarity * unique, binary) / (0.5 * 3)
    saliency = sidu(BOTH, SCENE, 0, threshold=0.02, baseline="zero")
    assert expected.max() > 0.1
    np.testing.assert_allclose(saliency, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("measure", [deletion, insertion])
def test_curves_in_closed_form(measure):
    order = np.argsort(-SALIENCY, axis=None)
    changed = np.append(0, np.cumsum(EVIDENCE.ravel()[order]))[np.arange(13) * 10]
    evidence = changed if measure is insertion else changed[-1] - changed
    curve = measure(BOTH, SCENE, SALIENCY, 0, num_steps=13, baseline="zero")
    np.testing.assert_allclose(curve.scores, probability(evidence), rtol=1e-4)
    of_predicted = measure(BOTH, SCENE, SALIENCY, num_steps=13, baseline="zero")
    assert float(of_predicted.auc) in (pytest.approx(float(curve.auc)), pytest.approx(1 - float(curve.auc)))


def test_several_scenes_are_one_batch():
    scenes = [SCENE, {name: 1 - part for name, part in SCENE.items()}]
    batch = prepare(BOTH, scenes)
    np.testing.assert_allclose(batch.logits, np.stack([BOTH(scene) for scene in scenes]), rtol=1e-4, atol=1e-5)
    assert batch.fingerprint(0) != batch.fingerprint(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: gradcam(BOTH, SCENE | {"IR": SCENE["IR"][:2]}),
            "`clip` must have spectra of the same frames and pixels",
        ),
        (lambda: gradcam(BOTH, SCENE | {"IR": SCENE["IR"] + 1}), r"`clip` must have values in \[0, 1\]"),
        (
            lambda: deletion(BOTH, SCENE, SALIENCY, unit="scalar"),
            "`unit` must be 'voxel' or 'auto' for a scene in several spectra; got 'scalar'",
        ),
    ],
)
def test_bad_scenes(call, message, no_shape_checks):
    with pytest.raises(ValueError, match=message):
        call()
