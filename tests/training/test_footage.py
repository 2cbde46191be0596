"""The recordings of a scene as a network takes them, and what is said of them."""

from pathlib import Path

import numpy as np
import pytest

import runs
from jaxsal.datasets.recordings.recording import Reading
from jaxsal.training.footage import find_footage


def save(folder, name, length, seconds=None, *, colour=True):
    frames = np.random.default_rng(0).integers(0, 255, (length, 20, 24, 3), dtype=np.uint8)
    frames = frames if colour else frames[..., 0]
    path = folder / f"{name}.npz"
    np.savez(path, frames=frames, **({} if seconds is None else dict(seconds=seconds)))
    return path


@pytest.fixture
def scene(tmp_path):
    """A visible recording of 20 frames a second, and an infrared one of 5 that began half a second later."""
    visible = save(tmp_path, "walk", 60, np.arange(60) / 20)
    return {"TV": visible, "IR": save(tmp_path, "walk_ir", 10, np.arange(10) / 5, colour=False)}


READINGS = {"TV": Reading(), "IR": Reading()}


def test_two_recordings_are_taken_at_the_same_moments(scene):
    footage = find_footage(runs.SPEC, scene, READINGS, infrared_offset=0.5)
    visible, infrared = footage.excerpts["TV"], footage.excerpts["IR"]
    assert infrared.frames == (3, 4, 5, 6)
    np.testing.assert_allclose(np.array(visible.times) - infrared.times, 0.5)
    assert "at most 0.000 s apart" in footage.notes[0]
    assert "TV: 4 frames from 22 to 34 (1.10 to 1.70 s)" in " ".join(footage.notes)
    assert "10 frames of 24x20, 5 frames per second" in " ".join(footage.notes)
    assert "differ in duration" in " ".join(footage.notes)


def test_one_recording_is_taken_from_its_middle(scene):
    footage = find_footage(runs.SPEC, {"TV": scene["TV"]}, READINGS, start="1s", stop="2s")
    assert footage.excerpts["TV"].frames == (28, 29, 30, 31)
    np.testing.assert_array_equal(
        footage.excerpts["TV"].clip(), runs.SPEC.centre_clip(np.load(scene["TV"])["frames"][20:40])
    )


def test_swapped_recordings_are_said_in_one_line(scene):
    swapped = {"TV": scene["IR"], "IR": scene["TV"]}
    lines = [note for note in find_footage(runs.SPEC, swapped, READINGS).notes if "grey" in note or "colours" in note]
    assert len(lines) == 1
    assert "look swapped" in lines[0]


def test_one_file_is_not_both(scene):
    with pytest.raises(ValueError, match="`infrared` must be another recording than the visible one; got "):
        find_footage(runs.SPEC, {"TV": scene["TV"], "IR": Path(str(scene["TV"]))}, READINGS)
