"""The sheets and the figure of the table of real differences, from clips with known values."""

import numpy as np
import pytest

from jaxsal.report.ranking import ClipScores, draw_ranking, rank
from jaxsal.report.run_table import tables_text
from jaxsal.report.sheet import to_csv


def scores(count=12):
    """RISE deletes better than SIDU; by the Gini index SIDU is the better one; noise is worse than both."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        values = {
            title: dict(deletion=low + 0.01 * rng.normal(), insertion=rng.random(), gini=gini)
            for title, low, gini in [("RISE", 0.1, 0.2), ("SIDU", 0.2, 0.9), ("smooth", 0.5, 0.1)]
        }
        found.append(ClipScores(f"clip {number}", f"actor {number}", values))
    return found


def test_the_tables_say_who_is_better_by_what():
    ranking = rank(scores())
    assert set(ranking.methods) == {"RISE", "SIDU"}
    winners = {(one.measure, one.first, one.second): one.winner for one in ranking.pairs}
    assert winners["deletion", "RISE", "SIDU"] == "RISE"
    assert winners["gini", "RISE", "SIDU"] == "SIDU"
    assert winners["insertion", "RISE", "SIDU"] == ""
    assert ranking.standings["RISE", "deletion"].lost_to == ()
    assert ranking.standings["RISE", "insertion"].lost_to == ("smooth",)
    table, pairs, agreement = ranking.sheets
    text = tables_text([table, agreement])
    assert "deletion ↓ mean ± std [95 %]" in text
    assert "| 1, 0 |" in text
    assert "†" in text
    assert agreement.columns[:3] == ("measure", "alpha", "split half")
    assert [line[2] for line in agreement.lines if line[0] == "gini"] == [pytest.approx(1)]
    assert len(pairs.lines) == 3 * (1 + 2)
    assert to_csv(pairs).splitlines()[0] == "measure,first,second,difference,low,high,p,Holm,better"
    figure = draw_ranking(ranking)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(ranking.methods)


def test_one_method_or_one_clip_is_no_ranking():
    with pytest.raises(ValueError, match="`scores` must be of two methods and two clips at least; got 2 and 1"):
        rank(scores(1))
