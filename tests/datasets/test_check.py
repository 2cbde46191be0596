"""A folder of recordings read as training would: what is found in it."""

import numpy as np
import pytest

from jaxsal.datasets.check import check_folder


@pytest.fixture
def root(tmp_path):
    """Two recordings of the visible spectrum, one of the infrared, one that no row names, one with NaN."""
    noise = np.random.default_rng(0).integers(0, 255, (12, 8, 10, 3), dtype=np.uint8)
    for spectrum in ("IR", "TV"):
        (tmp_path / spectrum).mkdir()
    np.savez(tmp_path / "TV" / "a.npz", frames=noise, seconds=np.arange(12) / 25)
    np.save(tmp_path / "TV" / "b.npy", noise[:6])
    np.save(tmp_path / "TV" / "spare.npy", noise)
    np.save(tmp_path / "IR" / "a.npy", noise[..., 0])
    np.save(tmp_path / "IR" / "b.npy", np.full((4, 8, 10), np.nan))
    (tmp_path / "spectra.json").write_text('{"IR": {"value_range": [0, 300]}}')
    rows = ["recording,label,split", "a,walk,train", "b,fall,test"]
    (tmp_path / "segments.csv").write_text("\n".join(f"{row},{c}" for row, c in zip(rows, COLUMNS, strict=True)))
    return tmp_path


COLUMNS = ("ir_start,ir_end,tv_start,tv_end", "0,8,2,9", ",,,")


def test_what_is_found_is_what_training_would_read(root):
    read = []
    found = check_folder(root, lambda: read.append(1))
    assert len(read) == len(found.clips.records) == 4
    assert (found.spectra["TV"].lengths, found.spectra["TV"].sizes, found.spectra["TV"].rates) == (
        [7, 6],
        {(10, 8)},
        {25},
    )
    assert (found.spectra["IR"].lengths, found.spectra["IR"].rates) == ([8], set())


def test_problems_are_listed_each_once(root):
    problems = check_folder(root).problems
    assert len(problems) == len(set(problems)) == 4
    assert "b:0-end:IR: `path` must hold numbers" in problems[0]
    assert "frame 0 has NaN in row 0, column 0" in problems[0]
    assert problems[1:] == (
        "The train split has no clip of fall.",
        "The test split has no clip of walk.",
        "TV/ has 1 entries that no row names, such as spare.npy.",
    )
