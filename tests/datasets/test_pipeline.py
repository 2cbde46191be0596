import jax
import numpy as np
import pytest

import runs
from jaxsal.datasets.pipeline import load_clips, ordered_batches, training_batch
from jaxsal.datasets.records import ClipSet

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


def test_short_clips_repeat_their_edges():
    with pytest.warns(UserWarning, match="4 of 10 frames"):
        clips = load_clips(runs.clip_set().select(split="test", spectra=("IR",)), size=18, num_frames=10)
    assert {len(frames) for frames in clips.frames} == {10}
    np.testing.assert_array_equal(clips.frames[0][0], clips.frames[0][1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(size=0), "`size` must be at least 1; got 0"),
        (dict(num_frames=0), "`num_frames` must be at least 1; got 0"),
        (dict(clip_set=ClipSet(runs.CLASSES, ())), "`clip_set` must hold at least one clip; got none"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        load_clips(**(dict(clip_set=runs.clip_set(), size=18, num_frames=4) | options))
