"""Localisation measures: closed forms on ramps, constants and single voxels."""

import numpy as np
import pytest

from jaxsal.metrics.localization import energy_inside, localization_auc, localize, localize_across, pointing_game

SHAPE = (4, 3, 5)


def moving_mask():
    """One row of pixels that moves down: frame t covers row t mod 3."""
    mask = np.zeros(SHAPE, bool)
    for frame in range(SHAPE[0]):
        mask[frame, frame % 3] = True
    return mask


def test_a_map_that_is_the_mask_is_perfect_and_its_opposite_the_worst():
    mask = moving_mask()
    assert localize(mask.astype(np.float32), mask) == (1, 1, 1, 1)
    assert localize(1 - mask.astype(np.float32), mask) == (0, 0, 0, 0)


def test_a_constant_map_gets_the_actors_share():
    found = localize(np.full(SHAPE, 0.7, np.float32), moving_mask())
    np.testing.assert_allclose(found, (1 / 3, 1 / 3, 0.5, 0.5), rtol=1e-6)


def test_a_still_map_knows_where_but_not_when():
    """Rows 0, 1, 2 with credit 2, 1, 0: frames 0 and 3 have both other rows below, 1 has one, 2 none."""
    still = np.broadcast_to(np.float32([2, 1, 0])[:, None], SHAPE)
    found = localize(still, moving_mask())
    assert found.space == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert found.time == pytest.approx(0.5)
    assert found.energy == pytest.approx((2 + 1 + 0 + 2) / 12)
    assert found.pointing == pytest.approx(2 / 4)


def test_pointing_looks_at_the_highest_voxel_alone():
    mask = moving_mask()
    saliency = np.zeros(SHAPE, np.float32)
    saliency[0, 1, 0], saliency[0, 0, 0] = 5.0, 4.9
    assert pointing_game(saliency, mask) == 0
    saliency[0, 0, 0] = 5.1
    assert pointing_game(saliency, mask) == 1


def test_energy_ignores_an_offset_and_the_scale():
    saliency = np.random.default_rng(0).random(SHAPE, np.float32)
    expected = energy_inside(saliency, moving_mask())
    np.testing.assert_allclose(energy_inside(3 * saliency - 7, moving_mask()), expected, rtol=1e-5)


def test_auc_counts_pairs():
    rng = np.random.default_rng(0)
    values, inside = rng.integers(0, 6, 40), rng.random(40) < 0.3
    pairs = values[inside][:, None] - values[~inside][None]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    np.testing.assert_allclose(localization_auc(values.astype(np.float32), inside), expected, 1e-6)


@pytest.mark.parametrize("inside", [True, False])
def test_auc_is_unknown_where_nothing_can_be_told_apart(inside):
    assert np.isnan(localization_auc(np.arange(40, dtype=np.float32), np.full(40, inside)))


def test_frames_and_pixels_that_tell_nothing_are_left_out():
    """The actor leaves: frames 2 and 3 have no inside; only row 0 and 1 are ever covered."""
    mask = moving_mask()
    mask[2:] = False
    saliency = mask.astype(np.float32)
    saliency[2:] = 9
    found = localize(saliency, mask)
    assert found.space == 1
    assert found.time == pytest.approx(1 / 3)  # row 0: one frame below, two above


def test_a_slice_of_a_segment_stands_for_its_frames():
    slices = np.random.default_rng(1).random((2, *SHAPE[1:]), np.float32)
    np.testing.assert_allclose(
        localize(slices, moving_mask()), localize(np.repeat(slices, 2, axis=0), moving_mask()), rtol=1e-6
    )


@pytest.mark.usefixtures("no_shape_checks")
def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r"`mask` must have shape \(T, 3, 5\), as `saliency`; got \(4, 5, 3\)"):
        pointing_game(np.zeros(SHAPE, np.float32), np.zeros((4, 5, 3), bool))
    with pytest.raises(ValueError, match="`saliency` must divide the clip's 4 frames; got 3 along time"):
        localize(np.zeros((3, 3, 5), np.float32), moving_mask())
    with pytest.raises(ValueError, match=r"`masks` must have frames of shape \(3, 5\); got \(3, 4\)"):
        localize_across(np.zeros((1, *SHAPE)), np.zeros((1, 4, 3, 4), bool))


def test_maps_across_clips_are_those_of_each_pair():
    """Frames of a segment share a map; equal values count half; frames without an inside or an outside do not count."""
    rng = np.random.default_rng(1)
    maps = rng.integers(0, 4, (3, 2, 3, 5)).astype(np.float32)
    masks = rng.random((2, *SHAPE)) < 0.3
    masks[1, 2], masks[1, 3] = False, True

    found = localize_across(maps, masks)

    expected = [[localize(one, mask) for mask in masks] for one in maps]
    for name in found._fields:
        values = [[getattr(pair, name) for pair in row] for row in expected]
        np.testing.assert_allclose(getattr(found, name), values, rtol=1e-5)


def test_an_actor_who_is_never_seen_cannot_be_found():
    maps, masks = np.ones((1, *SHAPE), np.float32), np.zeros((2, *SHAPE), bool)
    masks[1, 0, 0, 0] = True
    for values in localize_across(maps, masks):
        np.testing.assert_array_equal(np.isnan(values), [[True, False]])
    assert np.isnan(localize(maps[0], masks[0])).all()
