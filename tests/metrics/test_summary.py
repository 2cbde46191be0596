"""The summary of a run: means, intervals and tests against numpy, whatever the order of the clips."""

import math

import numpy as np
import pytest

from jaxsal.metrics.contrasts import contrast
from jaxsal.metrics.intervals import mean_interval
from jaxsal.metrics.statistics import holm, paired_test
from jaxsal.metrics.summary import ClipResult, summarise

SHIFTS = {"random": (0.5, 0.5), "RISE": (0.3, 0.7), "SIDU": (0.5, 0.4)}


def clip_results(*, spectra=("TV", "IR"), num_clips=9):
    """RISE is better than chance by 0.2 on average; SIDU inserts worse than chance."""
    rng = np.random.default_rng(0)
    results = []
    for spectrum in spectra:
        for method, (deletion, insertion) in SHIFTS.items():
            for clip in rng.permutation(num_clips):
                values = [deletion + rng.normal(0, 0.03), insertion + rng.normal(0, 0.03), clip / 10, 0.1, 1 / 3]
                results.append(ClipResult(f"walk {clip}, camera 1", spectrum, method, int(clip) % 8, 2, *values))
    return results


def values_of(results, spectrum, method, name):
    chosen = [r for r in results if (r.spectrum, r.method) == (spectrum, method)]
    return np.array([getattr(r, name) for r in sorted(chosen)])


@pytest.mark.parametrize(("method", "name"), [("RISE", "deletion"), ("SIDU", "insertion")])
def test_cells_are_numpy_and_the_paired_test_on_sorted_clips(method, name):
    results = clip_results()
    values, chance = (values_of(results, "TV", m, name) for m in (method, "random"))

    row = next(row for row in summarise(results, seed=3) if row[:2] == ("TV", method))

    cell = getattr(row, name)
    assert cell[:4] == (values.mean(), values.std(), *mean_interval(values, seed=3))
    assert list(cell.contrasts) == ["random"]
    assert cell.contrasts["random"][:4] == contrast(values, chance, range(9), seed=3)[:4]


def test_holm_is_over_all_cells_of_the_table_and_other_is_the_methods_own():
    others = [
        result._replace(
            method=f"{result.method} of another clip", deletion=result.deletion + 0.1 * (result.method == "SIDU")
        )
        for result in clip_results()
        if result.method != "random"
    ]
    rows = summarise([*clip_results(), *others])
    assert [row.method for row in rows if row.spectrum == "TV"] == [
        *("RISE", "SIDU", "random", "RISE of another clip", "SIDU of another clip", "floor")
    ]
    cells = [getattr(row, name) for row in rows for name in ("deletion", "insertion") if row.method in ("RISE", "SIDU")]
    for control in ("random", "other"):
        found = [cell.contrasts[control] for cell in cells]
        assert [one.p_holm for one in found] == holm([one.p_value for one in found])
    against_itself = {
        row[:2]: row.deletion.contrasts["other"].difference for row in rows if "other" in row.deletion.contrasts
    }
    assert against_itself[("IR", "RISE")] == 0
    assert against_itself[("IR", "SIDU")] == pytest.approx(-0.1)


def test_rows_have_an_order_of_their_own():
    results = clip_results(num_clips=20)
    rows = summarise(results)
    assert [row[:3] for row in rows] == [(s, m, 20) for s in ("IR", "TV") for m in ("RISE", "SIDU", "random", "floor")]
    by_method = sorted(results, key=lambda r: (list(SHIFTS).index(r.method), r.spectrum, r.clip))
    assert rows == summarise(by_method)


def test_random_and_floor_rows_have_no_test():
    rows = {row.method: row for row in summarise(clip_results(spectra=["IR"]))}

    assert rows["random"].deletion.contrasts == rows["random"].insertion.contrasts == {}
    assert rows["floor"].insertion[:2] == (pytest.approx(0.1), pytest.approx(0.0))
    assert rows["floor"].deletion[:2] == (pytest.approx(0.4), pytest.approx(np.arange(9).std() / 10))
    assert rows["floor"].deletion.contrasts == {}


def test_nothing_is_tested_without_a_control_or_a_second_clip():
    for results in ([r for r in clip_results() if r.method != "random"], clip_results(num_clips=1)):
        assert all(row.deletion.contrasts == {} for row in summarise(results))


def test_bad_results():
    good = ClipResult("walk", "IR", "RISE", 0, 0, 0.1, 0.9, 0.1, 0.1, 1.0)
    for results, message in [
        ([], "`results` must hold at least one clip; got none"),
        ([good._replace(spectrum="UV")], r"`results` must be of the spectra \('IR', 'TV', 'FUSED'\); got 'UV'"),
        ([good._replace(insertion=math.nan)], "`results` must be finite; got .*insertion=nan"),
        ([good, good], r"a clip once per spectrum and method; got 'walk' \(IR\) twice for RISE"),
        (
            [good, good._replace(clip="run"), good._replace(method="random")],
            r"same clips for every method of a spectrum; got none of random for 'run' \(IR\)",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            summarise(results)


def test_clips_of_one_actor_are_one_cluster():
    results = [result._replace(actor=f"actor {int(result.floor * 10) // 3}") for result in clip_results()]
    values, chance = (values_of(results, "IR", m, "deletion") for m in ("RISE", "random"))
    actors = [n // 3 for n in range(9)]
    row = summarise(results)[0]
    assert row.deletion[2:4] == mean_interval(values, actors)
    assert row.deletion.contrasts["random"].p_value == paired_test(values, chance, clusters=actors).p_value
    alone = summarise([result._replace(actor="one") for result in results])[0].deletion
    assert str(alone) == f"{values.mean():.3f} ± {values.std():.3f}"
