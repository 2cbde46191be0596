"""The commands as a user types them, on tiny networks and clips."""

import json

import numpy as np
import pytest

import runs
from jaxsal import cli
from jaxsal.report.tables import results_from_csv
from jaxsal.train import train

SMALL = ["--num-masks", "8", "--num-steps", "3", "--grid-shape", "2", "2", "2"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(runs.SPEC, runs.OPTIONS, runs.loaded(), folder)
    return folder


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    monkeypatch.setattr("jaxsal.devices.use_all_cores", lambda: None)


def recordings(folder):
    """A user's folder of paired recordings, two classes, both splits."""
    lines = ["recording,label,split,ir_start,ir_end,tv_start,tv_end"]
    for number, record in enumerate(r for r in runs.clip_set(6).records if r.spectrum == "TV"):
        label, split = runs.CLASSES[record.label], record.split
        for spectrum, grey in (("IR", True), ("TV", False)):
            (folder / spectrum).mkdir(parents=True, exist_ok=True)
            np.save(folder / spectrum / f"r{number}.npy", runs.moving_bar(record.label, number, grey))
        lines.append(f"r{number},{label},{split},,,,")
    (folder / "segments.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_train_then_evaluate_on_own_recordings(tmp_path, capsys):
    data = str(recordings(tmp_path / "data"))
    sizes = ["--width", "2", "--num-frames", "4", "--size", "18", "--crop", "16"]
    steps = ["--num-steps", "4", "--batch-size", "4", "--save-every", "2"]
    cli.main(["train", "--data", data, "--spectra", "TV", "--output", str(tmp_path / "run"), *sizes, *steps])
    printed = capsys.readouterr().out
    assert "TV network, TV clips: test accuracy" in printed
    assert "TV network, IR clips: test accuracy" in printed
    assert "chance 0.500" in printed
    common = ["--checkpoint", str(tmp_path / "run"), "--data", data, "--output", str(tmp_path / "table")]
    cli.main(["evaluate", *common, "--clips-per-spectrum", "2", *SMALL])
    assert "RISE" in capsys.readouterr().out
    results = results_from_csv(tmp_path / "table" / "results.csv")
    assert {row.method for row in results} == {"Grad-CAM", "RISE", "SIDU", "random"}
    assert len(results) == 4 * 4
    made_by = json.loads((tmp_path / "table" / "run.json").read_text())
    assert made_by["network"]["spectra"] == "TV"
    assert made_by["training"]["versions"]["jaxsal"]
    assert len(made_by["weights_sha256"]) == 64


def test_explain_both_spectra(run_folder, tmp_path, capsys):
    np.save(tmp_path / "seen.npy", runs.moving_bar(1, 5, False))
    np.save(tmp_path / "warm.npy", runs.moving_bar(1, 5, True).astype(np.float32)[..., 0] / 10 + 20)
    arguments = [str(tmp_path / "seen.npy"), "--infrared", str(tmp_path / "warm.npy"), "--value-range", "20", "46"]
    arguments += ["--checkpoint", str(run_folder), "--output", str(tmp_path / "out"), "--method", "gradcam", "rise"]
    cli.main(["explain", *arguments, *SMALL, "--target", "up"])
    printed = capsys.readouterr().out
    assert "warm-IR: " in printed
    assert "explained: up" in printed
    files = {file.relative_to(tmp_path / "out").parts[0] for file in (tmp_path / "out").rglob("*.*")}
    assert files == {
        *("results.csv", "table.md", "table.csv", "table.png", "run.json"),
        *("curves-IR.png", "curves-TV.png", "overlays", "explanations"),
    }
    suffixes = sorted(file.suffix for file in (tmp_path / "out" / "overlays").iterdir())
    assert suffixes == [".gif", ".gif", ".png", ".png"]


@pytest.mark.parametrize(
    ("network", "sizes"),
    [("resnet3d18", dict(num_frames=4, size=20, crop=16)), ("pan", dict(num_frames=8, size=36, crop=32))],
)
def test_demo_writes_its_folder(tmp_path, monkeypatch, capsys, network, sizes):
    """The demo's own code on fewer, smaller clips of the embedded set."""
    import dataclasses

    from jaxsal import demo

    preset = demo.PRESETS[network]
    smaller = demo.Preset(
        preset.network | dict(width=2) | sizes,
        dataclasses.replace(preset.training, batch_size=4),
        dataclasses.replace(preset.explaining, num_masks=8, num_steps=3),
    )
    monkeypatch.setitem(demo.PRESETS, network, smaller)
    whole = demo.open_clips

    def fewer(*arguments, **options):
        clip_set = whole(*arguments, **options)
        return dataclasses.replace(clip_set, records=tuple(r for r in clip_set.records if "take0-" in r.name)[::3])

    monkeypatch.setattr(demo, "open_clips", fewer)
    cli.main(["demo", "--network", network, "--output", str(tmp_path), "--num-steps", "2", "--clips-per-spectrum", "2"])
    printed = capsys.readouterr().out
    assert "Test accuracy IR" in printed
    assert "Grad-CAM" in printed
    assert "floor" in printed
    assert len(list((tmp_path / "overlays").glob("*.gif"))) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "lime"], "`method` must be one of"),
        (["--target", "sideways"], r"`target` must be one of \('down', 'up'\) or a number below 2; got 'sideways'"),
        (["--recipe", "mine"], "`recipe` must be one of"),
        (["--spectrum", "UV"], "`spectrum` must be one of"),
        (["--keep-prob", "0"], r"`keep_prob` must be in \(0, 1\]; got 0.0"),
        (["--animation", "webp"], "`animation` must be one of"),
    ],
)
def test_an_error_is_one_line(run_folder, tmp_path, capsys, arguments, message):
    import re

    np.save(tmp_path / "seen.npy", runs.moving_bar(1, 5, False))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["explain", str(tmp_path / "seen.npy"), "--checkpoint", str(run_folder), *arguments])
    assert stopped.value.code == 1
    errors = capsys.readouterr().err
    assert re.search(f"^jaxsal: {message}", errors)
    assert errors.count("\n") == 1


def test_spectra_that_are_not_there(run_folder, tmp_path, capsys):
    """Training on a spectrum that the recordings lack, and an infrared CLIP with an infrared partner."""
    import shutil

    data = recordings(tmp_path / "data")
    shutil.rmtree(data / "IR")
    for arguments, message in (
        (["train", "--data", str(data), "--output", str(tmp_path / "run")], "`spectra` must be present in the train"),
        (
            ["explain", "a.npy", "--spectrum", "IR", "--infrared", "b.npy", "--checkpoint", str(run_folder)],
            "`--infrared` must come with a visible CLIP",
        ),
        (["evaluate", "--checkpoint", str(run_folder)], "`data` must have the checkpoint's classes"),
        (["evaluate", "--checkpoint", str(run_folder), "--clips-per-spectrum", "0"], "`clips_per_spectrum` must be"),
    ):
        with pytest.raises(SystemExit):
            cli.main(arguments)
        assert message in capsys.readouterr().err


def test_missing_files_are_named(run_folder, tmp_path, capsys):
    for clip, checkpoint, message in (
        (tmp_path / "none.mp4", run_folder, "none.mp4"),
        (tmp_path, tmp_path / "none", "`checkpoint` must be a folder with a checkpoint"),
    ):
        with pytest.raises(SystemExit):
            cli.main(["explain", str(clip), "--checkpoint", str(checkpoint)])
        assert message in capsys.readouterr().err


def test_debug_shows_where(run_folder, tmp_path):
    with pytest.raises(FileNotFoundError):
        cli.main(["explain", str(tmp_path / "none.mp4"), "--checkpoint", str(run_folder), "--debug"])


def test_json_for_machines(run_folder, tmp_path, capsys):
    np.save(tmp_path / "seen.npy", runs.moving_bar(1, 5, False))
    arguments = [str(tmp_path / "seen.npy"), "--checkpoint", str(run_folder), "--output", str(tmp_path / "out")]
    cli.main(["explain", *arguments, "--method", "gradcam", "--num-steps", "3", "--json"])
    (clip,) = json.loads(capsys.readouterr().out)["clips"]
    assert clip["name"] == "seen-TV"
    assert sum(clip["probabilities"].values()) == pytest.approx(1)
    assert set(clip["methods"]) == {"Grad-CAM", "random"}
    assert 0 <= clip["methods"]["Grad-CAM"]["deletion"] <= 1
    typed = json.loads((tmp_path / "out" / "run.json").read_text())["command"]
    assert typed.startswith("jaxsal explain")


def test_words_that_are_no_command_end_with_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["demonstrate"])
    assert stopped.value.code == 2
    assert "demo" in capsys.readouterr().err


def test_an_interrupted_run_ends_with_130(monkeypatch, capsys):
    def interrupt(command):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.Demo, "run", interrupt)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["demo"])
    assert stopped.value.code == 130
    assert "goes on where it was" in capsys.readouterr().err
