"""`jaxsal explain --window`: a long recording window by window."""

import csv
import dataclasses
import itertools
import json
import re

import numpy as np
import pytest

import processes
import runs
from jaxsal.training.networks import NetworkSpec

SMALL = ["--num-steps", "3", "--controls", "smooth", "--clips-per-batch", "1"]


@pytest.fixture
def long(tmp_path):
    """Twelve frames at four a second; later ones are brighter."""
    frames = np.concatenate([runs.moving_bar(1, 5, False) // 2, runs.moving_bar(0, 6, False)])
    np.savez(tmp_path / "long.npz", frames=frames, seconds=np.arange(12) / 4)
    return tmp_path / "long.npz"


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_long_recording(run_folder, long, run, dry_run, refused, tmp_path):
    output = tmp_path / "out"
    words = ["explain", long, "--checkpoint", run_folder, *SMALL, "--method", "gradcam", "--output", output]
    words += ["--window", "6", "--hop", "3", "--overlays", "0", "1.4s", "1.5s"]
    plan = dry_run(*words)
    assert (plan["clips"], plan["clips_done"]) == (3, 0)
    assert plan["passes"] == 3 * (1 + 2 + 2 * 2 * 1)
    assert "TV 3 to 8 0.75 to 2.00" in plan["notes"]

    printed = run(*words).splitlines()

    assert printed[0].split() == ["window", "seconds", "best", "class", "probability"]
    windows = [" ".join(line.split()[:7]) for line in printed[1:4]]
    assert windows == ["TV 0 to 5 0.00 to 1.25", "TV 3 to 8 0.75 to 2.00", "TV 6 to 11 1.50 to 2.75"]
    assert {path.name for path in output.iterdir()} == set(plan["files"])
    assert dry_run(*words)["passes"] == 0
    drawn = [path.name[: len("long-000000-000006")] for path in sorted((output / "overlays").glob("*.gif"))]
    assert drawn == [f"long-{place}" for place in PLACES[:2]]
    assert len(list((output / "overlays").glob("*.png"))) == 2
    windows, moments = rows_of(output / "windows.csv"), rows_of(output / "timeline-TV.csv")
    assert [row["window"] for row in windows] == [f"long-{place}-TV" for place in PLACES]
    assert [row["frame"] for row in moments] == [str(number) for number in range(12)]
    shares = [float(moments[0][f"probability of {name}"]) for name in runs.CLASSES]
    assert sum(shares) == pytest.approx(1)
    assert max(shares) == pytest.approx(float(windows[0]["probability"]), abs=1e-5)
    assert all(float(row["energy of Grad-CAM"]) >= 0 for row in moments)
    run("report", output, "--scenes", "2")
    (data,) = re.findall(r'id="strip-data" type="application/json">(.*)</script>', (output / "report.html").read_text())
    assert [window["scene"] for window in json.loads(data)["windows"]] == [1, None, 2]
    np.savez(long, frames=255 - np.load(long)["frames"], seconds=np.arange(12) / 4)
    assert "must be of the recording that was explained; got another at" in refused("report", output)[1]


def test_a_window_is_what_its_part_of_the_recording_is(run_folder, long, run, tmp_path):
    """A window of six frames, every third frame, and the same frames by --start and --stop."""
    words = ["explain", long, "--checkpoint", run_folder, *SMALL, "--method", "gradcam", "--json", "--start", "3"]
    whole = json.loads(run(*words, "--window", "6", "--output", tmp_path / "whole"))
    part = json.loads(run(*words, "--stop", "9", "--output", tmp_path / "part"))
    assert [clip["name"] for clip in whole["clips"]] == ["long-000003-000009-TV", "long-000006-000012-TV"]
    assert whole["clips"][0]["probabilities"] == part["clips"][0]["probabilities"]
    assert whole["clips"][0]["methods"]["Grad-CAM"] == part["clips"][0]["methods"]["Grad-CAM"]


PLACES = ("000000-000006", "000003-000009", "000006-000012")


def test_two_recordings_of_a_scene(run_folder, long, run, tmp_path):
    warm, output = tmp_path / "long_ir.npy", tmp_path / "out"
    np.save(warm, np.arange(6 * 20 * 24, dtype=np.float32).reshape(6, 20, 24))
    words = ["explain", long, "--infrared", warm, "--fps", "4", "2", "--value-range", "auto", *SMALL]
    words += ["--checkpoint", run_folder, "--method", "gradcam", "--window", "auto", "--output", output]
    printed = run(*words)
    windows = [" ".join(line.split()[:4]) for line in printed.splitlines()[1:5]]
    assert windows == ["IR 0 to 6", "IR 4 to 10", "TV 0 to 6", "TV 4 to 10"]
    assert [row["frame"] for row in rows_of(output / "timeline-IR.csv")] == ["0", "1", "2", "3", "4", "5"]
    assert {path.name for path in output.glob("*.mp4")} == {"recording-IR.mp4", "recording-TV.mp4"}


def test_a_network_of_both_spectra(long, run, dry_run, refused, tmp_path):
    """One row for each window, films and timelines of each spectrum, both in one player."""
    fused, output, warm = tmp_path / "fused", tmp_path / "out", tmp_path / "long_ir.npz"
    runs.save_untrained(fused, dataclasses.replace(runs.SPEC, spectra="FUSED"))
    np.savez(warm, frames=np.load(long)["frames"][..., 0], seconds=np.arange(12) / 4)
    words = ["explain", long, "--checkpoint", fused, *SMALL, "--method", "gradcam", "--window", "6"]
    assert "`--infrared` must be given for a network of both spectra" in refused(*words)[1]
    words += ["--infrared", warm, "--output", output]
    printed = run(*words)
    assert [" ".join(line.split()[:4]) for line in printed.splitlines()[1:3]] == ["FUSED 0 to 5", "FUSED 6 to 11"]
    assert dry_run(*words)["passes"] == 0
    infrared, visible = (rows_of(output / f"timeline-{spectrum}.csv") for spectrum in ("IR", "TV"))
    assert [row["probability of up"] for row in infrared] == [row["probability of up"] for row in visible]
    assert [row["energy of Grad-CAM"] for row in infrared] != [row["energy of Grad-CAM"] for row in visible]
    run("report", output)
    page = (output / "report.html").read_text()
    assert [page.count(f'"caption":"{spectrum}"') for spectrum in ("IR", "TV")] == [2, 2]


STUCK = """
import itertools, time
from jaxsal.training.networks import NetworkSpec
clip, calls = NetworkSpec.clip, itertools.count()
def clip_or_wait(*arguments):
    if next(calls) == 3:
        print("stuck", flush=True)
        time.sleep(600)
    return clip(*arguments)
NetworkSpec.clip = clip_or_wait
"""


def interrupted(words, refused, monkeypatch):
    """Control-C when the fourth window is read."""
    clip, calls = NetworkSpec.clip, itertools.count()

    def clip_or_stop(*arguments):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return clip(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkSpec, "clip", clip_or_stop)
        assert refused(*words)[0] == 130


def killed(words, refused, monkeypatch):
    """SIGKILL when the fourth window is read."""
    process = processes.launch_words(words, before=STUCK)
    assert process.stdout.readline() == "stuck\n"
    processes.stop([process])


@pytest.mark.parametrize(
    "stopped", [interrupted, pytest.param(killed, marks=[pytest.mark.nightly, pytest.mark.process])]
)
def test_a_stopped_run_loses_no_window(stopped, run_folder, long, run, dry_run, refused, monkeypatch, tmp_path):
    """The first three of seven windows are done, and not computed again."""
    words = ["explain", long, "--checkpoint", run_folder, *SMALL, "--method", "gradcam", "--window", "6", "--hop", "1"]
    begun, whole = [*words, "--output", tmp_path / "begun"], [*words, "--output", tmp_path / "whole"]
    stopped(begun, refused, monkeypatch)
    plan = dry_run(*begun)
    assert (plan["clips"], plan["clips_done"]) == (7, 3)
    assert plan["passes"] == dry_run(*whole)["passes"] * 4 // 7
    run(*begun)
    run(*whole)
    assert len(list((tmp_path / "begun" / "results" / "parts").iterdir())) == 1
    for name in ("windows.csv", "timeline-TV.csv", "table.csv"):
        assert (tmp_path / "begun" / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_lengths_that_are_refused(run_folder, long, refused):
    words = ["explain", long, "--checkpoint", run_folder, "--dry-run"]
    for typed, message in [
        (["--window", "2"], "`--window` must hold at least 4 frames, which the network takes; got 2 with 2: 'auto' is"),
        (["--window", "2s", "--hop", "3"], "`--hop` must be in the unit of `--window`, '2s'; got 3."),
        (
            ["--window", "6", "--overlays", "12"],
            "`--overlays` must lie in a window, in frames 0 to 11 (0.00 to 2.75 s);",
        ),
        (["--window", "6", "--start", "4", "--overlays", "0.5s"], "`--overlays` must lie in a window, in frames 4 to"),
        (["--overlays", "3"], "`--overlays` must come with --window; got 3 alone."),
    ]:
        assert refused(*words, *typed)[1].startswith(f"jaxsal: {message}"), refused(*words, *typed)
