"""A small folder of recordings made on the fly: what is listed, what is read, what is refused."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from jaxsal.datasets.paired import paired_actions

HEADER = "recording,label,split,ir_start,ir_end,tv_start,tv_end"
ROWS = [
    "morning,walk,train,0,4,2,8",
    "morning,fall,test,4,6,8,12",
    "evening.2,walk,test,,,,",
    "visible only,walk,train,1,2,1,3",
]


@pytest.fixture
def root(tmp_path):
    """Recordings `morning` (arrays, both spectra), `evening.2` (images, both) and `visible only`."""
    for spectrum, length in (("IR", 6), ("TV", 12)):
        folder = tmp_path / spectrum
        (folder / "evening.2").mkdir(parents=True)
        for t in range(3):
            Image.fromarray(np.full((4, 6), 10 * t, np.uint8)).save(folder / "evening.2" / f"{t}.png")
        frames = np.arange(length, dtype=np.uint8)[:, None, None].repeat(4, axis=1).repeat(6, axis=2)
        np.save(folder / "morning.npy", frames)
    np.save(tmp_path / "TV" / "visible only.npy", np.zeros((3, 4, 6), np.uint8))
    (tmp_path / "TV" / "morning.txt").write_text("notes are no recording")
    write_segments(tmp_path)
    return tmp_path


def write_segments(root, rows=ROWS, header=HEADER):
    (root / "segments.csv").write_text("\n".join([header, *rows]) + "\n")


def test_segments_become_records_of_each_spectrum_they_have(root):
    clips = paired_actions(root)
    assert clips.classes == ("fall", "walk")
    assert [(r.name, r.label, r.spectrum, r.split) for r in clips.records] == [
        ("morning:0-4:IR", 1, "IR", "train"),
        ("morning:2-8:TV", 1, "TV", "train"),
        ("morning:4-6:IR", 0, "IR", "test"),
        ("morning:8-12:TV", 0, "TV", "test"),
        ("evening.2:0-end:IR", 1, "IR", "test"),
        ("evening.2:0-end:TV", 1, "TV", "test"),
        ("visible only:1-3:TV", 1, "TV", "train"),
    ]


def test_a_column_says_who_is_seen_else_every_segment_is_its_own(root):
    write_segments(root, [f"{ROWS[0]},Ada", f"{ROWS[1]},Ada", f"{ROWS[2]},"], f"{HEADER},actor")
    ada, evening = ["Ada"] * 4, ["evening.2:row 4"] * 2
    assert [record.actor for record in paired_actions(root).records] == ada + evening
    write_segments(root)
    assert len({record.actor for record in paired_actions(root).records}) == 4


def test_records_load_their_frames_also_after_pickling(root):
    clips = {r.name: r for r in pickle.loads(pickle.dumps(paired_actions(root))).records}
    np.testing.assert_array_equal(clips["morning:4-6:IR"].load()[:, 0, 0, 0], [4, 5])
    np.testing.assert_array_equal(clips["morning:8-12:TV"].load()[:, 0, 0, 0], [8, 9, 10, 11])
    np.testing.assert_array_equal(clips["evening.2:0-end:IR"].load()[:, 3, 5, 2], [0, 10, 20])


def test_classes_set_the_order_of_the_labels(root):
    clips = paired_actions(str(root), classes=["walk", "sit", "fall"])
    assert clips.classes == ("walk", "sit", "fall")
    assert [r.label for r in clips.records] == [0, 0, 2, 2, 0, 0, 0]


def test_value_ranges_map_raw_counts(root):
    np.save(root / "IR" / "morning.npy", np.arange(2000, 2600, 100, dtype=np.int16)[:, None, None] * np.ones((4, 6)))
    (root / "spectra.json").write_text(json.dumps({"IR": {"value_range": [2000, 2255]}}))
    stored = paired_actions(root).records[0].load()
    np.testing.assert_array_equal(stored[:, 0, 0, 0], [0, 100, 200, 255])
    given = paired_actions(root, value_ranges={"IR": (2000, 2510)}).records[0].load()
    np.testing.assert_array_equal(given[:, 0, 0, 0], [0, 50, 100, 150])


def test_table_of_a_spreadsheet(root):
    """A byte order mark, blanks after commas, an unknown column, short and empty lines."""
    text = f"\ufeff{HEADER}, remark\nmorning, walk, train, 0, 4, 2, 8, good\n,,,,,,,\nevening.2,walk,test\n"
    (root / "segments.csv").write_text(text, encoding="utf-8")
    assert [r.name for r in paired_actions(root).records] == [
        "morning:0-4:IR",
        "morning:2-8:TV",
        "evening.2:0-end:IR",
        "evening.2:0-end:TV",
    ]


def test_spectrum_without_columns_is_not_there(root):
    write_segments(root, ["morning,walk,train,2,8"], "recording,label,split,tv_start,tv_end")
    clips = paired_actions(root)
    assert [r.name for r in clips.records] == ["morning:2-8:TV"]
    with pytest.raises(ValueError, match="`spectra` must be present in the train split; got no IR clip"):
        clips.select(split="train", spectra=["IR"])


def test_missing_spectrum_of_one_split_is_refused_when_selected(root):
    write_segments(root, ["visible only,walk,train,,,,", "morning,walk,test,,,,"])
    clips = paired_actions(root)
    assert [r.name for r in clips.select(split="test").records] == ["morning:0-end:IR", "morning:0-end:TV"]
    with pytest.raises(ValueError, match="got no IR clip"):
        clips.select(split="train", spectra=["IR", "TV"])


def test_missing_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`root` must hold segments\.csv; got "):
        paired_actions(tmp_path)


@pytest.mark.parametrize("content", ["", HEADER, HEADER + "\n,,,,,,\n"])
def test_empty_table(root, content):
    (root / "segments.csv").write_text(content)
    with pytest.raises(ValueError, match=r"`segments\.csv` must (have the columns|hold at least one row)"):
        paired_actions(root)


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("recording,ir_start,ir_end", r"\['label', 'split'\]"),
        ("recording,label,split,ir_start", r"\['ir_end'\]"),
        ("recording,label,split,start,end", r"\['ir_start', 'ir_end', 'tv_start', 'tv_end'\]"),
    ],
)
def test_missing_columns_are_named(root, header, missing):
    write_segments(root, ["a,b,c,d"], header)
    with pytest.raises(ValueError, match=rf"`segments\.csv` must have the columns {missing}; got \['recording'"):
        paired_actions(root)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("morning,walk,validation,0,4,2,8", "`split` must be one of .*'train', 'test'.*; got 'validation'"),
        ("noon,walk,train,0,4,2,8", "`recording` must have a file in IR/ or TV/; got 'noon'"),
        ("morning,walk,train,-1,4,2,8", "`ir_start` and `ir_end` must be .*; got '-1' and '4'"),
        ("morning,walk,train,1,5,8,2", "`tv_start` and `tv_end` must be .*; got '8' and '2'"),
        ("morning,walk,train,3,3,2,8", "`ir_start` and `ir_end` must be .*; got '3' and '3'"),
        ("morning,walk,train,0,,2,8", "`ir_start` and `ir_end` must be .*; got '0' and ''"),
        ("morning,walk,train,0,4.5,2,8", "`ir_start` and `ir_end` must be .*; got '0' and '4.5'"),
        ("morning,jump,train,0,4,2,8", r"`label` must be one of \('walk', 'fall'\); got 'jump'"),
    ],
)
def test_wrong_row_is_named_by_its_number(root, row, message):
    write_segments(root, [*ROWS, row])
    with pytest.raises(ValueError, match=rf"Row 6 of `segments\.csv`: {message}"):
        paired_actions(root, classes=("walk", "fall"))


def test_row_must_differ_from_the_rows_before(root):
    write_segments(root, [*ROWS, "morning,fall,train,0,4,,"])
    with pytest.raises(ValueError, match=r"Row 6 of .* must differ from the rows before; got 'morning:0-4:IR' again"):
        paired_actions(root)


def test_two_files_of_one_recording(root):
    (root / "IR" / "morning.mp4").write_bytes(b"")
    with pytest.raises(ValueError, match=r"must match one file in IR/; got \['morning.mp4', 'morning.npy'\]"):
        paired_actions(root)


def test_unknown_spectrum(root):
    with pytest.raises(ValueError, match=r"`value_ranges` must name spectra out of \('IR', 'TV'\); got 'NIR'"):
        paired_actions(root, value_ranges={"NIR": (0, 1)})
    (root / "spectra.json").write_text('{"ir": {}}')
    with pytest.raises(ValueError, match=r"`spectra\.json` must name spectra out of .*; got 'ir'"):
        paired_actions(root)
