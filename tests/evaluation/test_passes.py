"""No forward pass is made whose answer is known: as many as a plan says, counted where the classifier runs."""

import dataclasses

import jax
import numpy as np
import pytest

import toys
from jaxsal import Classifier
from jaxsal.evaluation.cell_maps import measure_maps
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all, explaining_groups, run_groups
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.store import Store

pytestmark = pytest.mark.usefixtures("no_shape_checks")
OPTIONS = ExplainOptions(controls=("random",), num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.5, num_steps=9)
STEPS = 2 * (9 - 2)  # of both curves, but for the ends
CLIPS = np.random.default_rng(5).random((4, 4, 6, 9, 3)).astype(np.float32)
CLIPS[..., 0, 0, 0] = 0.7  # every channel is above the threshold somewhere


@pytest.fixture
def seen():
    """The sum of every clip that the network is given, in the order in which they come."""
    return []


@pytest.fixture
def classifier(seen):
    toy = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))

    def features(params, clip):
        jax.debug.callback(lambda total: seen.append(float(total)), clip.sum())
        return toy.features_fn(params, clip)

    return Classifier.from_functions(features, toy.head_fn, toy.params)


def cases(target=None):
    return [Case(f"clip {number}", "TV", 0, lambda clip=clip: clip, target) for number, clip in enumerate(CLIPS)]


def plan_of(classifier, options, store=None, target=None):
    groups = explaining_groups(classifier, CLIPS[0].shape, cases(target), options)
    return make_plan(groups, store, keep_clips=True)[0]


def test_explaining_takes_the_passes_that_the_plan_says(classifier, seen, passes):
    bits = [np.asarray(classifier.features(clip)).reshape(-1, 3).T > 0.5 for clip in CLIPS]
    assert all(len({mask.tobytes() for mask in of_clip}) == 3 and of_clip.any(axis=1).all() for of_clip in bits)
    jax.effects_barrier()
    seen.clear()
    alone = dataclasses.replace(OPTIONS, chunk_size=1, clips_per_batch=1)
    explain_all(classifier, cases(), alone)
    jax.effects_barrier()
    expected = plan_of(classifier, alone).passes
    assert expected == 4 * (1 + 20 + 3 + 4 * STEPS + 2)
    assert len(seen) == sum(passes) == expected
    for clip in CLIPS:
        assert np.isclose(seen, clip.sum(), rtol=1e-6, atol=0).sum() == 1
    passes.clear()
    explain_all(classifier, cases(), OPTIONS)
    assert sum(passes) == expected


def test_what_a_folder_knows_is_not_asked_again(classifier, tmp_path, passes):
    """Another class needs curves of its maps; scores, the untouched clip and the ends of curves are there."""
    changes = [
        dict(method=("rise",), estimator="centered"),
        dict(method=("rise",), num_masks=7),
        dict(method=("sidu",), recipe="default"),
    ]
    explain_all(classifier, cases(), OPTIONS, tmp_path)
    for change, new_maps in zip(changes, (1, 1, 0), strict=True):
        passes.clear()
        options = dataclasses.replace(OPTIONS, **change)
        plan = plan_of(classifier, options, Store(str(tmp_path)))
        explain_all(classifier, cases(), options, tmp_path)
        assert sum(passes) == plan.passes == 4 * new_maps * STEPS
    passes.clear()
    options = dataclasses.replace(OPTIONS, method=("rise", "sidu"))
    explain_all(classifier, cases(target=3), options, tmp_path)
    assert sum(passes) == 4 * 3 * STEPS  # with the random map, of which the other class was not measured


def test_maps_with_equal_measures_are_measured_together(classifier, tmp_path, monkeypatch):
    """Also where every cell came with measures of its own; all kinds of measures fill one program."""
    asked = []

    def spy(batch, measures, maps, *, filled, run):
        asked.append((len(maps), filled))
        return measure_maps(batch, measures, maps, filled=filled, run=run)

    monkeypatch.setattr("jaxsal.evaluation.work.measure_maps", spy)
    (group,) = explaining_groups(classifier, CLIPS[0].shape, cases(), OPTIONS)
    own = [
        dataclasses.replace(cell, measures={name: dataclasses.replace(one) for name, one in cell.measures.items()})
        for cell in group.cells
    ]
    alone = {name: dataclasses.replace(one, num_steps=3) for name, one in own[0].measures.items()}
    copied = dataclasses.replace(group, cells=(dataclasses.replace(own[0], measures=alone), *own[1:]))
    run_groups([copied], Store(str(tmp_path), create=True), lambda: None, chunk_size=8, clips_at_once=2, show=False)
    num, batches = len(own), len(CLIPS) // 2
    assert sorted(asked) == sorted([(2, 2 * (num - 1)), (2 * (num - 1), 2 * (num - 1))] * batches)
