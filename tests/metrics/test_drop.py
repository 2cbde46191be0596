"""Average drop, gain and increase in confidence: closed forms on models that add up the clip, and passes counted."""

import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal.core.types import Contrast
from jaxsal.engine.batch import prepare
from jaxsal.metrics.drop import DROP, GAIN, INCREASE, DropOptions, average_drop, average_gain, normalised

SHAPE = (2, 3, 4)
WEIGHTS = np.zeros(SHAPE, np.float32)
WEIGHTS[0, 1, 2], WEIGHTS[1, 2, 3], WEIGHTS[1, 0, 0] = 0.5, 0.3, -0.2
"""Of an additive probability: 0.6 of a white clip."""
MEASURES = (DROP, GAIN, INCREASE)
GIVEN = DropOptions(scores="given")


def additive(clip):
    p = (WEIGHTS * clip[..., 0]).sum()
    return jnp.stack([p, 1 - p])


def shown(*voxels):
    saliency = np.full(SHAPE, -1.0, np.float32)
    for voxel in voxels:
        saliency[voxel] = 3.0
    return saliency


def values(maps, label=0, options=GIVEN, count=None, score_fn=additive, owners=(0, 0, 0)):
    batch = prepare(score_fn, [np.ones((*SHAPE, 3), np.float32), np.full((*SHAPE, 3), 0.5, np.float32)])
    if count is not None:
        batch.count = count.append
    owners, stacked = list(owners)[: len(maps)], np.stack([*maps, maps[-1]])  # the last map fills up the shape
    found = MEASURES[0].measure(batch, owners, stacked, [label] * len(owners), options, 4)
    return np.array([[measure.read(own).value for own in found] for measure in MEASURES])


def test_an_additive_model_in_closed_form():
    """Y = 0.6. Shown alone, 0.5 drops 1/6; both positive voxels gain 0.2 of the missing 0.4; an empty map drops all."""
    maps = [shown((0, 1, 2)), shown((0, 1, 2), (1, 2, 3)), np.full(SHAPE, 0.7, np.float32)]
    np.testing.assert_allclose(values(maps), [[1 / 6, 0, 1], [0, 0.5, 0], [0, 1, 0]], atol=1e-6)


def test_a_voxel_counts_by_its_normalised_credit():
    """Credit half way up keeps half a voxel: O = 0.5 + 0.3 / 2 = 0.65."""
    saliency = shown((0, 1, 2))
    saliency[1, 2, 3] = 1.0
    np.testing.assert_allclose(values([saliency])[:, 0], [0, 0.05 / 0.4, 1], atol=1e-6)
    np.testing.assert_allclose(values([5 * saliency + 9]), values([saliency]), atol=1e-6)


def test_each_map_is_of_its_own_clip():
    """Of the grey clip Y = 0.3, and O = 0.25."""
    found = values([shown((0, 1, 2))] * 2, owners=(1, 0))
    np.testing.assert_allclose(found[0], [0.05 / 0.3, 1 / 6], atol=1e-6)


def test_other_baselines_scores_and_contrasts():
    maps = [shown((0, 1, 2))]
    np.testing.assert_allclose(values(maps, options=DropOptions("time_mean", "given")), [[0], [0], [0]], atol=1e-6)
    score_fn = toys.linear_logit(WEIGHTS[..., None] / 3)
    whole, dimmed = 1 / (1 + np.exp(-0.6)), 1 / (1 + np.exp(-0.5))
    for label in (0, Contrast(0, 1)):
        found = values(maps, label, DropOptions(), score_fn=score_fn)
        np.testing.assert_allclose(found[0], 1 - dimmed / whole, rtol=1e-4)


def test_one_pass_a_map_that_all_three_share():
    count = []
    values([shown((0, 1, 2))] * 3, count=count)
    assert sum(count) == 3 + 2  # three maps, and the two clips themselves
    assert len({measure.shares(GIVEN) for measure in MEASURES}) == 1
    assert DROP.shares(GIVEN) != GAIN.shares(DropOptions())
    assert {measure.num_passes((2, 3, 4, 3), 2, GIVEN) for measure in MEASURES} == {1}


@pytest.mark.parametrize("num_spectra", [(), (2,)])
def test_a_normalised_map_runs_from_0_to_1(num_spectra):
    maps = np.random.default_rng(0).normal(size=(3, *num_spectra, *SHAPE)).astype(np.float32)
    flat = normalised(maps).reshape(3, -1)
    assert (flat.min(axis=1) == 0).all()
    np.testing.assert_allclose(flat.max(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(flat.argsort(axis=1), maps.reshape(3, -1).argsort(axis=1))


def test_scores_without_a_share_have_no_value():
    assert np.isnan(average_drop(0.0, 0.5))
    assert np.isnan(average_gain(1.0, 0.5))
