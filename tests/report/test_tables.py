"""The results table: numbers against numpy and the paired test, layout, daggers, files that read back exactly."""

import csv
import json
import math

import numpy as np
import pytest

from jaxsal.metrics.statistics import bootstrap_interval, paired_test
from jaxsal.metrics.summary import ClipResult, SummaryRow, summarise
from jaxsal.report.tables import results_from_csv, results_to_csv, to_csv, to_markdown, to_records

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


def test_order_of_rows():
    rows = summarise(clip_results())
    order = ["RISE", "SIDU", "random", "floor"]
    assert [row[:3] for row in rows] == [(s, method, 9) for s in ("IR", "TV") for method in order]


@pytest.mark.parametrize("method", ["RISE", "SIDU"])
@pytest.mark.parametrize("name", ["deletion", "insertion"])
def test_cells_are_numpy_and_the_paired_test_on_sorted_clips(method, name):
    results = clip_results()
    values, chance = (values_of(results, "TV", m, name) for m in (method, "random"))

    row = next(row for row in summarise(results, seed=3) if row[:2] == ("TV", method))

    cell = getattr(row, name)
    assert cell[:4] == (values.mean(), values.std(), *bootstrap_interval(values, seed=3))
    assert cell[4:] == paired_test(values, chance, seed=3)
    assert cell.difference == pytest.approx((values - chance).mean())


def test_rows_do_not_depend_on_the_order_of_the_clips():
    results = clip_results(num_clips=20)
    by_method = sorted(results, key=lambda r: (list(SHIFTS).index(r.method), r.spectrum, r.clip))
    assert summarise(results) == summarise(by_method)


def test_random_and_floor_rows_have_no_test():
    rows = {row.method: row for row in summarise(clip_results(spectra=["IR"]))}

    assert rows["random"].deletion[4:] == rows["random"].insertion[4:] == (None, None)
    assert rows["floor"].insertion is None
    assert rows["floor"].deletion[:2] == (pytest.approx(0.4), pytest.approx(np.arange(9).std() / 10))
    assert rows["floor"].deletion[4:] == (None, None)


def test_without_random_maps_nothing_is_compared():
    rows = summarise([r for r in clip_results() if r.method != "random"])
    assert all(row.deletion.p_value is None for row in rows)
    assert "†" not in to_markdown(rows)
    assert "random map" not in to_markdown(rows)


def test_markdown_of_known_cells():
    """Nine equal differences of the right sign: p = 2 / 2^9 = 0.0039."""
    good, chance = (0.25, 0.75), (0.5, 0.5)
    results = [
        ClipResult(f"clip {n}", "IR", method, 0, 0, *values, 0.125, 0.1, 1.0)
        for method, values in [("RISE", good), ("SIDU", (0.25, 0.25)), ("random", chance)]
        for n in range(9)
    ]
    assert to_markdown(summarise(results)) == (
        "| spectrum | method | n | deletion ↓ mean ± std [95 %] | p vs random "
        "| insertion ↑ mean ± std [95 %] | p vs random |\n"
        "|---|---|--:|--:|--:|--:|--:|\n"
        "| IR | RISE | 9 | 0.250 ± 0.000 [0.250, 0.250] | 0.004 | 0.750 ± 0.000 [0.750, 0.750] | 0.004 |\n"
        "| IR | SIDU | 9 | 0.250 ± 0.000 [0.250, 0.250] | 0.004 | 0.250 ± 0.000 [0.250, 0.250] | 0.004 † |\n"
        "| IR | random | 9 | 0.500 ± 0.000 [0.500, 0.500] |  | 0.500 ± 0.000 [0.500, 0.500] |  |\n"
        "| IR | floor | 9 | 0.125 ± 0.000 [0.125, 0.125] |  |  |  |\n"
        "\n"
        "† Not better than the random map: the difference has the wrong sign or p > 0.05.\n"
    )


@pytest.mark.parametrize(
    ("difference", "p_value", "expected"),
    [(-0.1, 0.05, "0.050"), (-0.1, 0.051, "0.051 †"), (0.1, 0.01, "0.010 †"), (-0.1, 5e-5, "< 0.001")],
)
def test_dagger_on_deletion(difference, p_value, expected):
    row = summarise(clip_results(spectra=["IR"]))[0]
    deletion = row.deletion._replace(difference=difference, p_value=p_value)
    text = to_markdown([SummaryRow("IR", "RISE", 9, deletion, None)])
    assert f"| {expected} |  |  |\n" in text


def test_csv_holds_every_number_exactly():
    rows = summarise(clip_results())
    header, *lines = csv.reader(to_csv(rows).splitlines())

    assert header[:5] == ["spectrum", "method", "num_clips", "deletion_mean", "deletion_std"]
    assert header[-2:] == ["insertion_difference", "insertion_p_value"]
    for row, line in zip(rows, lines, strict=True):
        numbers = [float(text) if text else None for text in line[3:]]
        assert numbers == [*row.deletion, *(row.insertion or [None] * 6)]


def test_results_read_back_exactly(tmp_path):
    results = clip_results()
    results[0] = results[0]._replace(clip='a "b",\r\nc ü', deletion=math.pi * 1e-20, seconds=float("nan"))
    results[1] = results[1]._replace(deletion=np.float32(0.1))
    path = tmp_path / "clips.csv"
    path.write_text(results_to_csv(results), encoding="utf-8", newline="")

    loaded = results_from_csv(path)

    assert math.isnan(loaded[0].seconds)
    assert loaded[0][:-1] == results[0][:-1]
    assert loaded[1].deletion == float(np.float32(0.1))
    assert loaded[2:] == results[2:]
    assert all(type(value) in (str, int, float) for result in loaded for value in result)


def test_bad_results():
    good = ClipResult("walk", "IR", "RISE", 0, 0, 0.1, 0.9, 0.1, 0.1, 1.0)
    for results, message in [
        ([], "`results` must hold at least one clip; got none"),
        ([good._replace(spectrum="UV")], r"`results` must be of the spectra \('IR', 'TV'\); got 'UV'"),
        ([good._replace(insertion=math.nan)], "`results` must be finite; got .*insertion=nan"),
        ([good, good], r"a clip once per spectrum and method; got 'walk' \(IR\) twice for RISE"),
        (
            [good, good._replace(clip="run"), good._replace(method="random")],
            r"same clips for every method of a spectrum; got none of random for 'run' \(IR\)",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            summarise(results)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"`path` must be a file with the columns .*; got \(\)"),
        ("clip,method\n", r"columns .*; got \('clip', 'method'\)"),
        (",".join(ClipResult._fields) + "\nwalk,IR,RISE,0,0,low,1,1,1,1\n", "one clip a line; got .* in line 2"),
        (",".join(ClipResult._fields) + "\nwalk,IR\n", "one clip a line; got .* in line 2"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "clips.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        results_from_csv(path)


def test_a_single_clip_has_no_interval_and_is_not_tested():
    rows = summarise(clip_results(num_clips=1, spectra=["IR"]))
    assert all(row.deletion.p_value is None for row in rows)
    table = to_markdown(rows)
    assert not set("†±[]") & set(table)
    assert f"| IR | RISE | 1 | {rows[0].deletion.mean:.3f} |  | {rows[0].insertion.mean:.3f} |  |" in table
    line = to_csv(rows).splitlines()[1].split(",")
    assert line[:5] == ["IR", "RISE", "1", repr(rows[0].deletion.mean), ""]


def test_records_hold_every_number():
    rows = summarise(clip_results())
    records = json.loads(json.dumps(to_records(rows)))
    for row, record in zip(rows, records, strict=True):
        assert (record["spectrum"], record["method"], record["num_clips"]) == row[:3]
        assert record["deletion"] == row.deletion._asdict()
        assert (record["insertion"] is None) == (row.insertion is None)
