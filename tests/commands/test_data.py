"""`jaxsal data` as a user types it, and a training on what it prepared."""

import json
import re

import numpy as np
import pytest

import layouts

TABLE = """\
| class | train IR | train TV | test IR | test TV |
|---|--:|--:|--:|--:|
| down | 1 | 1 | 1 | 1 |
| up | 1 | 1 | 1 | 1 |
"""


@pytest.mark.usefixtures("tiny_networks")
def test_prepare_list_info_train(tmp_path, monkeypatch, run):
    root, data_dir, losses = layouts.study_folder(tmp_path / "study"), tmp_path / "data", []
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    assert run("data", "list") == f"Nothing is prepared in {data_dir}.\n"
    folder = data_dir / "multispectral_actions" / "square18" / "1.0.0"
    printed = run("data", "prepare", "multispectral_actions", "--manual-dir", root, "--size", "18")
    assert printed == f"multispectral_actions/square18 in {folder}: 8 clips\n\n{TABLE}"
    assert run("data", "info", "multispectral_actions") == printed
    assert run("data", "list") == f"multispectral_actions/square18  {folder}\n"
    sizes = ["--width", "2", "--num-frames", "4", "--size", "18", "--crop", "16"]
    steps = ["--num-steps", "4", "--batch-size", "4", "--save-every", "2"]
    for way in ([], ["--stream"]):
        folder = tmp_path / f"run{len(way)}"
        words = ["train", "--data", "multispectral_actions", "--spectra", "TV", "--output", folder]
        printed = run(*words, *steps, *sizes, *way)
        assert re.search(r"TV network, TV clips: test accuracy.*\nWaited for input: \d+.\d % of", printed)
        losses.append([json.loads(line)["loss"] for line in (folder / "history.jsonl").read_text().splitlines()])
    assert losses[0] == losses[1]


def test_a_set_that_is_not_prepared_says_how_to_prepare_it(tmp_path, monkeypatch, refused):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    message = "jaxsal: `NAME` must be prepared (`jaxsal data prepare multispectral_actions"
    assert refused("data", "info", "multispectral_actions")[1].startswith(message)


def test_a_folder_is_checked(tmp_path, run):
    (tmp_path / "TV").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (6, 8, 10, 3), dtype=np.uint8)
    np.save(tmp_path / "TV" / "a.npy", noise)
    (tmp_path / "segments.csv").write_text("recording;label;split;tv_start;tv_end\na;walk;train;0;3\na;walk;test;3;6\n")
    printed = run("data", "check", tmp_path)
    assert "| walk | 0 | 1 | 0 | 1 |" in printed
    assert "TV: 2 clips of 3 to 3 frames, 10x8, frames per second: unknown" in printed
    assert printed.rstrip().endswith("No problems.")
    assert json.loads(run("data", "check", tmp_path, "--json"))["problems"] == []
