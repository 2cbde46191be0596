"""A table as Markdown, CSV, LaTeX, HTML and records; the table of a run with its daggers."""

import csv
import json

from jaxsal.metrics.summary import ClipResult, Measure, summarise
from jaxsal.report.sheet import PValue, Sheet, Spread, to_csv, to_html, to_latex, to_markdown, to_records
from jaxsal.report.table import summary_csv, summary_records, summary_sheet

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
    measured = dict(mean=0.25, std=0.125, low=0.2, high=0.3, contrasts={})
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
        "| spectrum | method | n | deletion ↓ mean ± std [95 %] | deletion better than "
        "| insertion ↑ mean ± std [95 %] | insertion better than |\n"
        "| --- | --- | --: | --: | --- | --: | --- |\n"
        "| IR | RISE | 9 | 0.250 ± 0.000 [0.250, 0.250] | random | **0.750 ± 0.000 [0.750, 0.750]** | random |\n"
        "| IR | SIDU | 9 | 0.250 ± 0.000 [0.250, 0.250] | random | 0.250 ± 0.000 [0.250, 0.250] | none |\n"
        "| IR | random | 9 | 0.500 ± 0.000 [0.500, 0.500] |  | 0.500 ± 0.000 [0.500, 0.500] |  |\n"
        "| IR | floor | 9 | 0.125 ± 0.000 [0.125, 0.125] |  | 0.100 ± 0.000 [0.100, 0.100] |  |\n"
        "\n"
        "Better than: the controls that the method beats on the same clips, p ≤ 0.05 after Holm's correction.\n"
    )


def test_the_table_of_a_single_clip_has_no_interval_and_no_test():
    text = to_markdown(summary_sheet(summary(1)))
    assert not set("†±[]") & set(text)
    assert "| IR | RISE | 1 | 0.250 | **0.750** |" in text
    assert summary_csv(summary(1)).splitlines()[1].startswith("IR,RISE,1,0.25,,")


def test_the_best_method_is_bold_where_methods_differ():
    """RISE and SIDU are alike in deletion; RISE is better in insertion; a control that were better would not count."""
    sheet = summary_sheet(summary(1))
    assert sheet.best == {(0, 4)}
    assert "<td><b>0.750</b></td>" in to_html(sheet)
    assert r"& \textbf{0.750} \\" in to_latex(sheet)


def test_csv_and_records_of_a_run_hold_every_number():
    rows = summary()
    header, *lines = csv.reader(summary_csv(rows).splitlines())
    assert header[:5] == ["spectrum", "method", "num_clips", "deletion_mean", "deletion_std"]
    assert header[-2:] == ["insertion_vs_random_p_value", "insertion_vs_random_p_holm"]
    for row, line, record in zip(rows, lines, json.loads(json.dumps(summary_records(rows))), strict=True):
        numbers = [float(text) if text else None for text in line[3:]]
        expected = [(*measure[:4], *measure.contrasts.get("random", [None] * 5)) for measure in row[3:5]]
        assert numbers == [*expected[0], *expected[1]]
        assert (record["spectrum"], record["method"], record["num_clips"]) == row[:3]
        contrasts = {name: found._asdict() for name, found in row.deletion.contrasts.items()}
        assert record["deletion"] == row.deletion._asdict() | dict(contrasts=contrasts)
