"""A small folder of recordings made on the fly: what is listed, what is read, what is refused."""

import json
import pickle
import unicodedata

import numpy as np
import pytest
from PIL import Image

from jaxsal.datasets.paired import paired_actions, stored_value_ranges

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


@pytest.mark.parametrize("content", ["", HEADER, HEADER + "\n,,,,,,\n"])
def test_empty_table(root, content):
    (root / "segments.csv").write_text(content)
    with pytest.raises(ValueError, match=r"`segments\.csv` must (have the columns|hold at least one row)"):
        paired_actions(root)
    (root / "segments.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"`root` must hold segments\.csv; got "):
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
    write_segments(root, ["a,b,c"], header)
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
        ("morning,walk,train,2s,1s,2,8", "`ir_start` and `ir_end` must be .*; got '2s' and '1s'"),
        (
            "../IR/morning,walk,train,,,,",
            "`recording` must have a file .*; got '../IR/morning'. Did you mean 'morning'?",
        ),
        ("evening2,walk,train,,,,", "`recording` must have a file .*; got 'evening2'. Did you mean 'evening.2'?"),
        ("morning,fall,train,0,4,,", "must differ from the rows before; got 'morning:0-4:IR' again"),
        ("twice,walk,train,,,,", r"`recording` must match one file in IR/; got \['twice.mp4', 'twice.npy'\]"),
        ("morning,jump,train,0,4,2,8", r"`label` must be one of \('walk', 'fall'\); got 'jump'"),
    ],
)
def test_wrong_row_is_named_by_its_number(root, row, message):
    write_segments(root, [*ROWS, row])
    for name in ("twice.mp4", "twice.npy"):
        (root / "IR" / name).write_bytes(b"")
    with pytest.raises(ValueError, match=rf"Row 6 of `segments\.csv`:? {message}"):
        paired_actions(root, classes=("walk", "fall"))


def test_unknown_spectrum(root):
    with pytest.raises(ValueError, match=r"`value_ranges` must name spectra out of \('IR', 'TV'\); got 'NIR'"):
        paired_actions(root, value_ranges={"NIR": (0, 1)})
    (root / "spectra.json").write_text('{"ir": {}}')
    with pytest.raises(ValueError, match=r"`spectra\.json` must name spectra out of .*; got 'ir'"):
        paired_actions(root)


@pytest.mark.parametrize(
    ("encoding", "separator"),
    [("utf-8", "\t"), ("utf-8-sig", ","), ("utf-16", ";"), ("utf-16-le", ","), ("latin-1", ";")],
)
def test_tables_of_any_spreadsheet(root, encoding, separator):
    """Its encoding, its separator, blanks, whole numbers with a point, short and empty lines, an unknown column.

    And accents as macOS writes them in file names.
    """
    (root / "IR" / "morning.npy").rename(root / "IR" / unicodedata.normalize("NFD", "Abend ü.npy"))
    lines = [f"{HEADER}, remark", "Abend ü, müde,train,0.0,4.0", ",,,,,,,", "morning,walk,test,,,2,8,good"]
    text = "\r\n".join(line.replace(",", separator) for line in lines)
    (root / "segments.csv").write_bytes(text.encode(encoding))
    clips = paired_actions(root)
    assert clips.classes == ("müde", "walk")
    assert [r.name for r in clips.records] == ["Abend ü:0-4:IR", "morning:2-8:TV"]
    assert len(clips.records[0].load()) == 4


def test_seconds_are_looked_up_in_the_recording(root):
    np.savez(root / "IR" / "timed.npz", frames=np.zeros((6, 4, 6), np.uint8), seconds=np.arange(6) / 2)
    write_segments(root, ["timed,walk,train,1s,2.5s,,"])
    (record,) = paired_actions(root).records
    assert record.name == "timed:1s-2.5s:IR"
    assert len(record.load()) == 3


def test_names_that_become_one_file_are_told_at_once(root):
    for name in ("cam 1", "cam_1"):
        np.save(root / "TV" / f"{name}.npy", np.zeros((3, 4, 6), np.uint8))
    write_segments(root, ["cam 1,walk,test,,,,", "cam_1,walk,test,,,,"])
    with pytest.raises(ValueError, match=r"Row 3 of .* got 'cam_1:0-end:TV' and 'cam 1:0-end:TV', both .*Rename"):
        paired_actions(root)


def test_a_cell_too_many_is_named(root):
    write_segments(root, ["morning,walk,train,0,4,2,8,more"])
    with pytest.raises(ValueError, match=r"`segments\.csv` must have 7 cells a row at most; got 'more' .* line 2 of"):
        paired_actions(root)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_value_ranges_in_any_encoding(root, encoding):
    (root / "spectra.json").write_text('{"IR": {"value_range": "auto"}, "TV": {"value_range": [0, 5]}}', encoding)
    assert stored_value_ranges(root) == {"IR": "auto", "TV": (0, 5)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"IR": {"value_range": [0, 100]},}', r"`spectra\.json` must be JSON; got .*spectra\.json, where line 1"),
        ("[1, 2]", r"`spectra\.json` must be an object; got .*\[1, 2\]"),
        ('{"IR": [0, 100]}', r"must give IR a value_range of two numbers, low < high, or .auto.; got \[0, 100\] in "),
        ('{"TV": {"value_range": [5, 5]}}', "must give TV a value_range"),
        ('{"TV": {"range": [5, 9]}}', "must give TV a value_range"),
        ('{"TV": {"value_range": ["a", 9]}}', "must give TV a value_range"),
    ],
)
def test_wrong_settings_are_refused_with_an_example(root, text, message):
    (root / "spectra.json").write_text(text)
    with pytest.raises(ValueError, match=message + r'(.|\n)*An example: \{"IR": \{"value_range"'):
        paired_actions(root)
