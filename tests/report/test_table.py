"""A table as Markdown, CSV, LaTeX, HTML and records; the table of a run with its daggers."""

import csv
import json

import pytest

from jaxsal.metrics.summary import ClipResult, Measure, SummaryRow, summarise
from jaxsal.report.table import (
    PValue,
    Sheet,
    Spread,
    summary_csv,
    summary_records,
    summary_sheet,
    to_csv,
    to_html,
    to_latex,
    to_markdown,
    to_records,
)

SHEET = Sheet(
    "demo_1",
    "A title of 5 %",
    "",
    ("method", "n", "deletion ↓", "published"),
    (
        ("Grad-CAM", 2, Measure(0.25, 0.125, 0.2, 0.3), Spread(0.17, 0.18)),
        ("floor", 2, Measure(0.5, 0.0, 0.5, 0.5), None),
    ),
)
P_VALUES = Sheet("p", "A & B, #1", "", ("p",), ((PValue(0.0004),), (PValue(0.01),)))


def test_markdown():
    assert to_markdown(SHEET) == (
        "| method | n | deletion ↓ | published |\n"
        "| --- | --: | --: | --: |\n"
        "| Grad-CAM | 2 | 0.250 ± 0.125 [0.200, 0.300] | 0.17 ± 0.18 |\n"
        "| floor | 2 | 0.500 ± 0.000 [0.500, 0.500] |  |\n"
    )
    assert to_markdown(P_VALUES).splitlines()[2:] == ["| < 0.001 |", "| 0.010 |"]


def test_csv_has_plain_numbers():
    assert to_csv(SHEET) == (
        "method,n,deletion ↓ mean,deletion ↓ std,deletion ↓ low,deletion ↓ high,published mean,published std\n"
        "Grad-CAM,2,0.25,0.125,0.2,0.3,0.17,0.18\n"
        "floor,2,0.5,0.0,0.5,0.5,,\n"
    )
    assert to_csv(P_VALUES) == "p\n0.0004\n0.01\n"


def test_records_are_plain():
    first, second = json.loads(json.dumps(to_records(SHEET)))
    measured = dict(mean=0.25, std=0.125, low=0.2, high=0.3, difference=None, p_value=None)
    assert first == {"method": "Grad-CAM", "n": 2, "deletion ↓": measured, "published": dict(mean=0.17, std=0.18)}
    assert second["published"] is None


def test_latex_is_a_booktabs_table():
    lines = to_latex(SHEET).splitlines()
    assert lines[:4] == [
        r"\begin{table}",
        r"\caption{A title of 5 \%}",
        r"\label{tab:demo_1}",
        r"\begin{tabular}{lrrr}",
    ]
    assert lines[4:7] == [r"\toprule", r"method & n & deletion $\downarrow$ & published \\", r"\midrule"]
    assert lines[7] == r"Grad-CAM & 2 & 0.250 $\pm$ 0.125 [0.200, 0.300] & 0.17 $\pm$ 0.18 \\"
    assert lines[-3:] == [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    assert r"\caption{A \& B, \#1}" in to_latex(P_VALUES)
    assert r"$<$ 0.001 \\" in to_latex(P_VALUES)


def test_html_is_escaped():
    assert to_html(SHEET._replace(columns=("a<b",), lines=(("c&d",),))) == (
        '<thead><tr><th scope="col">a&lt;b</th></tr></thead><tbody><tr><td>c&amp;d</td></tr></tbody>'
    )


def summary(num_clips=9):
    """Equal differences of all clips from the random map: p = 2 / 2^9 = 0.0039; SIDU inserts worse than it."""
    values = {"RISE": (0.25, 0.75), "SIDU": (0.25, 0.25), "random": (0.5, 0.5)}
    return summarise(
        [
            ClipResult(f"clip {n}", "IR", method, 0, 0, *measured, 0.125, 0.1, 1.0)
            for method, measured in values.items()
            for n in range(num_clips)
        ]
    )


def test_the_table_of_a_run():
    assert to_markdown(summary_sheet(summary())) == (
        "| spectrum | method | n | deletion ↓ mean ± std [95 %] | p vs random "
        "| insertion ↑ mean ± std [95 %] | p vs random |\n"
        "| --- | --- | --: | --: | --: | --: | --: |\n"
        "| IR | RISE | 9 | 0.250 ± 0.000 [0.250, 0.250] | 0.004 | 0.750 ± 0.000 [0.750, 0.750] | 0.004 |\n"
        "| IR | SIDU | 9 | 0.250 ± 0.000 [0.250, 0.250] | 0.004 | 0.250 ± 0.000 [0.250, 0.250] | 0.004 † |\n"
        "| IR | random | 9 | 0.500 ± 0.000 [0.500, 0.500] |  | 0.500 ± 0.000 [0.500, 0.500] |  |\n"
        "| IR | floor | 9 | 0.125 ± 0.000 [0.125, 0.125] |  | 0.100 ± 0.000 [0.100, 0.100] |  |\n"
        "\n"
        "† Not better than the random map: the difference has the wrong sign or p > 0.05.\n"
    )


def test_the_table_of_a_single_clip_has_no_interval_and_no_test():
    text = to_markdown(summary_sheet(summary(1)))
    assert not set("†±[]") & set(text)
    assert "| IR | RISE | 1 | 0.250 |  | 0.750 |  |" in text
    assert summary_csv(summary(1)).splitlines()[1].startswith("IR,RISE,1,0.25,,")


@pytest.mark.parametrize(
    ("difference", "p_value", "expected"),
    [(-0.1, 0.05, "0.050"), (-0.1, 0.051, "0.051 †"), (0.1, 0.01, "0.010 †"), (-0.1, 5e-5, "< 0.001")],
)
def test_a_dagger_marks_what_is_not_better_than_random(difference, p_value, expected):
    deletion = summary()[0].deletion._replace(difference=difference, p_value=p_value)
    text = to_markdown(summary_sheet([SummaryRow("IR", "RISE", 9, deletion, None)]))
    assert f"| {expected} |  |  |\n" in text


def test_csv_and_records_of_a_run_hold_every_number():
    rows = summary()
    header, *lines = csv.reader(summary_csv(rows).splitlines())
    assert header[:5] == ["spectrum", "method", "num_clips", "deletion_mean", "deletion_std"]
    assert header[-2:] == ["insertion_difference", "insertion_p_value"]
    for row, line, record in zip(rows, lines, json.loads(json.dumps(summary_records(rows))), strict=True):
        numbers = [float(text) if text else None for text in line[3:]]
        assert numbers == [*row.deletion, *(row.insertion or [None] * 6)]
        assert (record["spectrum"], record["method"], record["num_clips"]) == row[:3]
        assert record["deletion"] == row.deletion._asdict()
        assert (record["insertion"] is None) == (row.insertion is None)
