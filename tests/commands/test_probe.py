"""`jaxsal data probe`: what sets of clips give away; the embedded set, of which nothing but order tells a direction."""

import json

import numpy as np

import runs
from jaxsal.commands.probe import probe_set
from jaxsal.datasets.synthetic import synthetic_actions


def test_no_part_of_the_embedded_clips_tells_the_direction_of_an_action():
    """8 test actors: the accuracy in a pair has a standard error of 0.06."""
    clip_set = synthetic_actions(num_frames=6, height=16, actors=[*range(4), *range(32, 40)])

    parts, cues = probe_set(clip_set, 6)

    assert len(parts.lines) == 12
    for part, _, *shares in parts.lines:
        if part not in ("whole clip", "first and last frame"):
            np.testing.assert_allclose(shares[::2], 0.5, atol=0.13)
        assert max(shares[1::2]) < 0.6  # of eight classes at most those of a pair are alike
    by_cue = {name: values for name, *values in cues.lines}
    np.testing.assert_allclose(by_cue["brightness"][::2], 0.5, atol=0.15)
    assert max(by_cue["centre"]) < 0.85


def test_a_folder_of_recordings_is_probed_too(tmp_path, run):
    """The moving bar of the toy set is at the top or at the bottom in its first frame."""
    folder = runs.save_recordings(tmp_path / "data")

    found = json.loads(run("data", "probe", folder, "--num-frames", "6", "--json"))

    assert list(found) == ["parts"]
    shares = {(line["part"], line["probe"]): line["IR, 2 classes"] for line in found["parts"]}
    assert shares["first frame", "linear"] == 1
