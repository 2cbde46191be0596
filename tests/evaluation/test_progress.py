"""What a run says of itself."""

import time

import jax
import numpy as np
import pytest

from jaxsal.core import progress as module
from jaxsal.evaluation.progress import Progress


@pytest.fixture
def progress():
    made = Progress(40, 2)
    yield made
    made.close()


def test_lines_now_and_then_say_where_the_run_is(progress, capsys, monkeypatch):
    progress.add(10)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    progress.clip_done()
    progress.skip(5)
    progress.add(10)
    said = capsys.readouterr().err
    assert " explain: 20 of 35 passes (57 %), " in said
    assert said.endswith(" left; 1 of 2 clips\n")


def test_the_summary_says_where_the_time_went(progress):
    with progress.stage("forward"):
        time.sleep(0.02)
    with progress.stage("reading"):
        jax.jit(lambda x: x + np.random.default_rng().random())(np.ones(3))  # a program that no cache has
    progress.add(7)
    said = progress.summary()
    assert "7 forward passes" in said
    assert "(reading " in said
    assert "0 programs that score masks, " in said
    assert sum(progress.programs.values()) >= 1
    assert progress.seconds["forward"] >= 0.02
    assert progress.compiling > 0


def test_nothing_is_said_where_nobody_asked(capsys):
    quiet = Progress(1, 1, show=False)
    quiet.say("anything")
    quiet.close()
    assert capsys.readouterr().err == ""
