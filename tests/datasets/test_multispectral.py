"""The study's layout: what is listed, what is read, what is refused."""

import pickle

import numpy as np
import pytest
from PIL import Image

import layouts
import runs
from jaxsal.datasets.multispectral import multispectral_folder


@pytest.fixture
def root(tmp_path):
    return layouts.study_folder(tmp_path)


def test_every_clip_is_there_in_both_spectra(root):
    clips = multispectral_folder(root)
    assert clips.classes == ("down", "up")
    assert [(r.name, r.label, r.spectrum, r.split) for r in clips.records] == [
        (f"clip{number}-{spectrum}", number % 2, spectrum, "train" if number < 2 else "test")
        for number in range(4)
        for spectrum in ("IR", "TV")
    ]


def test_frames_are_those_of_the_pictures(root):
    infrared, visible = pickle.loads(pickle.dumps(multispectral_folder(root).records[2:4]))
    np.testing.assert_array_equal(infrared.load(), runs.moving_bar(1, 1, True))
    np.testing.assert_array_equal(visible.load(), runs.moving_bar(1, 1, False))


def test_frames_of_sixteen_bits_are_stretched_as_the_folder_says(root):
    counts = np.uint16(3000) + np.arange(24, dtype=np.uint16)
    for path in (root / "IR" / "clip0").iterdir():
        Image.fromarray(np.broadcast_to(10 * counts, (20, 24)).copy()).save(path)
    assert np.ptp(multispectral_folder(root).records[0].load()) < 2
    (root / "spectra.json").write_text('{"IR": {"value_range": [30000, 30230]}}')
    infrared, visible = multispectral_folder(root).records[:2]
    np.testing.assert_array_equal(infrared.load()[0, 0, :, 0], np.rint(np.arange(24) * 255 / 23))
    np.testing.assert_array_equal(visible.load(), runs.moving_bar(0, 0, False))
    (root / "spectra.json").write_text('{"UV": {}}')
    with pytest.raises(ValueError, match=r"`spectra.json` must name spectra out of .*; got 'UV'"):
        multispectral_folder(root)


def test_a_file_of_classes_sets_their_order(root):
    (root / "classes.txt").write_text("up\nsideways\ndown\n")
    clips = multispectral_folder(root)
    assert clips.classes == ("up", "sideways", "down")
    assert [r.label for r in clips.records] == [2, 2, 0, 0, 2, 2, 0, 0]


@pytest.mark.parametrize(
    ("file", "text", "error", "message"),
    [
        ("train.txt", "clip0\n", ValueError, "`train.txt` must have a clip and its action in line 1; got 'clip0'"),
        ("test.txt", "clip0 down\n", ValueError, "`test.txt` must list clips once, in one split; got 'clip0' again"),
        ("train.txt", ".. down\n", ValueError, "`train.txt` must name folders of IR and TV; got '..' in line 1"),
        ("test.txt", "clip9 down\n", FileNotFoundError, "`test.txt` must list clips that are there; got no .*IR/clip9"),
        ("classes.txt", "down\n", ValueError, r"`train.txt` must name actions out of \('down',\); got 'up' for 'clip"),
    ],
)
def test_lists_that_do_not_fit(root, file, text, error, message):
    (root / file).write_text(text)
    with pytest.raises(error, match=message):
        multispectral_folder(root)


def test_a_missing_list(root):
    (root / "test.txt").unlink()
    with pytest.raises(FileNotFoundError, match="`manual_dir` must hold test.txt; got"):
        multispectral_folder(root)


def test_a_missing_frame(root):
    (root / "TV" / "clip0" / "0002.png").unlink()
    with pytest.raises(ValueError, match="must hold frames numbered from 0 without a gap; got no 0002.png"):
        multispectral_folder(root).records[1].load()
