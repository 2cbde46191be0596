"""Scores that grow: nothing is scored twice, little is lost, and memory is that of the scores."""

import tracemalloc

import numpy as np
import pytest

from jaxsal.saliency import growth
from jaxsal.saliency.growth import portions, score_missing, whole_batches

NOTHING = np.zeros(0, np.int32), np.zeros((0, 2), np.float32)


def logits_of(ids):
    return np.stack([ids, -ids], axis=1).astype(np.float32)


def grow(count, held=NOTHING, *, least=8, fail_at=None, save=None):
    """All scores of `count` masks, and the portions that were asked for; fails at the portion of that number."""
    asked = []

    def score(ids, before):
        if len(asked) == fail_at:
            raise KeyboardInterrupt
        asked.append((len(ids), before))
        return logits_of(ids)

    missing = np.setdiff1d(np.arange(count, dtype=np.int32), held[0])
    return score_missing(*held, missing, score, least=least, save=save), asked


@pytest.mark.parametrize("held", [[], [0, 1, 2], [2, 3, 7], range(10)])
def test_scores_are_in_the_order_of_their_numbers(held):
    held = np.array(held, np.int32)
    (ids, logits), asked = grow(10, (held, logits_of(held)))
    np.testing.assert_array_equal(ids, np.arange(10))
    np.testing.assert_array_equal(logits, logits_of(np.arange(10)))
    assert asked == ([(10 - len(held), 0)] if len(held) < 10 else [])


@pytest.mark.parametrize(
    ("seconds", "rows"), [(0.0, [8] * 4 + [13]), (1e3, [8, 16, 21])], ids=["slow masks", "fast masks"]
)
def test_portions_grow_while_they_are_fast_and_leave_no_short_rest(monkeypatch, seconds, rows):
    monkeypatch.setattr(growth, "SAVE_SECONDS", seconds)
    found = list(portions(45, 8))
    assert [part.stop - part.start for part in found] == rows
    assert [part.start for part in found] == [0, *np.cumsum(rows)[:-1]]
    assert list(portions(0, 8)) == []


@pytest.mark.parametrize(("seconds", "saves"), [(0.0, [8, 16, 24, 32, 40]), (1e3, [40])])
def test_scores_are_saved_by_time(monkeypatch, seconds, saves):
    found = []
    monkeypatch.setattr(growth, "SAVE_SECONDS", seconds)
    monkeypatch.setattr(growth, "_SAVING_SHARE", 1e9)
    grow(40, save=lambda ids, logits: found.append(len(ids)))
    assert found == saves


def test_what_is_scored_before_a_failure_is_saved():
    saved = []
    with pytest.raises(KeyboardInterrupt):
        grow(
            100, (np.array([50], np.int32), logits_of(np.array([50]))), fail_at=2, save=lambda *rows: saved.append(rows)
        )
    ((ids, logits),) = saved
    np.testing.assert_array_equal(ids, [*range(24), 50])
    np.testing.assert_array_equal(logits, logits_of(ids))


def test_scores_are_held_once():
    """Arrays of 300,000 masks against those of the result: ids and logits."""
    missing, rows = np.arange(300_000, dtype=np.int32), np.ones((65_536, 8), np.float32)
    empty = np.zeros(0, np.int32), np.zeros((0, 8), np.float32)
    tracemalloc.start()
    ids, logits = score_missing(*empty, missing, lambda ids, before: np.resize(rows, (len(ids), 8)), least=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(ids) == 300_000
    assert peak < 2 * (ids.nbytes + logits.nbytes)


def test_batches_count_from_the_first_mask():
    ids = np.array([0, 1, 2, 4, 5, 6, 7, 8])
    np.testing.assert_array_equal(whole_batches(ids, 3), [1, 1, 1, 0, 0, 1, 1, 1])
