"""Score-CAM against a plain twin, and the passes that it makes."""

import jax.numpy as jnp
import numpy as np

import toys
from jaxsal import saliency_map
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.requests import score_requests
from jaxsal.engine.resample import resample
from jaxsal.recipes.further import ScoreCamOptions
from jaxsal.saliency.scorecam import masks, restored, scorecam_map, stored

CLIP = np.random.default_rng(1).random((4, 6, 9, 3), np.float32)
CLIP[..., 1] = 0.4
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=10 * np.eye(3, 4, dtype=np.float32))
OPTIONS = ScoreCamOptions(baseline="zero")


def test_against_a_plain_twin():
    activations = np.asarray(CLASSIFIER.features(CLIP))
    weights, parts = [], []
    for channel in np.moveaxis(activations, -1, 0):
        mask = np.asarray(resample(jnp.asarray(channel), (4, 6, 9), "centers"))
        spread = mask.max() - mask.min()
        mask = (mask - mask.min()) / spread if spread > 1e-6 else 0 * mask
        weights.append(np.asarray(CLASSIFIER(mask[..., None] * CLIP)))
        parts.append(channel)
    alphas = np.exp(weights) / np.exp(weights).sum(axis=0)
    expected = [np.maximum(np.einsum("d,dthw->thw", alphas[:, k], np.stack(parts)), 0) for k in range(4)]
    expected = np.stack([np.asarray(resample(jnp.asarray(own), (4, 6, 9), "centers")) for own in expected])
    np.testing.assert_allclose(saliency_map(CLASSIFIER, CLIP, "all", method=OPTIONS), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(saliency_map(CLASSIFIER, CLIP, 2, method=OPTIONS), expected[2], rtol=1e-4, atol=1e-6)


def test_a_channel_without_form_costs_no_pass_and_scores_are_kept():
    counts = []
    batch = prepare(CLASSIFIER, [CLIP], count=counts.append)
    families, requests = masks(batch, OPTIONS, batch.shape, 0)
    (scores,) = score_requests(batch, families, requests, baseline=Baseline.of("zero"))
    assert sum(counts) == 1 + 3  # the clip, two channels, and the replaced clip for the flat one
    again = scores._replace(family=restored(stored(scores.family), OPTIONS, batch.shape, 0))
    np.testing.assert_array_equal(scorecam_map(again, 0, OPTIONS), scorecam_map(scores, 0, OPTIONS))
