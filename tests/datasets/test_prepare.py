"""The scripts under data/ bring small stand-ins of their sources into the paired layout."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxsal.datasets.paired import paired_actions

DATA = Path(__file__).parents[2] / "data"


def load_script(name):
    spec = importlib.util.spec_from_file_location(f"prepare_{name}", DATA / name / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fir_action(tmp_path):
    """Recordings a and b in both spectra, c in the visible one; the label sit is never tested."""
    source = tmp_path / "source"
    for folder in ("ir", "visible"):
        (source / folder).mkdir(parents=True)
    for name in "ab":
        celsius = np.full((4, 24, 32), 2900, np.int16)
        np.savez(source / "ir" / f"{name}.npz", centi_celsius=celsius, seconds=np.arange(4.0))
    for name in "abc":
        (source / "visible" / f"{name}.mp4").write_bytes(b"")
    rows = [
        "recording,label,ir_start,ir_end,visible_start,visible_end,kind",
        "a,walk,0,2,0,6,paired",
        "a,fall,2,4,6,12,paired",
        "b,walk,0,3,0,9,paired",
        "b,fall,0,2,0,6,paired",
        "c,fall,1,3,3,9,visible-only (approximate)",
        "c,sit,3,4,9,12,visible-only (approximate)",
        "b,walk,3,4,9,12,paired",
    ]
    (source / "segments.csv").write_text("\n".join(rows) + "\n")
    return source


def names(clips):
    return [(r.name, clips.classes[r.label], r.split) for r in clips.records]


def test_fir_action(fir_action, tmp_path, capsys):
    load_script("fir_action").prepare(fir_action, tmp_path / "dest", test_recordings=("a",))
    clips = paired_actions(tmp_path / "dest")
    assert [" ".join(name) for name in names(clips)] == [
        *("a:0-2:IR walk test", "a:0-6:TV walk test", "a:2-4:IR fall test", "a:6-12:TV fall test"),
        *("b:0-3:IR walk train", "b:0-9:TV walk train", "b:0-2:IR fall train", "b:0-6:TV fall train"),
        *("c:3-9:TV fall train", "b:3-4:IR walk train", "b:9-12:TV walk train"),
    ]
    frames = clips.records[0].load()
    assert frames.shape == (2, 24, 32, 3)
    assert set(frames.ravel().tolist()) == {round(255 * (2900 - 2500) / 800)}
    assert "| fall | 1 | 2 | 1 | 1 |" in capsys.readouterr().out


def test_fir_action_of_paired_recordings_and_frequent_classes(fir_action, tmp_path):
    options = dict(test_recordings=("a",), paired_only=True, min_paired=3)
    load_script("fir_action").prepare(fir_action, tmp_path / "dest", **options)
    clips = paired_actions(tmp_path / "dest")
    assert clips.classes == ("walk",)
    assert {r.name[0] for r in clips.records} == {"a", "b"}


def test_fir_action_refuses_unknown_recordings_and_a_used_folder(fir_action, tmp_path):
    prepare = load_script("fir_action").prepare
    with pytest.raises(ValueError, match=r"`test_recordings` must be out of \['a', 'b', 'c'\]; got 'z'"):
        prepare(fir_action, tmp_path / "dest", test_recordings=("z",))
    with pytest.raises(ValueError, match="`dest` must not exist yet"):
        prepare(fir_action, fir_action, test_recordings=("a",))


@pytest.fixture
def weizmann(tmp_path):
    """Strips of three frames whose grey is the frame's number."""
    source = tmp_path / "source"
    (source / "bend").mkdir(parents=True)
    rows = ["file,action,actor,frames"]
    for actor in ("actor03", "actor04"):
        strip = np.repeat(np.arange(3, dtype=np.uint8), 64)[None].repeat(64, axis=0)
        Image.fromarray(strip).save(source / "bend" / f"{actor}_bend.png")
        rows.append(f"bend/{actor}_bend.png,bend,{actor},3")
    (source / "clips.csv").write_text("\n".join(rows) + "\n")
    return source


def test_weizmann(weizmann, tmp_path, capsys):
    load_script("weizmann").prepare(weizmann, tmp_path / "dest", test_actors=("actor04",))
    clips = paired_actions(tmp_path / "dest")
    assert names(clips) == [("actor03_bend:0-3:TV", "bend", "train"), ("actor04_bend:0-3:TV", "bend", "test")]
    expected = np.broadcast_to(np.arange(3)[:, None, None, None], (3, 64, 64, 3))
    np.testing.assert_array_equal(clips.records[1].load(), expected)
    assert "bend: 1 test clips" in capsys.readouterr().out


def test_weizmann_refuses_unknown_actors_odd_strips_and_a_used_folder(weizmann, tmp_path):
    prepare = load_script("weizmann").prepare
    with pytest.raises(ValueError, match=r"`test_actors` must be out of \['actor03', 'actor04'\]; got 'x'"):
        prepare(weizmann, tmp_path / "dest", test_actors=("x",))
    with pytest.raises(ValueError, match="`dest` must not exist yet"):
        prepare(weizmann, weizmann, test_actors=("actor04",))
    (weizmann / "clips.csv").write_text("file,action,actor,frames\nbend/actor03_bend.png,bend,actor03,5\n")
    with pytest.raises(ValueError, match="must be 5 frames wide; got 192 pixels"):
        prepare(weizmann, tmp_path / "dest", test_actors=("actor03",))
