"""Frame choice by index: known windows, the reference offsets of PAN, and the spread of the random ones."""

import jax
import numpy as np
import pytest

import golden
from jaxsal.datasets.sampling import (
    SpreadSampler,
    centre_window,
    random_segment_indices,
    random_window,
    segment_indices,
)

KEY = jax.random.key(0)


def random_window_of_key_0(*args, **options):
    return random_window(KEY, *args, **options)


def random_segments_of_key_0(*args, **options):
    return random_segment_indices(KEY, *args, **options)


@pytest.mark.parametrize(
    ("length", "num_frames", "stride", "expected"),
    [
        (10, 4, 1, [3, 4, 5, 6]),
        (11, 4, 1, [3, 4, 5, 6]),
        (10, 4, 2, [1, 3, 5, 7]),
        (7, 4, 2, [0, 2, 4, 6]),
        (5, 1, 9, [2]),
    ],
)
def test_centre_window(length, num_frames, stride, expected):
    np.testing.assert_array_equal(centre_window(length, num_frames, stride=stride), expected)


@pytest.mark.parametrize(
    ("length", "num_frames", "expected"),
    [(3, 6, [0, 0, 1, 1, 2, 2]), (9, 1, [4]), (10, 4, [1, 3, 6, 8])],
)
def test_spread_frames_lie_one_in_each_part(length, num_frames, expected):
    """The middle one for testing; drawn ones too are one of each part, and reach every frame."""
    sampler = SpreadSampler(num_frames)
    np.testing.assert_array_equal(sampler.test_indices(length), expected)
    drawn = np.array([sampler.train_indices(key, length) for key in jax.random.split(KEY, 30)])
    first = np.arange(num_frames) * length / num_frames
    assert (drawn >= np.floor(first)).all()
    assert (drawn < np.ceil(first + length / num_frames)).all()
    assert set(drawn.ravel()) == set(range(length))


@pytest.mark.parametrize(("length", "num_frames", "stride"), [(12, 4, 3), (5, 5, 1)])
def test_random_window_draws_every_start_equally(length, num_frames, stride):
    starts = []
    num_draws, num_starts = 200, length - (num_frames - 1) * stride
    for key in jax.random.split(KEY, num_draws):
        window = random_window(key, length, num_frames, stride=stride)
        np.testing.assert_array_equal(np.diff(window), stride)
        starts.append(window[0])
    counts = np.bincount(starts, minlength=num_starts)
    assert len(counts) == num_starts
    expected = num_draws / num_starts
    assert np.abs(counts - expected).max() <= 5 * np.sqrt(expected)


def test_random_choices_depend_on_the_key_alone():
    for choose in (lambda key: random_window(key, 1000, 4), lambda key: random_segment_indices(key, 1000)):
        np.testing.assert_array_equal(choose(KEY), choose(KEY))
        assert (choose(KEY) != choose(jax.random.key(1))).any()


@pytest.mark.parametrize("choose", [centre_window, random_window_of_key_0])
@pytest.mark.parametrize(
    ("length", "num_frames", "stride", "missing", "expected"),
    [
        (3, 8, 1, "5 of 8", [0, 0, 0, 1, 2, 2, 2, 2]),
        (4, 8, 1, "4 of 8", [0, 0, 0, 1, 2, 3, 3, 3]),
        (1, 4, 1, "3 of 4", [0, 0, 0, 0]),
        (5, 4, 2, "2 of 7", [0, 1, 3, 4]),
    ],
)
def test_short_recording_is_centred_with_its_edges_repeated(choose, length, num_frames, stride, missing, expected):
    with pytest.warns(UserWarning, match=f"{missing} frames of the window are missing"):
        window = choose(length, num_frames, stride=stride)
    np.testing.assert_array_equal(window, expected)


def test_segment_indices_equal_pan():
    reference = golden.load("pipeline")
    for length, expected in zip(reference["pan.num_frames"], reference["pan.val_frame_index"], strict=True):
        np.testing.assert_array_equal(segment_indices(int(length)), expected)


def test_segments_of_other_numbers():
    np.testing.assert_array_equal(segment_indices(20, num_segments=3, frames_per_segment=2), [3, 4, 9, 10, 15, 16])


@pytest.mark.parametrize("choose", [segment_indices, random_segments_of_key_0])
def test_recording_shorter_than_a_segment_repeats_its_last_frame(choose):
    with pytest.warns(UserWarning, match="1 of 4 frames of a segment are missing"):
        indices = choose(3, num_segments=2)
    np.testing.assert_array_equal(indices, [0, 1, 2, 2, 0, 1, 2, 2])


def test_random_segments_lie_in_their_own_parts():
    """L = 44, F = 4: step = floor(41 / 8) = 5, so segment i starts in 5 i .. 5 i + 4, all equally likely."""
    keys = jax.random.split(KEY, 300)
    indices = np.stack([random_segment_indices(key, 44).reshape(8, 4) for key in keys])
    np.testing.assert_array_equal(np.diff(indices, axis=-1), 1)
    offsets = indices[..., 0] - 5 * np.arange(8)
    counts = np.stack([np.bincount(column, minlength=5) for column in offsets.T])
    assert counts.shape == (8, 5)
    assert np.abs(counts - 60).max() <= 5 * np.sqrt(60)


@pytest.mark.parametrize("length", [4, 9])
def test_random_segments_of_a_few_frames_are_sorted_and_reach_every_start(length):
    keys = jax.random.split(KEY, 60)
    starts = np.stack([random_segment_indices(key, length).reshape(8, 4)[:, 0] for key in keys])
    assert (np.diff(starts, axis=-1) >= 0).all()
    np.testing.assert_array_equal(np.unique(starts), np.arange(length - 3))


@pytest.mark.parametrize("choose", [centre_window, random_window_of_key_0])
@pytest.mark.parametrize(
    ("name", "values"),
    [("length", (-2, 4, 1)), ("num_frames", (9, 0, 1)), ("stride", (9, 4, 0))],
)
def test_window_sizes_must_be_positive(choose, name, values):
    length, num_frames, stride = values
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1; got {min(values)}"):
        choose(length, num_frames, stride=stride)


@pytest.mark.parametrize("choose", [segment_indices, random_segments_of_key_0])
@pytest.mark.parametrize(
    ("name", "values"), [("length", (0, 8, 4)), ("num_segments", (9, 0, 4)), ("frames_per_segment", (9, 8, 0))]
)
def test_segment_sizes_must_be_positive(choose, name, values):
    length, num_segments, frames_per_segment = values
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1; got 0"):
        choose(length, num_segments=num_segments, frames_per_segment=frames_per_segment)
