"""Batches of clips in memory, and of clips that are read as they are needed: the same, in parts, from processes."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

import layouts
import runs
from jaxsal.datasets.multispectral import multispectral_folder
from jaxsal.datasets.pipeline import (
    in_order,
    load_clips,
    ordered_batches,
    stream_clips,
    training_batch,
    training_batches,
)
from jaxsal.datasets.records import ClipSet
from jaxsal.datasets.sampling import SegmentSampler, WindowSampler

KEY = jax.random.key(3)


def frames_of(clips, record):
    return clips.clip_set.records[record].load()


def streamed(clip_set=None, **options):
    clip_set = runs.clip_set().select(split="train") if clip_set is None else clip_set
    return stream_clips(clip_set, size=runs.SPEC.size, sampler=runs.SPEC.sampler, **(dict(num_threads=2) | options))


def assert_same(found, expected):
    for mine, theirs in zip(found, expected, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


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


def test_ordered_batches_take_everything_in_order():
    clips = runs.loaded("test")
    batches = list(ordered_batches(clips, 3))
    assert [len(batch.labels) for batch in batches] == [3, 3, 2]
    np.testing.assert_array_equal(np.concatenate([batch.records for batch in batches]), np.arange(8))
    np.testing.assert_array_equal(batches[0].clips[0], frames_of(clips, 0)[1:5])
    assert_same(ordered_batches(streamed(runs.clip_set().select(split="test")), 3), batches)


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
        np.testing.assert_array_equal(batch.clips[0], frames_of(clips, batch.records[0])[chosen])


def test_segments_of_training_clips():
    """Six frames in two segments of two: starts 0 or 1, and 2 or 3, for testing 1 and 3."""
    clips = load_clips(runs.clip_set(), size=18, sampler=SegmentSampler(2, 2))
    first = next(ordered_batches(clips, 1))
    np.testing.assert_array_equal(first.clips[0], frames_of(clips, 0)[[1, 2, 3, 4]])
    starts = set()
    for step in range(8):
        batch = training_batch(clips, KEY, step, 8)
        for clip, record in zip(batch.clips, batch.records, strict=True):
            frames = frames_of(clips, record)
            starts |= {(i, j) for i in (0, 1) for j in (2, 3) if (clip == frames[[i, i + 1, j, j + 1]]).all()}
    assert starts == {(0, 2), (0, 3), (1, 2), (1, 3)}


@pytest.mark.parametrize("num_threads", [1, 3])
def test_streamed_batches_are_those_from_memory(num_threads):
    loaded, steps = runs.loaded(), range(3, 9)
    found = list(training_batches(streamed(num_threads=num_threads), KEY, steps, 4))
    assert_same(found, [training_batch(loaded, KEY, step, 4) for step in steps])


@pytest.mark.process
def test_worker_processes_make_the_same_batches(tmp_path):
    clip_set = multispectral_folder(layouts.study_folder(tmp_path)).select(split="train")
    found = training_batches(streamed(clip_set, num_workers=1), KEY, range(1, 4), 4)
    assert_same(found, training_batches(streamed(clip_set), KEY, range(1, 4), 4))


def test_two_readers_make_one_batch():
    for step in range(3):
        whole = training_batch(streamed(), KEY, step, 6)
        parts = [training_batch(streamed(), KEY, step, 6, rows=rows) for rows in (slice(0, 3), slice(3, 6))]
        assert_same([[np.concatenate(pair) for pair in zip(*parts, strict=True)]], [whole])
        assert len(set(whole.records.tolist())) > 3


def test_readers_read_their_own_part_alone():
    """Only the records of the part are loaded."""
    taken = []

    def load(number, frames):
        taken.append(number)
        return frames()

    clip_set = runs.clip_set().select(split="train")
    records = tuple(
        dataclasses.replace(record, load=partial(load, number, record.load))
        for number, record in enumerate(clip_set.records)
    )
    batch = training_batch(streamed(ClipSet(clip_set.classes, records)), KEY, 0, 6, rows=slice(3, 6))
    assert taken == batch.records.tolist()


def test_an_unreadable_clip_is_named(tmp_path):
    clip_set = multispectral_folder(layouts.study_folder(tmp_path)).select(split="train")
    (tmp_path / "TV" / "clip1" / "0003.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="0003.png"):
        list(training_batches(streamed(clip_set), KEY, range(2), 4))


def test_few_items_are_loaded_ahead():
    started = []
    items = in_order(lambda item: started.append(item) or item, range(100))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    items.close()
    assert len(started) < 20


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (stream_clips, dict(size=0), "`size` must be at least 1; got 0"),
        (stream_clips, dict(num_threads=0), "`num_threads` must be at least 1; got 0"),
        (stream_clips, dict(num_workers=-1), "`num_workers` must be at least 0; got -1"),
        (load_clips, dict(clip_set=ClipSet((), ())), "`clip_set` must hold at least one clip; got none"),
    ],
)
def test_bad_input(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**(dict(clip_set=runs.clip_set(), size=18, sampler=runs.SPEC.sampler) | options))
