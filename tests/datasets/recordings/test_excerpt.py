"""Where the frames of a clip come from, and the way back to them."""

import dataclasses
import json

import numpy as np
import pytest

from jaxsal.datasets.clips import cut_box, resize_and_crop
from jaxsal.datasets.recordings.excerpt import Box, Cut, Excerpt, take
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.datasets.recordings.part import excerpts_of
from jaxsal.datasets.recordings.recording import Reading


@pytest.fixture
def counts(tmp_path):
    """Raw counts that grow by 10 a frame, with a ramp across."""
    frames = 7000 + 10 * np.arange(12)[:, None, None] + np.arange(30 * 40).reshape(30, 40) % 40
    np.save(tmp_path / "ir.npy", frames.astype(np.int16))
    return tmp_path / "ir.npy"


def test_the_whole_frames_and_the_clip_are_of_the_same_numbers(counts):
    reading = Reading(value_range=(7000, 7255), fps=5)
    excerpt = take(open_recording(counts, reading), np.array([3, 5, 5]), reading, Cut(20, 16))
    frames = excerpt.read()
    np.testing.assert_array_equal(frames[:, 0, 0, 1], [30, 50, 50])
    np.testing.assert_array_equal(excerpt.clip(), resize_and_crop(frames, short_side=20, crop=16))
    assert (excerpt.times, excerpt.rate, excerpt.size) == ((0.6, 1.0, 1.0), 5, (30, 40))
    whole = dataclasses.replace(excerpt, cut=None)
    np.testing.assert_array_equal(whole.clip(), frames.astype(np.float32) / 255)
    assert whole.box == Box(0, 0, 30, 40)
    again = Excerpt.from_json(json.loads(json.dumps(excerpt.to_json())))
    assert again == excerpt


def test_auto_is_resolved_once_and_said(counts):
    excerpt = take(open_recording(counts), np.array([0, 11]), Reading("auto"))
    samples = np.load(counts)[[0, 11]]
    assert excerpt.reading.value_range == tuple(np.percentile(samples, (1, 99)))
    assert "percentiles" in excerpt.notes[-1]
    other = take(open_recording(counts), np.array([4]), excerpt.reading)
    assert other.reading.value_range == excerpt.reading.value_range


def test_auto_reads_few_frames_of_many(tmp_path):
    np.save(tmp_path / "long.npy", np.arange(1000, dtype=np.int16)[:, None, None] + np.zeros((1, 4, 4), np.int16))
    recording = open_recording(tmp_path / "long.npy")
    read = []
    watched = dataclasses.replace(recording, raw=lambda numbers: read.extend(numbers) or recording.raw(numbers))
    assert watched.percentiles(range(1000)) == (0, 999)  # those of the first and of the last frame
    assert len(read) == 64


@pytest.mark.parametrize(
    ("height", "width", "short_side", "crop"), [(30, 40, 20, 16), (64, 48, 20, 20), (25, 61, 32, 7)]
)
def test_the_box_is_what_the_clip_shows(height, width, short_side, crop):
    """A ramp along an axis is kept by bilinear resizing, so a pixel of the clip says where its centre lies."""
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    ramps = np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)[None]
    seen = 255 * resize_and_crop(ramps, short_side=short_side, crop=crop)[0]
    top, left, box_height, box_width = cut_box((height, width), short_side=short_side, crop=crop)
    for first, side, channel in ((top, box_height, 0), (left, box_width, 1)):
        centres = first + side * (np.arange(crop) + 0.5) / crop - 0.5
        line = seen[:, crop // 2, 0] if channel == 0 else seen[crop // 2, :, 1]
        limit = (height, width)[channel] - 1
        np.testing.assert_allclose(line, np.clip(centres, 0, limit), atol=1e-3)


def test_a_clip_of_no_recording_has_no_excerpts():
    assert excerpts_of({}, lambda lengths: pytest.fail("nothing is to be chosen"), Cut(20, 16)) == {}
