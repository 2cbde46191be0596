"""The windows of recordings as the clips that a network takes."""

import numpy as np
import pytest

import runs
from jaxsal.datasets.recordings.recording import Reading
from jaxsal.training.windows import find_windows

READINGS = {"TV": Reading(), "IR": Reading(value_range="auto")}


def save(path, length, rate, *, grey):
    frames = np.random.default_rng(0).integers(0, 255, (length, 20, 24, 3), dtype=np.uint8)
    np.savez(path, frames=frames[..., 0].astype(np.uint16) if grey else frames, seconds=np.arange(length) / rate)
    return path


@pytest.fixture
def scene(tmp_path):
    """A visible recording of 20 frames a second, and an infrared one of 5 that began half a second later."""
    return {
        "TV": save(tmp_path / "walk.npz", 60, 20, grey=False),
        "IR": save(tmp_path / "walk_ir.npz", 10, 5, grey=True),
    }


def test_a_window_has_the_frames_of_that_part_of_the_recording(scene):
    found = find_windows(runs.SPEC, {"TV": scene["TV"]}, READINGS, window="1s", hop="0.5s", start=10)
    assert [(w.start, w.stop) for w in found.windows] == [(10, 30), (20, 40), (30, 50), (40, 60)]
    window = found.windows[1]
    assert (window.place, window.times, tuple(window.chosen)) == ("000020-000040", (1.0, 1.95), (18, 19, 20, 21))
    part = np.load(scene["TV"])["frames"][20:40]
    np.testing.assert_array_equal(runs.SPEC.clip(window.excerpts["TV"]), runs.SPEC.centre_clip(part))
    assert found.rate("TV") == pytest.approx(20)
    assert (
        "4 windows of 20 frames, of which the network takes 4, from frame 10 to 59 (0.50 to 2.95 s)" in found.notes[0]
    )


def test_two_recordings_have_windows_of_the_same_moments(scene):
    """Moments are those of the slower infrared recording; lengths are frames of the visible one."""
    found = find_windows(runs.SPEC, scene, READINGS, window=16, hop=8, infrared_offset=0.5)
    assert found.frames["IR"].tolist() == list(range(10))
    assert found.frames["TV"].tolist() == list(range(10, 50, 4))
    assert [tuple(w.span) for w in found.windows] == [(0, 4), (2, 6), (4, 8), (6, 10)]
    last = found.windows[-1]
    assert (last.start, last.stop, last.excerpts["IR"].frames) == (34, 47, (6, 7, 8, 9))
    assert any(note.startswith("Black is ") for note in found.notes)
    ranges = {w.excerpts["IR"].reading.value_range for w in found.windows}
    assert len(ranges) == 1
    assert "auto" not in ranges


def test_a_moment_has_the_slice_of_the_nearest_frame(scene):
    window = find_windows(runs.SPEC, {"TV": scene["TV"]}, READINGS, window=8).windows[0]
    assert window.chosen.tolist() == [2, 3, 4, 5]
    assert window.slices(4).tolist() == [0, 0, 0, 1, 2, 3, 3, 3]
    assert window.slices(2).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
