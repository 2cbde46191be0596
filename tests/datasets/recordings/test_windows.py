"""Windows of a long recording, planned from numbers and times alone."""

import numpy as np
import pytest

from jaxsal.datasets.recordings.windows import plan_windows

FRAMES = np.arange(100, 150)
TIMES = FRAMES / 10


@pytest.mark.parametrize(
    ("window", "hop", "expected"),
    [
        (20, 10, [(0, 20), (10, 30), (20, 40), (30, 50)]),
        (20, None, [(0, 20), (20, 40), (30, 50)]),  # the last one is moved back to the end
        (10, 20, [(0, 10), (20, 30), (40, 50)]),
        ("2s", "1s", [(0, 20), (10, 30), (20, 40), (30, 50)]),
        ("2s", "1.5s", [(0, 20), (15, 35), (30, 50)]),
        ("auto", None, [(0, 8), (8, 16), (16, 24), (24, 32), (32, 40), (40, 48), (42, 50)]),
        ("auto", "3s", [(0, 8), (30, 38), (42, 50)]),
        (60, 1, [(0, 50)]),
        ("5 s", "5s", [(0, 50)]),
    ],
)
def test_windows_cover_a_recording_at_even_steps(window, hop, expected):
    assert plan_windows(FRAMES, TIMES, window=window, hop=hop, needed=8) == expected


def test_frames_are_those_of_the_recording_where_moments_are_every_third():
    """A slower infrared recording: 30 frames of the visible one are 10 moments."""
    assert plan_windows(np.arange(0, 90, 3), None, window=30, hop=15)[:2] == [(0, 10), (5, 15)]
    assert plan_windows(np.arange(0, 90, 3), None, window="auto", needed=10)[:2] == [(0, 10), (10, 20)]


def test_windows_in_which_the_camera_paused_are_left_out():
    times = np.concatenate([np.arange(20) / 10, 10 + np.arange(20) / 10])
    assert plan_windows(np.arange(40), times, window="1s", needed=8) == [(0, 10), (10, 20), (20, 30), (30, 40)]


def test_a_recording_that_is_shorter_than_the_network_needs_is_one_window():
    assert plan_windows(FRAMES[:5], None, window="auto", needed=8) == [(0, 5)]


@pytest.mark.parametrize(
    ("times", "window", "hop", "message"),
    [
        (TIMES, 0, None, "`window` must be above 0; got 0"),
        (TIMES, "2s", "0.0s", "`hop` must be above 0; got '0.0s'"),
        (TIMES, "2m", None, "`window` must be a frame, such as 12, or seconds, such as 12.5s; got '2m'"),
        (TIMES, "2s", 10, "`hop` must be in the unit of `window`, '2s'; got 10"),
        (None, "2s", None, "`window` must be in frames for a recording without times; got '2s': `fps` says"),
        (TIMES, 7, None, "`window` must hold at least 8 frames, which the network takes; got 7 with 7: 'auto' is"),
    ],
)
def test_lengths_that_are_refused(times, window, hop, message):
    with pytest.raises(ValueError, match=message):
        plan_windows(FRAMES, times, window=window, hop=hop, needed=8)
