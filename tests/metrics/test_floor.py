"""The line about baselines that leave the answer in place."""

import math

import pytest

from jaxsal.metrics.floor import floor_note, mean_floors
from jaxsal.metrics.summary import ClipResult


def test_mean_floors_of_both_measures():
    results = [
        ClipResult(f"clip {n}", "IR", "RISE", 0, 0, deletion=0.5, insertion=0.5, floor=n / 4, start=0.1, seconds=0.0)
        for n in range(3)
    ]
    assert mean_floors(results) == {"deletion": pytest.approx(0.25), "insertion": pytest.approx(0.1)}
    assert all(map(math.isnan, mean_floors([]).values()))


def test_a_high_floor_is_said_in_one_line():
    note = floor_note({"deletion": 0.44, "insertion": 0.2}, {"deletion": "blur", "insertion": "blur"})
    assert note == (
        "The baseline leaves the answer in place: mean floor 0.44 of deletion (baseline blur), above 0.3. "
        "Better: time_mean or reverse."
    )
    both = floor_note({"deletion": 0.5, "insertion": 0.31}, {"deletion": "time_mean", "insertion": object()})
    assert "0.50 of deletion (baseline time_mean), 0.31 of insertion (baseline an array)" in both
    assert both.endswith("Better: reverse.")


@pytest.mark.parametrize("floor", [0.0, 0.3, math.nan])
def test_a_low_floor_is_not_mentioned(floor):
    assert floor_note(dict(deletion=floor, insertion=floor), dict(deletion="mean", insertion="blur")) == ""
