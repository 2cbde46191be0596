"""The layer, the target and the names of the classes, as a user chooses them for one clip and for a set."""

import json

import pytest

import sweeps

QUICK = ["--method", "gradcam", "--controls", "smooth", "--num-steps", "3"]
CHOSEN = ["--layer", "stem_conv", "--classes", "left", "right", "--target"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A folder of recordings whose labels are other words than those of the network."""
    folder = tmp_path_factory.mktemp("set")
    sweeps.make_recordings(folder)
    segments = folder / "data" / "segments.csv"
    segments.write_text(segments.read_text().replace(",down,", ",left,").replace(",up,", ",right,"))
    return folder / "data"


def test_explain(run_folder, seen, run, dry_run, refused, tmp_path):
    words = ["explain", seen, "--checkpoint", run_folder, *QUICK, "--output", tmp_path / "out"]
    (clip,) = json.loads(run(*words, *CHOSEN, "right", "--json"))["clips"]
    assert (clip["target"], set(clip["probabilities"])) == ("right", {"left", "right"})
    done = [dry_run(*words, *CHOSEN, "1")["clips_done"], dry_run(*words, *CHOSEN, "left")["clips_done"]]
    assert [*done, dry_run(*words, "--target", "1")["clips_done"]] == [1, 0, 0]  # another class; another layer
    assert "`--classes` must be 2 different names" in refused(*words, "--classes", "left")[1]
    assert "Did you mean 'stem_conv'?" in refused(*words, "--layer", "stem_con")[1]


def test_evaluate(run_folder, recordings, run, dry_run, refused, tmp_path):
    words = ["evaluate", "--checkpoint", run_folder, "--data", recordings, "--clips-per-spectrum", "1", *QUICK]
    words += ["--output", tmp_path / "out"]
    clips = json.loads(run(*words, *CHOSEN, "right", "--json"))["clips"]
    assert [(clip["spectrum"], clip["target"]) for clip in clips] == [("IR", "right"), ("TV", "right")]
    assert {clip["label"] for clip in clips} <= {"left", "right"}
    done = [dry_run(*words, *CHOSEN, "1")["clips_done"], dry_run(*words, *CHOSEN, "left")["clips_done"]]
    other = dry_run(*words, "--classes", "left", "right", "--target", "1")["clips_done"]
    assert [*done, other] == [2, 0, 0]
    assert "`--data` must have the checkpoint's classes ('down', 'up')" in refused(*words)[1]
    assert "`--target` must be one of ('left', 'right')" in refused(*words, *CHOSEN, "up")[1]
