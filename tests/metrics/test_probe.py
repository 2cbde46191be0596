"""Probes: they find what parts of clips give away, and what does not depend on a part stays at chance."""

import numpy as np
import pytest

from jaxsal.metrics.probe import KERNELS, PARTS, LabelledClips, actor_cues, centred, probe_clips, thumbnails


def clips(seed, values):
    """120 clips of six frames of three noisy pixels; `values` gives (N, 6) of the first pixel from signs (N,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(120) % 2
    pixels = 0.1 * rng.standard_normal((120, 6, 3))
    pixels[..., 0] += values(2.0 * labels - 1, rng)
    return LabelledClips(pixels, labels)


def accuracies(values):
    probed = probe_clips(clips(0, values), clips(1, values), [(0, 1)])
    return {(one.part, one.kernel): one.pair_accuracy for one in probed}


def test_a_sign_in_one_frame_is_found_in_the_parts_that_show_it():
    found = accuracies(lambda sign, rng: np.pad(sign[:, None], [(0, 0), (0, 5)]))

    assert set(found) == {(part, kernel) for part in PARTS for kernel in KERNELS}
    for part in ("first frame", "first and last frame", "mean over time", "whole clip"):
        assert found[part, "linear"] > 0.95
    assert 0.4 < found["middle frame", "linear"] < 0.6


def test_a_direction_with_a_start_anywhere_is_in_the_order_of_frames_alone_and_not_linear():
    """A ramp that is cut out of a loop: any frame has any value; a Gaussian kernel reads the order."""

    def ramp(sign, rng):
        return (rng.random((120, 1)) + sign[:, None] * np.arange(6) / 6) % 1.0

    found = accuracies(ramp)

    for part in ("first frame", "middle frame", "mean over time", "single frames"):
        for kernel in KERNELS:
            assert 0.4 < found[part, kernel] < 0.6
    assert 0.4 < found["whole clip", "linear"] < 0.65
    assert found["whole clip", "Gaussian"] > 0.95


def test_classes_are_told_apart_all_at_once_too_and_a_split_without_clips_is_refused():
    some = clips(0, lambda sign, rng: sign[:, None])
    probed = probe_clips(some, clips(1, lambda sign, rng: sign[:, None]))
    assert all(one.accuracy > 0.95 and np.isnan(one.pair_accuracy) for one in probed)
    with pytest.raises(ValueError, match="`test` must hold at least one clip; got none"):
        probe_clips(some, LabelledClips(some.pixels[:0], some.labels[:0]))


def test_cues_of_bright_dark_and_central_actors():
    masks = np.zeros((2, 1, 9, 9), bool)
    masks[:, :, 3:6, 3:6] = True
    signs = np.array([1.0, -1.0])[:, None, None, None]

    brightness, centre = actor_cues(signs * masks, masks)

    assert (brightness.auc, brightness.either_way) == (0.5, 1.0)
    assert centre.auc == centre.either_way == 1.0


def test_thumbnails_are_means_of_squares_and_outlines_are_moved_to_the_centre():
    masks = np.zeros((1, 2, 12, 12), bool)
    masks[0, :, 0:4, 8:12] = True

    moved = centred(masks)

    assert moved.sum() == masks.sum()
    np.testing.assert_array_equal(moved[0, 0].nonzero()[0].mean(), 5.5)
    np.testing.assert_array_equal(moved[0, 0].nonzero()[1].mean(), 5.5)
    np.testing.assert_array_equal(thumbnails(masks)[0, 0], [0, 0, 1, 0, 0, 0, 0, 0, 0])
    assert thumbnails(np.ones((1, 2, 8, 8, 3), np.uint8)).shape == (1, 2, 4 * 3)
