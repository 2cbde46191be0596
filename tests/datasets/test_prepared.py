"""Sets prepared as shards: what goes in comes out, a network trains on it, and damage is told."""

import dataclasses
import json
import pickle
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import layouts
from jaxsal.datasets.builders import prepare_clips
from jaxsal.datasets.catalog import open_clips
from jaxsal.datasets.clips import square_frames
from jaxsal.datasets.multispectral import multispectral_folder
from jaxsal.datasets.prepared import find_prepared, list_prepared, prepared_clips
from jaxsal.datasets.records import white_frames
from jaxsal.datasets.synthetic import synthetic_actions


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A tiny copy of the study's layout, and its data folder with the set in it."""
    root = layouts.study_folder(tmp_path_factory.mktemp("study"))
    data_dir = tmp_path_factory.mktemp("data")
    return root, data_dir, prepare_clips("multispectral_actions", manual_dir=root, data_dir=data_dir)


def listed(clips):
    return [(record.name, record.label, record.spectrum, record.split, record.scene) for record in clips.records]


def assert_same(found, expected, change=lambda frames: frames):
    assert found.classes == expected.classes
    assert listed(found) == listed(expected)
    for mine, theirs in zip(found.records, expected.records, strict=True):
        np.testing.assert_array_equal(mine.load(), change(theirs.load()))


def test_the_studys_layout(prepared):
    root, _, found = prepared
    assert found.name == "multispectral_actions/full"
    assert_same(pickle.loads(pickle.dumps(prepared_clips(found.folder))), multispectral_folder(root))


def test_squares_are_those_that_training_cuts(prepared):
    root, data_dir, _ = prepared
    found = prepare_clips("multispectral_actions", manual_dir=root, data_dir=data_dir, size=10)
    assert found.name == "multispectral_actions/square10"
    assert_same(prepared_clips(found.folder), multispectral_folder(root), lambda frames: square_frames(frames, 10))
    assert [p.name for p in list_prepared(data_dir)] == ["multispectral_actions/full", "multispectral_actions/square10"]
    message = r"`data` must name one of \('multispectral_actions/full', 'multispectral_actions/square10'\)"
    with pytest.raises(ValueError, match=message):
        find_prepared("multispectral_actions", data_dir)
    assert find_prepared("multispectral_actions/square10", data_dir) == found


def test_antialiased_squares(prepared, tmp_path):
    root = prepared[0]
    found = prepare_clips("multispectral_actions", manual_dir=root, data_dir=tmp_path, size=7, antialias=True)
    assert found.name == "multispectral_actions/square7-antialias"
    loaded = prepared_clips(found.folder).records[1].load()
    frames = multispectral_folder(root).records[1].load()
    np.testing.assert_array_equal(loaded, square_frames(frames, 7, antialias=True))
    assert (loaded != square_frames(frames, 7)).any()


def test_the_embedded_set(tmp_path, monkeypatch):
    def fewer(**options):
        whole = synthetic_actions(**(options | dict(takes=1, actors=(0, 40))))
        return dataclasses.replace(whole, records=whole.records[:3] + whole.records[-3:])

    monkeypatch.setattr("jaxsal.datasets.builders.synthetic_actions", fewer)
    found = prepare_clips("synthetic_actions", data_dir=tmp_path, size=8)
    assert_same(prepared_clips(found.folder), fewer(num_frames=20, height=8), lambda frames: square_frames(frames, 8))
    found = prepare_clips("synthetic_actions", data_dir=tmp_path, num_frames=6)
    assert found.name == "synthetic_actions/frames6"
    assert_same(prepared_clips(found.folder), fewer(num_frames=6, height=64))
    with pytest.raises(ValueError, match="'synthetic_actions/frames6', which has num_frames 6, not 7"):
        prepare_clips("synthetic_actions", data_dir=tmp_path, num_frames=7, config="frames6")


def test_a_set_prepared_before_frames_were_counted(tmp_path):
    root = layouts.recordings_folder(tmp_path / "recordings")
    found = prepare_clips("paired_actions", manual_dir=root, data_dir=tmp_path)
    (found.folder / "checksums.json").unlink()
    file = found.folder / "metadata.json"
    metadata = json.loads(file.read_text())
    del metadata["num_frames"]
    file.write_text(json.dumps(metadata))
    assert prepare_clips("paired_actions", manual_dir=root, data_dir=tmp_path) == found


def test_the_actors_of_the_embedded_set(tmp_path, monkeypatch):
    """Kept with the frames and cut like them: here the frames show nothing but the actor, in white."""
    rendered = synthetic_actions(takes=1, actors=(40,), num_frames=2, height=30).select(split="test")

    def white(record):
        return white_frames(record.load_mask())

    shown = tuple(dataclasses.replace(record, load=partial(white, record)) for record in rendered.records[:4])
    shown = dataclasses.replace(rendered, records=shown)
    monkeypatch.setattr("jaxsal.datasets.builders.synthetic_actions", lambda **options: shown)
    whole = prepared_clips(prepare_clips("synthetic_actions", data_dir=tmp_path, num_frames=2).folder)
    square = prepared_clips(prepare_clips("synthetic_actions", data_dir=tmp_path, size=20).folder)
    for record, stored, cut in zip(shown.records, whole.records, square.records, strict=True):
        np.testing.assert_array_equal(stored.load_mask(), record.load_mask())
        assert cut.load_mask().shape == (2, 20, 20)
        assert cut.load_mask().any()
        np.testing.assert_array_equal(cut.load_mask(), cut.load()[..., 0] >= 128)
        assert (stored.scene, cut.scene) == (record.scene, record.scene)


def test_a_config_holds_one_set(prepared, tmp_path):
    root, data_dir, found = prepared
    assert prepare_clips("multispectral_actions", manual_dir=root, data_dir=data_dir) == found
    other = layouts.study_folder(tmp_path / "other")
    message = "`config` must be new; got 'multispectral_actions/full', which has source .*, not .*other"
    with pytest.raises(ValueError, match=message):
        prepare_clips("multispectral_actions", manual_dir=other, data_dir=data_dir)
    prepare_clips("multispectral_actions", manual_dir=root, data_dir=tmp_path, size=8, config="small")
    with pytest.raises(ValueError, match="'multispectral_actions/small', which has size 8, not 9"):
        prepare_clips("multispectral_actions", manual_dir=root, data_dir=tmp_path, size=9, config="small")


@pytest.fixture
def copied(prepared, tmp_path):
    return Path(shutil.copytree(prepared[2].folder, tmp_path / "copy"))


def test_a_missing_shard(copied):
    next(copied.glob("*-test.array_record*")).unlink()
    with pytest.raises(ValueError, match="`data` must be whole; got none or an empty multispectral_actions-test.array"):
        prepared_clips(copied)


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_shard(copied, damage):
    shard = next(copied.glob("*-train.array_record*"))
    content = bytearray(shard.read_bytes())
    half = len(content) // 2
    content[half] ^= 0x40
    shard.write_bytes(content if damage == "flip" else content[:half])
    records = prepared_clips(copied).select(split="train").records
    with pytest.raises(ValueError, match="`data` must be whole; got no clip clip.* out of"):
        [record.load() for record in records]


def test_a_killed_preparation_leaves_no_set(tmp_path):
    root = layouts.study_folder(tmp_path / "study")
    (root / "TV" / "clip3" / "0001.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="0001.png"):
        prepare_clips("multispectral_actions", manual_dir=root, data_dir=tmp_path)
    assert list_prepared(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("kinetics", {}, ValueError, "`name` must be one of .*; got 'kinetics'"),
        ("multispectral_actions", {}, ValueError, "`manual_dir` must be the folder of the recordings for multi.*None"),
        ("synthetic_actions", dict(manual_dir="x"), ValueError, "`manual_dir` must be left out for synthetic.*got x"),
        ("paired_actions", dict(manual_dir="nowhere"), FileNotFoundError, "`manual_dir` must be a folder; got nowhere"),
        ("synthetic_actions", dict(size=9, config="full"), ValueError, "`config` must not be 'full', .*; got 9"),
        ("synthetic_actions", dict(antialias=True), ValueError, "`antialias` must come with a `size` to resize to"),
        ("synthetic_actions", dict(num_frames=0), ValueError, "`num_frames` must be at least 1; got 0"),
        ("paired_actions", dict(manual_dir=".", num_frames=3), ValueError, "`num_frames` must be left out for pair"),
    ],
)
def test_what_cannot_be_prepared(tmp_path, name, options, error, message):
    with pytest.raises(error, match=message):
        prepare_clips(name, data_dir=tmp_path, **options)


def test_a_set_that_is_not_prepared(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="`data` must be prepared .`jaxsal data prepare synthetic_actions`"):
        open_clips("synthetic_actions", height=1)
