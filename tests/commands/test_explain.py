"""`jaxsal explain`: one recording, or two of one scene."""

import json

import numpy as np
import pytest

import runs
from jaxsal.commands import cli
from jaxsal.report import folder
from jaxsal.training.torch_file import write_for_torch

SMALL = ["--num-masks", "8", "--num-steps", "3", "--grid-shape", "2", "2", "2"]


@pytest.mark.usefixtures("figures")
def test_both_spectra(run_folder, seen, run, dry_run, tmp_path):
    warm, output = tmp_path / "warm.npy", tmp_path / "out"
    np.save(warm, runs.moving_bar(1, 5, True).astype(np.float32)[..., 0] / 10 + 20)
    words = ["explain", seen, "--infrared", warm, "--value-range", "20", "46", "--checkpoint", run_folder, *SMALL]
    words += ["--output", output, "--method", "gradcam", "rise"]
    plan = dry_run(*words, "--target", "up")
    assert (plan["clips"], plan["clips_done"]) == (2, 0)
    # Per clip: the clip itself, RISE, what replaces it in two baselines, the middle of two curves of four maps.
    assert plan["passes"] == 2 * (1 + 8 + 2 + 2 * 4 * 1)

    printed = run(*words, "--target", "up")

    assert "warm-IR: " in printed
    assert "explained: up" in printed
    assert set(plan["files"]) == {path.name for path in output.iterdir()}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in output.glob("*.png"))
    assert {path.name for path in output.glob("*.*")} == {
        *("results.csv", "table.md", "table.tex", "table.csv", "table.png", "run.json"),
        *("curves-IR.png", "curves-TV.png"),
    }
    assert sorted(path.suffix for path in (output / "overlays").iterdir()) == [".gif", ".gif", ".png", ".png"]
    again = dry_run(*words, "--target", "up")
    assert (again["clips_done"], again["passes"]) == (2, 0)
    assert dry_run(*words, "--target", "down")["clips_done"] == 0


def test_json_for_machines(run_folder, seen, run, tmp_path):
    words = ["explain", seen, "--checkpoint", run_folder, "--output", tmp_path / "out"]
    (clip,) = json.loads(run(*words, "--method", "gradcam", "--num-steps", "3", "--json"))["clips"]
    assert clip["name"] == "seen-TV"
    assert sum(clip["probabilities"].values()) == pytest.approx(1)
    assert set(clip["methods"]) == {"Grad-CAM", "random", "smooth"}
    assert 0 <= clip["methods"]["Grad-CAM"]["deletion"] <= 1
    assert json.loads((tmp_path / "out" / "run.json").read_text())["command"].startswith("jaxsal explain")


def test_maps_are_drawn_on_the_recording_or_on_the_input(run_folder, seen, run, monkeypatch, tmp_path):
    """The recording has frames of 20 x 24 pixels, of which the network sees 16 x 16."""
    drawn = []
    monkeypatch.setattr(folder, "save_animation", lambda path, rows, **shown: drawn.append((rows, shown)))
    words = ["explain", seen, "--checkpoint", run_folder, "--method", "gradcam", "--num-steps", "3"]
    for on in ("recording", "input"):
        run(*words, "--controls", "smooth", "--start", "1", "--on", on, "--output", tmp_path / on)
    (own, shown), (seen_part, _) = drawn
    assert [rows["Grad-CAM"].shape for rows in (own, seen_part)] == [(4, 20, 24, 3), (4, 16, 16, 3)]
    assert list(own) == ["recording", "Grad-CAM"]
    assert (own["recording"][:, 10, [2, 20]] == 255).all()  # the edge of what the network saw
    assert list(shown["labels"]) == ["1", "2", "3", "4"]


def test_notes_are_said_before_and_without_computing(run_folder, seen, dry_run, capsys, tmp_path):
    counts = tmp_path / "seen_ir.npy"
    np.save(counts, runs.moving_bar(1, 5, True).astype(np.uint16)[..., 0] + 29_000)
    words = ["explain", seen, "--infrared", counts, "--value-range", "auto", "--checkpoint", run_folder, *SMALL]
    words += ["--start", "1", "--method", "gradcam", "--controls", "smooth", "--output", tmp_path / "out"]
    notes = dry_run(*words)["notes"]
    assert any("percentiles of the frames taken of" in note for note in notes)
    assert any(note.startswith("IR: ") and str(counts) in note for note in notes)
    cli.main([str(word) for word in words])
    said = capsys.readouterr().err
    assert all(f"jaxsal: note: {note}" in said for note in notes)


@pytest.mark.filterwarnings("default")
def test_warnings_are_notes(run_folder, seen, capsys):
    cli.main(["explain", str(seen), "--checkpoint", str(run_folder), "--start", "3", "--dry-run"])
    said = "jaxsal: note: 1 of 4 frames of the window are missing; the first and last are repeated.\n"
    assert capsys.readouterr().err == said


def test_refusals_name_the_option(run_folder, seen, refused, tmp_path):
    words = ["explain", seen, "--checkpoint", run_folder, "--dry-run"]
    for typed, message in [
        (["--start", "1m"], "`--start` must be a frame, such as 12, or seconds, such as 12.5s; got '1m'."),
        (["--infrared", seen], "`--infrared` must be another recording than the visible one; got "),
        (["--infrared-offset", "2"], "`--infrared-offset` must come with --infrared; got 2.0 alone."),
        (["--fps", "25", "30"], "`--fps` must have 1 value at most; got (25.0, 30.0)."),
        (["--start", "1s"], "`--start` must be a frame in a recording without times; got '1s': `--fps` says"),
    ]:
        assert refused(*words, *typed)[1].startswith(f"jaxsal: {message}"), refused(*words, *typed)


def test_a_weight_file_is_a_checkpoint(seen, dry_run, tmp_path):
    """A file of PyTorch needs no `jaxsal convert` before."""
    file = tmp_path / "network.safetensors"
    write_for_torch(runs.of_zeros(runs.RESNET), file)
    words = ["explain", seen, "--checkpoint", file, "--output", tmp_path / "out", "--target", "down"]
    assert dry_run(*words, "--method", "rise", *SMALL)["clips"] == 1
