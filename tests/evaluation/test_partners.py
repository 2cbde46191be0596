"""The control `other`: which clip's map it is, its results against the method's own curves, resumed and shared out."""

import dataclasses

import jax
import numpy as np
import pytest

import sweeps
import toys
from jaxsal import deletion
from jaxsal.engine.chunks import ChunkSizes
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.config import MethodGrid, SweepConfig
from jaxsal.evaluation.explain import explain_all, explaining_groups
from jaxsal.evaluation.maps import read_map
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.partners import partners_of, why_no_partner
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.progress import Progress
from jaxsal.evaluation.results import open_results
from jaxsal.evaluation.run import Run
from jaxsal.evaluation.runner import run_tasks
from jaxsal.evaluation.status import status
from jaxsal.evaluation.store import Store

pytestmark = pytest.mark.usefixtures("no_shape_checks")
CLIP = np.asarray(jax.random.uniform(jax.random.key(1), (4, 6, 9, 3)))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
OPTIONS = ExplainOptions(
    method=("gradcam", "rise"),
    controls=("other",),
    num_masks=20,
    grid_shape=(2, 3, 3),
    keep_prob=0.5,
    num_steps=5,
    clips_per_batch=2,
)
STEPS = 2 * (5 - 2)


def case(name, label, spectrum="TV", turn=0):
    return Case(name, spectrum, label, lambda: np.roll(CLIP, turn, axis=1))


def cases(labels=(0, 1, 1, 2)):
    return [case(f"clip {n}", label, turn=n) for n, label in enumerate(labels)]


def names(found):
    return {name: partner.name for name, partner in found.items()}


def test_the_partner_is_the_next_clip_of_another_class_and_spectrum():
    clips = [case(*of) for of in (("a", 0), ("b", 0), ("x", 5, "IR"), ("c", 1), ("y", 6, "IR"), ("d", 1), ("e", 0))]
    within = {"x": "y", "y": "x"}
    assert names(partners_of(clips, 0)) == {"a": "c", "b": "c", "c": "e", "d": "e", "e": "c"} | within
    assert names(partners_of(clips, 1)) == {"a": "c", "b": "d", "c": "e", "d": "a", "e": "c"} | within


def test_partners_are_of_another_class_whatever_the_seed_and_the_order():
    rng = np.random.default_rng(0)
    for seed in range(20):
        clips = cases(rng.integers(0, 3, 9).tolist())
        labels = {clip.name: clip.label for clip in clips}
        found = partners_of(clips, seed)
        assert len(found) == 9
        assert all(labels[name] != partner.label for name, partner in found.items())


def test_without_another_class_or_a_label_there_is_none_and_the_reason_is_said(tmp_path, capsys):
    assert partners_of(cases((1, 1)), 0) == {}
    assert why_no_partner(cases((1, 1))) == (
        "The control `other` is left out for TV clips: the run has no clip of another class."
    )
    assert "the true class of a clip is not known" in why_no_partner(cases((0, -1)))
    assert why_no_partner(cases()) == ""
    mixed = [case("x", 2, "IR"), *cases((0, 1))]
    found = explain_all(CLASSIFIER, mixed, OPTIONS, tmp_path, progress=True)
    assert (
        "The control `other` is left out for IR clips: the run has no clip of another class" in capsys.readouterr().err
    )
    assert list(found[0].maps) == ["Grad-CAM", "RISE"]
    assert list(found[1].maps) == ["Grad-CAM", "RISE", "Grad-CAM of another clip", "RISE of another clip"]
    plan, tasks = make_plan(explaining_groups(CLASSIFIER, CLIP.shape, mixed, OPTIONS), Store(str(tmp_path)))
    assert (plan.results, plan.results_done, tasks) == (2 + 4 + 4, 10, [])


def test_its_curves_are_those_of_the_other_clips_map_at_no_pass_but_the_curves(tmp_path, passes):
    found = explain_all(CLASSIFIER, cases(), dataclasses.replace(OPTIONS, controls=()), tmp_path)
    passes.clear()
    groups = explaining_groups(CLASSIFIER, CLIP.shape, cases(), OPTIONS)
    plan, tasks = make_plan(groups, Store(str(tmp_path)), keep_clips=True)
    assert plan.passes == 4 * 2 * STEPS
    assert all(task.later for task in tasks)
    found = explain_all(CLASSIFIER, cases(), OPTIONS, tmp_path)
    assert sum(passes) == plan.passes
    for number, partner in enumerate((1, 3, 3, 0)):
        for method in ("Grad-CAM", "RISE"):
            saliency = found[number].maps[f"{method} of another clip"]
            np.testing.assert_array_equal(saliency, found[partner].maps[method])
        curve = deletion(CLASSIFIER, found[number].clip, saliency, found[number].target, num_steps=5)
        np.testing.assert_allclose(found[number].curves["RISE of another clip"][0].scores, curve.scores, rtol=1e-5)
    passes.clear()
    explain_all(CLASSIFIER, cases(), OPTIONS, tmp_path)
    assert passes == []


def test_it_is_made_again_with_another_partner_or_where_the_partner_changed(tmp_path, passes):
    explain_all(CLASSIFIER, cases(), OPTIONS, tmp_path)
    passes.clear()
    explain_all(CLASSIFIER, cases()[:2], OPTIONS, tmp_path)  # the second now has the first as its partner
    assert sum(passes) == 2 * 2 * STEPS
    changed = [*cases()[:3], case("clip 3", 2, turn=5)]
    found = explain_all(CLASSIFIER, changed, OPTIONS, tmp_path)
    for number in (1, 2):
        np.testing.assert_array_equal(found[number].maps["RISE of another clip"], found[3].maps["RISE"])


def test_it_waits_for_maps_that_another_job_makes(tmp_path):
    groups = explaining_groups(CLASSIFIER, CLIP.shape, cases(), OPTIONS)
    store = Store(str(tmp_path), create=True)
    _, tasks = make_plan(groups, store)
    own, later = tasks[:4], tasks[4:]
    said, progress = [], Progress(0, 0, show=False)
    progress.say = said.append
    run = Run(store, progress, ChunkSizes(8), 2)
    run_tasks([own[1], later[0], later[1]], run)
    assert said[-1:] == [
        "2 maps of other clips, which the control `other` needs, are not there yet: run the same command again "
        "when all clips are explained."
    ]
    assert make_plan(groups, store)[0].results_done == 2 + 2


def test_a_sweep_has_controls_and_shards_of_it_give_the_same(tmp_path):
    sweeps.make_recordings(tmp_path)
    few = (MethodGrid("rise", options={"num_masks": [5, 9]}), MethodGrid("gradcam"))
    config = sweeps.config(tmp_path, methods=few, curve_steps=3, controls=("other", "motion", "smooth"))
    plan = sweeps.run(config)
    assert (plan.cells, plan.results) == (3 + 3 + 2, 3 * 8)
    sharded = dataclasses.replace(config, store=str(tmp_path / "sharded"))
    for shard in (0, 1, 2, 0, 1, 2):
        sweeps.run(sharded, shard=(shard, 3))
    assert sweeps.run(sharded).results_done == 24
    whole, parts = sweeps.contents(config.store), sweeps.contents(sharded.store)
    assert whole.keys() == parts.keys()
    for place, value in whole.items():
        np.testing.assert_array_equal(parts[place], value, err_msg=str(place))
    rows = open_results(config.store).rows
    assert {row["method"] for row in rows} == {"rise", "gradcam", "other-rise", "other-gradcam", "motion", "smooth"}
    assert "other-rise of the predicted class (num_masks 5)" in status(config, sweeps.toy_groups(config)).text
    group = sweeps.toy_groups(config)[0]
    partner = group.partners[next(iter(group.own))][group.cases[0].name]
    for number, own in group.own.items():
        saliency = read_map(Store(config.store), group, number, group.cases[0])
        np.testing.assert_array_equal(saliency, read_map(Store(config.store), group, own, partner))


def test_controls_of_a_sweep_need_curves():
    with pytest.raises(ValueError, match="`curve_steps` must be at least 2 to measure controls; got 0 with"):
        SweepConfig("s", ("run",), (MethodGrid("rise"),), controls=("smooth",))
    with pytest.raises(ValueError, match="`controls` must be one of .*got 'noise'"):
        SweepConfig("s", ("run",), (MethodGrid("rise"),), controls=("noise",), curve_steps=3)
