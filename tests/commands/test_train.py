"""`jaxsal train` on own recordings, and `jaxsal evaluate` of the network."""

import csv
import dataclasses
import json

import pytest

import runs
from jaxsal.training.checkpoint import open_checkpoint

SIZES = ["--width", "2", "--num-frames", "4", "--size", "18", "--crop", "16"]
STEPS = ["--num-steps", "4", "--batch-size", "4", "--save-every", "2"]
SMALL = ["--clips-per-spectrum", "2", "--num-masks", "8", "--num-steps", "3", "--grid-shape", "2", "2", "2"]


@pytest.mark.usefixtures("tiny_networks")
def test_train_then_evaluate(run, dry_run, tmp_path):
    data, trained, table = runs.save_recordings(tmp_path / "data"), tmp_path / "run", tmp_path / "table"
    words = ["train", "--data", data, "--spectra", "TV", "--output", trained, *SIZES, *STEPS]
    plan = dry_run(*words)
    assert (plan["steps"], plan["steps_done"]) == (4, 0)
    printed = run(*words)
    assert set(plan["files"]) == {path.name for path in trained.iterdir()}
    assert dry_run(*words)["steps_done"] == 4
    assert "TV network, TV clips: test accuracy" in printed
    assert "TV network, IR clips: test accuracy" in printed
    assert "chance 0.500" in printed

    words = ["evaluate", "--checkpoint", trained, "--data", data, "--output", table, "--sampling", "sobol", *SMALL]
    words += ["--method", "gradcam", "rise"]
    assert dry_run(*words)["clips"] == 4
    found = json.loads(run(*words, "--json"))
    assert len(found["clips"]) == 4
    (row,) = (row for row in found["table"] if (row["spectrum"], row["method"]) == ("IR", "RISE"))
    assert row["num_clips"] == 2
    assert row["deletion"]["low"] <= row["deletion"]["mean"] <= row["deletion"]["high"]
    contrast = row["insertion"]["contrasts"]["random"]
    assert 0 < contrast["p_value"] <= contrast["p_holm"] <= 1
    results = list(csv.DictReader((table / "results.csv").read_text().splitlines()))
    methods = {"Grad-CAM", "RISE"}
    maps = {*methods, "random", "smooth", *(f"{method} of another clip" for method in methods)}
    assert {row["method"] for row in results} == maps
    assert len(results) == 4 * len(maps)
    made_by = json.loads((table / "run.json").read_text())
    assert_provenance(made_by)
    assert sorted(made_by["recordings"]) == sorted(clip["name"] for clip in found["clips"])
    for excerpt in made_by["recordings"].values():  # overlays are of the recordings' own frames
        assert (excerpt["size"], excerpt["cut"][:2], excerpt["frames"]) == ([20, 24], [18, 16], [1, 2, 3, 4])


def assert_provenance(made_by):
    """The network, its training, the options in force and the program."""
    assert made_by["network"]["spectra"] == "TV"
    assert made_by["training"]["versions"]["jaxsal"]
    assert made_by["versions"]["jax"]
    assert "cpu: cpu" in made_by["devices"]
    assert "git_revision" in made_by
    assert len(made_by["weights"]) == 64
    explaining = made_by["explaining"]
    assert (explaining["rise"]["num_masks"], explaining["rise"]["grid_shape"]) == (8, [2, 2, 2])
    assert explaining["rise"]["keep_prob"] == 0.1
    assert (explaining["rise"]["sampling"], explaining["precision"]) == ("sobol", "float32")
    assert [explaining[name]["baseline"] for name in ("deletion", "insertion")] == ["mean", "blur"]
    assert explaining["deletion"]["num_steps"] == 3


@pytest.mark.usefixtures("tiny_networks")
def test_train_on_one_channel(run, tmp_path):
    data = runs.save_recordings(tmp_path / "data")
    words = ["train", "--data", data, "--channels", "1", "--output", tmp_path / "run", *SIZES, *STEPS]
    assert "IRTV network, IR clips: test accuracy" in run(*words)
    with pytest.raises(SystemExit):
        run(*words, "--spectra", "FUSED")


def test_a_run_starts_from_another_with_a_new_head(run, dry_run, refused, tmp_path):
    """Its clips are cut as those of the first, here with frames from all of a recording; the head alone is fitted."""
    spec = dataclasses.replace(runs.SPEC, classes=("a", "b", "c"), num_frames=3, stride=2)
    runs.save_untrained(tmp_path / "first", spec)
    data = runs.save_recordings(tmp_path / "data")
    options = ["--data", data, "--start", tmp_path / "first", "--trained", "head"]
    assert dry_run("train", *options, "--output", tmp_path / "second")["steps"] == 1
    printed = run("train", *options, "--frames", "spread", "--output", tmp_path / "second")
    assert "test accuracy" in printed
    found = open_checkpoint(tmp_path / "second").spec
    assert found == dataclasses.replace(spec, classes=runs.CLASSES, frames="spread", stride=1)
    words = ["--data", data, "--start", tmp_path / "second", "--fusion", "channels", "--output", tmp_path / "x"]
    (note,) = dry_run("train", *words, "--spectra", "FUSED")["notes"]
    assert note == "Trains a tiny on 6 clips of FUSED and tests it on 6."
    grey, fused = tmp_path / "grey", tmp_path / "fused"
    runs.save_untrained(grey, dataclasses.replace(runs.SPEC, mean=(0.5,), std=(0.5,)))
    runs.save_untrained(fused, dataclasses.replace(runs.SPEC, spectra="FUSED"))
    for words, message in (
        (["--start", fused], f"`--start` must be of one spectrum at a time, as --spectra; got {fused}"),
        (["--start", grey, "--spectra", "FUSED"], f"must take colour clips for --spectra FUSED; got {grey}, of one"),
        (["--trained", "last"], "`--trained` must be all without --start; got last"),
        (["--start", "a", "--init", "b"], "`--start` must not come with --init; got a and b"),
    ):
        assert message in refused("train", "--data", data, *words, "--output", tmp_path / "third")[1]
