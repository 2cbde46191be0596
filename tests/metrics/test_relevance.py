"""Relevance on the actor: closed forms on constant maps, single voxels and ties, and empty masks."""

import numpy as np
import pytest

from jaxsal.metrics.localization import pointing_game
from jaxsal.metrics.relevance import pointing_within, relevance_mass_accuracy, relevance_rank_accuracy

SHAPE = (2, 5, 6)
MASK = np.zeros(SHAPE, bool)
MASK[0, 1:3, 1:3] = True  # four voxels of sixty, all in the first frame
ALL = (relevance_mass_accuracy, relevance_rank_accuracy, pointing_within)


def one_hot(*voxel):
    saliency = np.zeros(SHAPE, np.float32)
    saliency[voxel] = 2
    return saliency


def test_the_mask_as_its_own_map():
    assert [measure(MASK.astype(np.float32), MASK) for measure in ALL] == [1, 1, 1]


def test_a_constant_map_gets_the_actors_share():
    found = [measure(np.ones(SHAPE, np.float32), MASK) for measure in ALL[:2]]
    np.testing.assert_allclose(found, 4 / 60, rtol=1e-6)
    np.testing.assert_allclose(pointing_within(np.ones(SHAPE, np.float32), MASK, tolerance=0), 4 / 60, rtol=1e-6)


def test_a_single_voxel():
    """Its whole mass is inside; of the four ranks it fills one, and 3 of the other 59 voxels are the actor's."""
    assert relevance_mass_accuracy(one_hot(0, 2, 2), MASK) == 1
    assert relevance_mass_accuracy(one_hot(1, 2, 2), MASK) == 0
    np.testing.assert_allclose(relevance_rank_accuracy(one_hot(0, 2, 2), MASK), (1 + 3 * 3 / 59) / 4, rtol=1e-6)
    np.testing.assert_allclose(relevance_rank_accuracy(one_hot(1, 2, 2), MASK), 3 * 4 / 59 / 4, rtol=1e-6)


def test_mass_counts_positive_relevance_alone():
    saliency = one_hot(0, 1, 1)
    saliency[1, 0, 0], saliency[0, 2, 2] = 6, -9
    assert relevance_mass_accuracy(saliency, MASK) == 2 / 8
    assert np.isnan(relevance_mass_accuracy(-np.ones(SHAPE, np.float32), MASK))


def test_ranks_in_full():
    """Without ties: 2 of the 4 highest voxels lie inside, at any scale and offset."""
    saliency = np.random.default_rng(0).permutation(60).reshape(SHAPE).astype(np.float32)
    saliency[0, 1, 1:3], saliency[1, 0, :2] = (100, 101), (102, 103)
    saliency[0, 2, 1:3] = -1, -2
    assert relevance_rank_accuracy(saliency, MASK) == 0.5
    assert relevance_rank_accuracy(3 * saliency - 7, MASK) == 0.5


def test_a_slice_stands_for_its_frames():
    """One slice for both frames: half of the mass lies in the frame without the actor."""
    saliency = MASK[:1].astype(np.float32)
    assert [measure(saliency, MASK) for measure in ALL] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(("voxel", "distance"), [((0, 2, 2), 0), ((0, 2, 5), 3), ((0, 4, 4), np.sqrt(8))])
def test_pointing_up_to_the_tolerance(voxel, distance):
    assert pointing_within(one_hot(*voxel), MASK, tolerance=distance + 1e-6) == 1
    if distance:
        assert pointing_within(one_hot(*voxel), MASK, tolerance=distance - 1e-3) == 0
    found = pointing_within(one_hot(*voxel), MASK, tolerance=0)
    assert found == pointing_game(one_hot(*voxel), MASK)


def test_pointing_does_not_reach_other_frames():
    assert pointing_within(one_hot(1, 2, 2), MASK, tolerance=100) == 0


@pytest.mark.parametrize("measure", ALL)
def test_empty_and_full_masks(measure):
    assert np.isnan(measure(one_hot(0, 2, 2), np.zeros(SHAPE, bool)))
    assert measure(one_hot(0, 2, 2), np.ones(SHAPE, bool)) == 1


def test_a_negative_tolerance():
    with pytest.raises(ValueError, match="`tolerance` must be at least 0; got -1"):
        pointing_within(one_hot(0, 2, 2), MASK, tolerance=-1.0)
