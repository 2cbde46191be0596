"""The experiment on baselines: rankings of maps, the clips, and a whole run of a small classifier."""

import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import toys
from jaxsal.datasets.synthetic import ACTION_PAIRS
from jaxsal.training.networks import NetworkSpec

sys.path.append(str(Path(__file__).parents[2] / "experiments" / "trust"))
import baselines
import clips
import ranking

GRID = (2, 1, 3)
SPEC = NetworkSpec(clips.ACTIONS, width=2, num_frames=4, size=24, crop=16)


def result(actor, order):
    """A clip whose three maps agree with the truth in turn; deletion ranks them as `order` says."""
    maps = dict(good=[1.0, 2.0, 3.0], fair=[1.0, 3.0, 2.0], bad=[3.0, 2.0, 1.0])
    areas = dict(deletion=dict(zip(maps, order, strict=True)), insertion=dict.fromkeys(maps, 0.5))
    truths = {swap: dict(values={"probability": [0.0, 0.1, 0.2]}) for swap in clips.SWAPS}
    return ranking.ClipResult("a", "IR", actor, 0, 0, maps, truths, {"zero": areas}, {"zero": 0.1})


def test_a_low_deletion_is_good_and_a_measure_without_opinion_is_zero():
    results = [result("actor1", (0.1, 0.2, 0.3)), result("actor1", (0.3, 0.2, 0.1)), result("actor2", (0.1, 0.2, 0.3))]
    variant = ranking.Variant("partner")
    found = ranking.taus(results, variant, "zero", "deletion")
    np.testing.assert_allclose(found, [1, -1, 1])
    assert ranking.mean_over(results, found).mean == pytest.approx(1 / 3)
    np.testing.assert_allclose(ranking.taus(results, variant, "zero", "insertion"), 0)
    np.testing.assert_allclose(ranking.taus(results, variant, "zero", "difference"), [1, -1, 1])


def test_swaps_are_of_the_same_actor_room_and_camera():
    for subject in clips.subjects(SPEC, 0, 16):
        action, scene = subject.name.split("-", 1)
        partner, other_action = (subject.swaps[swap].name.split("-", 1) for swap in clips.SWAPS)
        assert {action, partner[0]} in [set(pair) for pair in ACTION_PAIRS]
        assert partner[1] == other_action[1] == scene
        assert len({action, partner[0], other_action[0]}) == 3
        assert subject.other.label != subject.label
        assert subject.other.actor != subject.actor
        assert subject.record.split == "test"


def test_clips_take_turns_between_spectra_and_come_back_in_the_other():
    num_scenes = len({subject.actor for subject in clips.subjects(SPEC, 0, 32)})
    found = clips.subjects(SPEC, 0, 2 * num_scenes)
    once, again = found[:num_scenes], found[num_scenes:]
    assert [subject.spectrum for subject in once] == ["IR", "TV"] * (num_scenes // 2)
    assert [subject.spectrum for subject in again] == ["TV", "IR"] * (num_scenes // 2)
    assert [subject.record.scene for subject in once] == [subject.record.scene for subject in again]
    assert clips.subjects(SPEC, 0, 1)[0].name == found[0].name
    everything = [subject.name for subject in clips.subjects(SPEC, 0, 16 * num_scenes)]
    assert len(set(everything)) == len(everything)


def test_there_are_so_many_clips():
    with pytest.raises(ValueError, match="`num_clips` must be from 1 to [0-9]+; got 0"):
        clips.subjects(SPEC, 0, 0)


def test_a_network_of_other_classes_is_refused():
    with pytest.raises(ValueError, match="`checkpoint` must be of the embedded actions"):
        clips.subjects(NetworkSpec(("a", "b")), 0, 1)


CONFIG = baselines.Config(num_clips=2, grid=GRID, num_players=4, num_orders=8, num_masks=8, num_steps=3, chunk_size=4)


def test_a_whole_run_and_its_resumption(tmp_path, monkeypatch, capsys):
    """Of a classifier of block means, since a network would take longer to compile than to run."""
    classifier = toys.pooling_classifier(head=jax.random.normal(jax.random.key(0), (3, 8)), cells=(2, 4, 4))
    spec = SimpleNamespace(classes=clips.ACTIONS, size=18, num_frames=4, classifier=lambda variables: classifier)
    monkeypatch.setattr(baselines, "open_checkpoint", lambda folder: SimpleNamespace(spec=spec, variables={"a": 0.0}))
    monkeypatch.setattr(baselines, "load", lambda spec, record: noise(record.name))
    monkeypatch.setattr(baselines, "NAMED", ("mean", "blur", "time_mean"))
    found = baselines.run(CONFIG, tmp_path, tmp_path)
    again = baselines.run(CONFIG, tmp_path, tmp_path)
    assert capsys.readouterr().err.count(" of 2 clips") == 2
    assert again == found
    assert {len(result.cells) for result in found} == {14}
    text = baselines.write_tables(found, tmp_path)
    baselines.draw(found, tmp_path / "baselines.png")
    assert "| time_mean | " in text
    assert (tmp_path / "baselines.csv").read_text().count("\n") == 1 + 8 * 3 * 5
    assert (tmp_path / "baselines.png").stat().st_size > 10_000


def noise(name):
    return np.random.default_rng(list(name.encode())).random((4, 16, 16, 3), np.float32)
