"""Clips read as they are needed: the same batches as from memory, in parts, after a resume, from worker processes."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

import layouts
import runs
from jaxsal.core.fingerprints import fingerprint
from jaxsal.datasets.decoding import in_order
from jaxsal.datasets.multispectral import multispectral_folder
from jaxsal.datasets.pipeline import ordered_batches, training_batch, training_batches
from jaxsal.datasets.records import ClipSet
from jaxsal.datasets.streaming import stream_clips
from jaxsal.training.train import accuracy_by_spectrum, train

KEY = jax.random.key(3)


def streamed(clip_set=None, **options):
    clip_set = runs.clip_set().select(split="train") if clip_set is None else clip_set
    return stream_clips(clip_set, size=runs.SPEC.size, sampler=runs.SPEC.sampler, **(dict(num_threads=2) | options))


def assert_same(found, expected):
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_the_batches_are_those_from_memory(num_threads):
    loaded = runs.loaded()
    steps = range(3, 9)
    found = list(training_batches(streamed(num_threads=num_threads), KEY, steps, 4))
    assert len(found) == len(steps)
    for step, batch in zip(steps, found, strict=True):
        assert_same(batch, training_batch(loaded, KEY, step, 4))


def test_two_readers_make_one_batch():
    for step in range(3):
        whole = training_batch(streamed(), KEY, step, 6)
        parts = [training_batch(streamed(), KEY, step, 6, rows=rows) for rows in (slice(0, 3), slice(3, 6))]
        assert_same((np.concatenate(pair) for pair in zip(*parts, strict=True)), whole)
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


def test_test_clips_are_those_from_memory():
    clip_set = runs.clip_set().select(split="test")
    found = list(ordered_batches(streamed(clip_set), 3))
    for batch, expected in zip(found, ordered_batches(runs.loaded("test"), 3), strict=True):
        assert_same(batch, expected)


def test_worker_processes_make_the_same_batches(tmp_path):
    clip_set = multispectral_folder(layouts.study_folder(tmp_path)).select(split="train")
    found = list(training_batches(streamed(clip_set, num_workers=2), KEY, range(1, 4), 4))
    for batch, expected in zip(found, training_batches(streamed(clip_set), KEY, range(1, 4), 4), strict=True):
        assert_same(batch, expected)


def test_training_from_files_and_from_memory_ends_alike(tmp_path):
    from_memory = train(runs.SPEC, runs.OPTIONS, runs.loaded(), tmp_path / "memory")
    from_files = train(runs.SPEC, runs.OPTIONS, streamed(), tmp_path / "files")
    assert fingerprint(from_files.variables) == fingerprint(from_memory.variables)
    test_clips = streamed(runs.clip_set().select(split="test"))
    accuracy = accuracy_by_spectrum(runs.SPEC, from_files.variables, test_clips, batch_size=3)
    assert accuracy == accuracy_by_spectrum(runs.SPEC, from_memory.variables, runs.loaded("test"), batch_size=3)


def test_a_run_from_files_goes_on_from_memory_with_the_same_numbers(tmp_path, monkeypatch):
    """A killed run's next step takes the batch that it would have taken."""
    from jaxsal.training import train as training

    whole = training.training_batches

    def killed(clips, key, steps, batch_size, rows):
        yield from whole(clips, key, range(steps.start, 3), batch_size, rows=rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "training_batches", killed)
    with pytest.raises(KeyboardInterrupt):
        train(runs.SPEC, runs.OPTIONS, streamed(), tmp_path / "run")
    monkeypatch.undo()
    resumed = train(runs.SPEC, runs.OPTIONS, runs.loaded(), tmp_path / "run")
    straight = train(runs.SPEC, runs.OPTIONS, runs.loaded(), tmp_path / "straight")
    assert fingerprint(resumed.variables) == fingerprint(straight.variables)


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
    ("options", "message"),
    [
        (dict(size=0), "`size` must be at least 1; got 0"),
        (dict(num_threads=0), "`num_threads` must be at least 1; got 0"),
        (dict(num_workers=-1), "`num_workers` must be at least 0; got -1"),
        (dict(clip_set=ClipSet(runs.CLASSES, ())), "`clip_set` must hold at least one clip; got none"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        stream_clips(**(dict(clip_set=runs.clip_set(), size=18, sampler=runs.SPEC.sampler) | options))
