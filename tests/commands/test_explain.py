"""`jaxsal explain`: one recording, or two of one scene."""

import json

import numpy as np
import pytest

import runs

SMALL = ["--num-masks", "8", "--num-steps", "3", "--grid-shape", "2", "2", "2"]


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
