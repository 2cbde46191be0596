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
from conftest import shape_checks_off
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all
from jaxsal.evaluation.options import ExplainOptions

pytestmark = pytest.mark.usefixtures("no_shape_checks")
OPTIONS = ExplainOptions(
    controls=("random",), num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.4, num_steps=5, chunk_size=4
)
PROGRAMS = {
    "call_parts_each": 1,  # logits and activations of all clips
    "_maps_each": 1,  # Grad-CAM
    "score_chunks": 3,  # RISE; SIDU; deletion and insertion of all maps
    "_checksums": 1,  # tells the weights from others
    "_read": 1,  # RISE's map
    "pack_masks": 2,  # of a batch, to tell masks apart; of a clip, to store them
    "_named_each": 2,  # the baselines "mean" and "blur"
    "_read_out": 1,  # SIDU's map
    "_rank_each": 1,
}


@pytest.fixture(scope="module")
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


def cases(numbers, target=None):
    return [Case(f"clip {number}", "TV", -1, partial(clip, number), target) for number in numbers]


@pytest.fixture(scope="module")
def first(compilations):
    """What explaining four clips compiles."""
    with shape_checks_off():
        explain_all(classifier(), cases(range(4)), OPTIONS)
    return list(compilations)


def test_each_distinct_program_is_compiled_once(first):
    assert own_programs(first) == PROGRAMS


@pytest.mark.parametrize(
    ("scale", "numbers", "target", "changes"),
    [
        (8.0, range(4, 10), None, {}),  # two do not fill their batch: copies of the last one stand beside them
        (8.0, range(4), None, dict(num_masks=33, seed=1)),
        (8.0, [], None, {}),  # a grey clip, of which SIDU has one mask
        (3.0, range(4), 1, {}),  # other weights, another class
    ],
)
def test_nothing_more_is_compiled_for(first, compilations, scale, numbers, target, changes):
    before = len(compilations)
    grey = [case._replace(load=lambda: np.full_like(clip(0), 0.5)) for case in cases(range(4))]
    chosen = cases(numbers, target) or grey
    explain_all(classifier(scale), chosen, dataclasses.replace(OPTIONS, **changes))
    assert compilations[before:] == []


def test_another_number_of_frames_does_compile(first, compilations):
    before = len(compilations)
    longer = np.concatenate([clip(0), clip(1)])
    explain_all(
        classifier(), [Case("longer", "TV", -1, lambda: longer)], dataclasses.replace(OPTIONS, method=("gradcam",))
    )
    assert len(compilations) > before
