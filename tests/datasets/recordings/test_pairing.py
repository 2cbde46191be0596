"""Which frames of two recordings show the same moments, and what makes one doubt that they are of one scene."""

from pathlib import Path

import numpy as np
import pytest

from jaxsal.datasets.recordings.doubts import doubts_of_colour, doubts_of_pair
from jaxsal.datasets.recordings.moments import check_moment
from jaxsal.datasets.recordings.pairing import align, nearest
from jaxsal.datasets.recordings.recording import Recording


def recording(name, length, rate=None, times=None):
    times = np.arange(length) / rate if rate else times
    return Recording(Path(name), (4, 4), length, lambda indices: iter(()), times)


def test_the_nearest_time_is_found():
    times = np.array([0.0, 1.0, 2.5, 2.6])
    wanted = np.array([-1, 0.4, 0.5, 0.6, 1.9, 2.56, 9])
    np.testing.assert_array_equal(nearest(times, wanted), [0, 0, 0, 1, 2, 3, 3])
    np.testing.assert_array_equal(nearest(times[:1], wanted), np.zeros(7))


@pytest.mark.parametrize("offset", [0.0, 1.0, -0.5])
@pytest.mark.parametrize(("visible_rate", "infrared_rate"), [(30, 10), (10, 30), (25, 25)])
def test_frames_of_a_moment_are_as_near_as_the_faster_rate_allows(visible_rate, infrared_rate, offset):
    visible, infrared = recording("v.mp4", 10 * visible_rate, visible_rate), recording("i.mp4", 300, infrared_rate)
    moments = align(visible, infrared, infrared_offset=offset)
    apart = np.abs(visible.times[moments.visible] - infrared.times[moments.infrared] - offset)
    assert apart.max() <= 0.5 / max(visible_rate, infrared_rate) + 1e-9
    assert moments.apart == pytest.approx(apart.max())
    slow = moments.visible if visible_rate <= infrared_rate else moments.infrared
    np.testing.assert_array_equal(np.diff(slow), 1)


def test_start_and_stop_are_of_the_visible_recording():
    moments = align(recording("v", 100, 20), recording("i", 100, 10), start="1s", stop=41)
    assert (moments.visible[0], moments.visible[-1]) == (20, 40)
    assert (moments.infrared[0], moments.infrared[-1]) == (10, 20)


def test_irregular_times_are_taken_as_they_are():
    times = np.array([0.0, 0.1, 0.9, 1.0])
    moments = align(recording("v", 4, times=times), recording("i", 11, 10))
    np.testing.assert_array_equal(moments.infrared, [0, 1, 9, 10])


def test_without_times_frames_go_together_by_number():
    moments = align(recording("v", 5, 25), recording("i", 5), start=1)
    np.testing.assert_array_equal(moments.visible, moments.infrared)
    assert moments.apart is None
    for infrared, offset in ((recording("i", 6), 0.0), (recording("i", 5), 1.0)):
        with pytest.raises(ValueError, match="`fps` must be given for i, whose frames have no times"):
            align(recording("v", 5, 25), infrared, infrared_offset=offset)


def test_recordings_that_share_no_moment():
    with pytest.raises(
        ValueError, match=r"`infrared_offset` must let .* same moments; got 60.0: v .* 0.00 s to 0.96 s"
    ):
        align(recording("v", 25, 25), recording("i", 25, 25), infrared_offset=60.0)


@pytest.mark.parametrize(
    ("value", "expected"), [(3, 3), ("12", 12), ("12.0", 12), (" 7 ", 7), ("12.5s", "12.5s"), (".5 s", ".5 s")]
)
def test_moments_are_frames_or_seconds(value, expected):
    assert check_moment("start", value) == expected


@pytest.mark.parametrize("value", ["12.5", "-1", "1e3", "a", "", "1m"])
def test_other_words_are_no_moments(value):
    with pytest.raises(ValueError, match="`start` must be a frame, such as 12, or seconds, such as 12.5s; got "):
        check_moment("start", value)


def test_seconds_need_times():
    assert recording("v", 30, 10).part("0.95s", "1.5s") == (10, 15)
    with pytest.raises(ValueError, match="`start` must be a frame in a recording without times; got '1s': `fps` says"):
        recording("v", 30).part("1s")
    with pytest.raises(ValueError, match="`start` must be below 30, the frames of v; got 9s"):
        recording("v", 30, 10).part("9s")


GREY = np.broadcast_to(np.linspace(0, 255, 16, dtype=np.uint8)[:, None, None], (2, 16, 16, 3))
COLOUR = GREY * np.array([1, 0, 0], np.uint8)


@pytest.mark.parametrize(
    ("frames", "spectrum", "words"),
    [
        (GREY, "TV", ["grey, though"]),
        (GREY, "IR", []),
        (COLOUR, "TV", []),
        (COLOUR, "IR", ["have colours, though"]),
        (np.full((2, 4, 4, 3), 7, np.uint8), "IR", ["nearly uniform, 7 to 7 of 255"]),
    ],
)
def test_colours_that_do_not_fit_are_said(frames, spectrum, words):
    lines = list(doubts_of_colour(frames, spectrum, "clip"))
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))


@pytest.mark.parametrize(
    ("visible", "infrared", "doubtful"),
    [
        ("walk.mp4", "walk_ir.mp4", False),
        ("0117_1605_visible.mp4", "0117_1605_infrared.mp4", False),
        ("visible.mp4", "thermal.npy", False),
        ("scene3/rgb.mp4", "scene3/ir.mp4", False),
        ("scene 03 wide.mp4", "scene 04 thermal.mp4", True),
        ("scene3/rgb.mp4", "scene4/ir.mp4", True),
        ("walk.mp4", "run_ir.mp4", True),
    ],
)
def test_names_of_other_scenes_are_said(visible, infrared, doubtful):
    assert len(list(doubts_of_pair(recording(visible, 9), recording(infrared, 9)))) == doubtful


def test_other_durations_are_said():
    (line,) = doubts_of_pair(recording("a.mp4", 101, 10), recording("a_ir.mp4", 51, 10))
    assert "a.mp4 has 10.0 s, a_ir.mp4 5.0 s" in line
    assert not list(doubts_of_pair(recording("a.mp4", 101, 10), recording("a_ir.mp4", 300, 30)))
