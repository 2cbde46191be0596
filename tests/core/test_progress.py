"""How far a job is, on a terminal and in a log."""

import io
import re
import sys

import jax
import jax.numpy as jnp
import pytest

import jaxsal
from jaxsal.core import progress as module
from jaxsal.core.progress import Bar, as_progress, counted, duration

CLOCK = r"jaxsal: \d\d:\d\d:\d\d "


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_whole_lines_with_clock_share_rate_and_time_left(capsys, monkeypatch):
    with Bar(40, "train", "steps", done=10) as bar:
        bar.update(5)
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
        bar.left_out -= 10.0  # as if started ten seconds ago
        bar.update(5, "loss 0.5")
        said = capsys.readouterr().err
        assert re.fullmatch(CLOCK + r"train: 20 of 40 steps \(50 %\), 1.0/s, 20 s left; loss 0.5\n", said)
    assert re.fullmatch(CLOCK + r"train: 20 of 40 steps in 10 s, 1.0/s; loss 0.5\n", capsys.readouterr().err)


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert list(counted("ab", 2, "read", "clips", show=True)) == ["a", "b"]
    assert "\rread: 100%" in terminal.getvalue()


def test_nothing_is_shown_unless_asked(capsys):
    assert list(counted([1, 2], 2, "read", "clips", show=False)) == [1, 2]
    assert as_progress(None, "RISE", "masks") is as_progress(False, "RISE", "masks") is None
    assert as_progress(print, "RISE", "masks") is print
    assert capsys.readouterr().err == ""


def test_one_keyword_shows_how_far_a_computation_is(capsys):
    clip, score_fn = jnp.ones((2, 4, 4, 3)), lambda clip: clip.mean(axis=(0, 1, 2))
    ledger = jaxsal.rise_ledger(jax.random.key(0), score_fn, clip, num_masks=8, progress=True)
    jaxsal.deletion(score_fn, clip, ledger.map(), num_steps=3, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert re.match(CLOCK + r"RISE: 8 of 8 masks in \d+ s, ", lines[0])
    assert re.match(CLOCK + r"deletion: \d of \d steps in ", lines[1])


@pytest.mark.parametrize(("seconds", "text"), [(89, "89 s"), (5399, "90 min"), (7200, "2.0 h")])
def test_durations(seconds, text):
    assert duration(seconds) == text
