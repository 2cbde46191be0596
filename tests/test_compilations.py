"""A whole comparison of the methods compiles its programs once, for however many clips."""

import jax
import jax.monitoring
import numpy as np
import pytest

import toys
from jaxsal.explain import explain
from jaxsal.options import ExplainOptions

OPTIONS = ExplainOptions(num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.4, num_steps=5, chunk_size=4)


@pytest.fixture
def compilations():
    """A list that grows by one with every program that is compiled or read from the cache."""
    seen = []

    def listen(event, duration, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def clip(number):
    return np.random.default_rng(number).random((4, 6, 9, 3)).astype(np.float32)


def classifier(scale=8.0):
    return toys.pooling_classifier(cells=(2, 2, 3), head=scale * np.eye(3, 4, dtype=np.float32))


def test_fifty_clips_compile_what_the_first_does(compilations):
    explain(classifier(), clip(0), OPTIONS, name="clip 0", spectrum="TV")
    assert compilations
    before = len(compilations)
    for number in range(1, 50):
        explain(classifier(), clip(number), OPTIONS, name=f"clip {number}", spectrum="TV")
    assert len(compilations) == before


def test_other_weights_compile_nothing(compilations):
    explain(classifier(), clip(0), OPTIONS, name="clip", spectrum="TV")
    before = len(compilations)
    explain(classifier(scale=3.0), clip(1), OPTIONS, name="clip", spectrum="IR", target=1)
    assert len(compilations) == before


def test_another_number_of_frames_does_compile(compilations):
    explain(classifier(), clip(0), OPTIONS, name="clip", spectrum="TV")
    before = len(compilations)
    longer = np.concatenate([clip(0), clip(1)])
    explain(classifier(), longer, OPTIONS, name="clip", spectrum="TV")
    assert len(compilations) > before
