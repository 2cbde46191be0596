"""`jaxsal data` as a user types it, and a training on what it prepared."""

import json
import re

import pytest

import layouts
from jaxsal.commands import cli

TABLE = """\
| class | train IR | train TV | test IR | test TV |
|---|--:|--:|--:|--:|
| down | 1 | 1 | 1 | 1 |
| up | 1 | 1 | 1 | 1 |
"""


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)
    return tmp_path / "data"


def test_prepare_list_info_train(tmp_path, data_dir, capsys):
    root, losses = layouts.study_folder(tmp_path / "study"), []
    cli.main(["data", "list"])
    assert capsys.readouterr().out == f"Nothing is prepared in {data_dir}.\n"
    cli.main(["data", "prepare", "multispectral_actions", "--manual-dir", str(root), "--size", "18"])
    folder = data_dir / "multispectral_actions" / "square18" / "1.0.0"
    printed = capsys.readouterr().out
    assert printed == f"multispectral_actions/square18 in {folder}: 8 clips\n\n{TABLE}"
    cli.main(["data", "info", "multispectral_actions"])
    assert capsys.readouterr().out == printed
    cli.main(["data", "list"])
    assert capsys.readouterr().out == f"multispectral_actions/square18  {folder}\n"
    sizes = ["--width", "2", "--num-frames", "4", "--size", "18", "--crop", "16"]
    steps = ["--num-steps", "4", "--batch-size", "4", "--save-every", "2"]
    for way in ([], ["--stream"]):
        folder = tmp_path / f"run{len(way)}"
        words = ["--data", "multispectral_actions", "--spectra", "TV", "--output", str(folder)]
        cli.main(["train", *words, *steps, *sizes, *way])
        assert re.search(
            r"TV network, TV clips: test accuracy.*\nWaited for input: \d+.\d % of", capsys.readouterr().out
        )
        losses.append([json.loads(line)["loss"] for line in (folder / "history.jsonl").read_text().splitlines()])
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "kinetics"], "jaxsal: `NAME` must be one of ('multispectral_actions', "),
        (["info", "multispectral_actions"], "jaxsal: `NAME` must be prepared (`jaxsal data prepare multispectral_a"),
    ],
)
def test_an_error_is_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit):
        cli.main(["data", *arguments])
    errors = capsys.readouterr().err
    assert errors.startswith(message)
    assert errors.count("\n") == 1
