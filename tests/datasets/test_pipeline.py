import jax
import numpy as np
import pytest

import runs
from jaxsal.datasets.pipeline import load_clips, ordered_batches, training_batch
from jaxsal.datasets.records import ClipSet
from jaxsal.datasets.sampling import SegmentSampler, WindowSampler

KEY = jax.random.key(3)


def test_loaded_frames_are_square_bytes():
    clips = runs.loaded()
    assert {frames.shape for frames in clips.frames} == {(6, 18, 18, 3)}
    assert clips.frames[0].dtype == np.uint8
    assert clips.frames[0].max() > 200


def test_every_epoch_takes_each_clip_once():
    clips = runs.loaded(per_class=6)
    taken = np.concatenate([training_batch(clips, KEY, step, 4).records for step in range(6)])
    np.testing.assert_array_equal(np.sort(taken[:12]), np.arange(12))
    np.testing.assert_array_equal(np.sort(taken[12:]), np.arange(12))
    assert (taken[:12] != taken[12:]).any()


def test_a_batch_depends_on_key_and_step_alone():
    clips = runs.loaded()
    first, again = (training_batch(clips, KEY, 5, 4) for _ in range(2))
    np.testing.assert_array_equal(first.clips, again.clips)
    other = training_batch(clips, jax.random.key(4), 5, 4)
    assert (first.records != other.records).any() or (first.clips != other.clips).any()
    labels = [clips.clip_set.records[i].label for i in first.records]
    np.testing.assert_array_equal(first.labels, labels)


def test_windows_vary():
    clips = runs.loaded()
    windows = set()
    for step in range(30):
        batch = training_batch(clips, KEY, step, 8)
        windows.add(batch.clips[batch.records.tolist().index(3)].tobytes())
    assert windows == {clips.frames[3][start : start + 4].tobytes() for start in range(3)}


def test_ordered_batches_take_everything_in_order():
    clips = runs.loaded("test")
    batches = list(ordered_batches(clips, 3))
    assert [len(batch.labels) for batch in batches] == [3, 3, 2]
    np.testing.assert_array_equal(np.concatenate([batch.records for batch in batches]), np.arange(8))
    np.testing.assert_array_equal(batches[0].clips[0], clips.frames[0][1:5])


@pytest.mark.parametrize(
    ("sampler", "message", "chosen"),
    [
        (WindowSampler(10), "4 of 10 frames", [0, 0, 0, 1, 2, 3, 4, 5, 5, 5]),
        (SegmentSampler(2, 8), "2 of 8 frames", [0, 1, 2, 3, 4, 5, 5, 5] * 2),
    ],
)
def test_short_clips_repeat_frames(sampler, message, chosen):
    clips = load_clips(runs.clip_set().select(split="test", spectra=("IR",)), size=18, sampler=sampler)
    with pytest.warns(UserWarning, match=message):
        batches = [next(ordered_batches(clips, 2)), training_batch(clips, KEY, 0, 2)]
    for batch in batches:
        frames = clips.frames[batch.records[0]]
        np.testing.assert_array_equal(batch.clips[0], frames[chosen])


def test_segments_of_training_clips():
    """Six frames in two segments of two: starts 0 or 1, and 2 or 3, for testing 1 and 3."""
    clips = load_clips(runs.clip_set(), size=18, sampler=SegmentSampler(2, 2))
    first = next(ordered_batches(clips, 1))
    np.testing.assert_array_equal(first.clips[0], clips.frames[0][[1, 2, 3, 4]])
    starts = set()
    for step in range(8):
        batch = training_batch(clips, KEY, step, 8)
        for clip, record in zip(batch.clips, batch.records, strict=True):
            frames = clips.frames[record]
            starts |= {(i, j) for i in (0, 1) for j in (2, 3) if (clip == frames[[i, i + 1, j, j + 1]]).all()}
    assert starts == {(0, 2), (0, 3), (1, 2), (1, 3)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(size=0), "`size` must be at least 1; got 0"),
        (dict(clip_set=ClipSet(runs.CLASSES, ())), "`clip_set` must hold at least one clip; got none"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        load_clips(**(dict(clip_set=runs.clip_set(), size=18, sampler=WindowSampler(4)) | options))
