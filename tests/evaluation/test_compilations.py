"""A whole comparison of the methods compiles its programs once, for however many clips."""

import dataclasses
import sys
from collections import Counter
from functools import partial

import jax
import jax.monitoring
import numpy as np
import pytest

import toys
from jaxsal.evaluation.evaluate import Case, explain_all
from jaxsal.evaluation.explain import Subject, explain
from jaxsal.options import ExplainOptions

OPTIONS = ExplainOptions(num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.4, num_steps=5, chunk_size=4)
PROGRAMS = {
    "call": 1,  # the clip's own logits, for RISE's ledger
    "call_each": 1,  # those of all clips
    "_gradcam_each": 1,
    "_score_chunks": 3,  # RISE; SIDU; deletion and insertion of all maps
    "_checksums": 1,  # tells the weights from others
    "_read": 1,  # RISE's map
    "_features_and_logits_each": 1,  # SIDU's masks
    "_read_out": 1,  # SIDU's map
    "_rank_each": 1,
    "degrade": 1,  # where insertion starts
    "_scores_and_auc": 1,
}


@pytest.fixture
def compilations():
    """A list that grows by the name of every program that is compiled or read from the cache."""
    seen = []

    def listen(event, duration, fun_name="", **_):
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(fun_name.removeprefix("jit(").removesuffix(")"))

    jax.clear_caches()
    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def own_programs(names):
    """Those that are compiled functions of jaxsal, with how often."""
    modules = [module for name, module in sys.modules.items() if name.startswith("jaxsal.")]
    own = {name for module in modules for name, value in vars(module).items() if hasattr(value, "lower")}
    return {name: count for name, count in Counter(names).items() if name in own}


def clip(number):
    return np.random.default_rng(number).random((4, 6, 9, 3)).astype(np.float32)


def classifier(scale=8.0):
    return toys.pooling_classifier(cells=(2, 2, 3), head=scale * np.eye(3, 4, dtype=np.float32))


def explained(classifier, clip, options, **known):
    explain(classifier, options, [Subject(clip=clip, **known)])


def test_fifty_clips_compile_each_distinct_program_once(compilations):
    """Whatever the clip, the number of masks and of masks of SIDU that differ."""
    explained(classifier(), clip(0), OPTIONS, name="clip 0", spectrum="TV")
    assert own_programs(compilations) == PROGRAMS
    before = len(compilations)
    for number in range(1, 50):
        options = dataclasses.replace(OPTIONS, num_masks=OPTIONS.num_masks + number)
        explained(classifier(), clip(number), options, name=f"clip {number}", spectrum="TV")
    explained(classifier(), np.full_like(clip(0), 0.5), OPTIONS, name="grey", spectrum="TV")  # one mask of SIDU
    assert compilations[before:] == []


def test_clips_that_do_not_fill_their_batch_compile_nothing(compilations, tmp_path):
    """Fifty in fours leave two, beside which copies of the last one stand."""

    def explain_first(count):
        cases = [Case(f"clip {number}", "TV", -1, partial(clip, number)) for number in range(count)]
        return explain_all(classifier(), cases, OPTIONS, tmp_path)

    explain_first(4)
    before = len(compilations)
    assert own_programs(compilations) == PROGRAMS
    found = explain_first(50)
    assert compilations[before:] == []
    for number in (48, 49):
        (alone,) = explain(classifier(), OPTIONS, [Subject(f"clip {number}", "TV", clip(number))])
        for method, saliency in alone.maps.items():
            np.testing.assert_allclose(found[number].maps[method], saliency, rtol=1e-5, atol=1e-6)
            for ours, other in zip(found[number].curves[method], alone.curves[method], strict=True):
                np.testing.assert_allclose(ours.scores, other.scores, rtol=1e-5)


def test_other_weights_compile_nothing(compilations):
    explained(classifier(), clip(0), OPTIONS, name="clip", spectrum="TV")
    before = len(compilations)
    explained(classifier(scale=3.0), clip(1), OPTIONS, name="clip", spectrum="IR", target=1)
    assert len(compilations) == before


def test_another_number_of_frames_does_compile(compilations):
    explained(classifier(), clip(0), OPTIONS, name="clip", spectrum="TV")
    before = len(compilations)
    longer = np.concatenate([clip(0), clip(1)])
    explained(classifier(), longer, OPTIONS, name="clip", spectrum="TV")
    assert len(compilations) > before
