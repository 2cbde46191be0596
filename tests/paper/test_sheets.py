"""Tables as Markdown, CSV and LaTeX; published numbers; localisation beside them."""

import json

import numpy as np
import pytest

from jaxsal.metrics.summary import Measure
from jaxsal.paper.published import Published, published, remarks
from jaxsal.paper.sheets import PValue, Sheet, measure, records, to_csv, to_latex, to_markdown
from jaxsal.paper.truth import Located, rank_correlation, truth_sheets

SHEET = Sheet(
    "demo_1",
    "A title of 5 %",
    "",
    ("method", "n", "deletion ↓", "published"),
    (
        ("Grad-CAM", 2, Measure(0.25, 0.125, 0.2, 0.3), Published(0.17, 0.18)),
        ("floor", 2, Measure(0.5, 0.0, 0.5, 0.5), None),
    ),
)


def test_markdown():
    assert to_markdown(SHEET) == (
        "| method | n | deletion ↓ | published |\n"
        "| --- | --: | --: | --: |\n"
        "| Grad-CAM | 2 | 0.250 ± 0.125 [0.200, 0.300] | 0.17 to 0.18 |\n"
        "| floor | 2 | 0.500 ± 0.000 [0.500, 0.500] |  |\n"
    )


def test_csv_has_plain_numbers():
    assert to_csv(SHEET) == (
        "method,n,deletion ↓ mean,deletion ↓ std,deletion ↓ low,deletion ↓ high,published low,published high\n"
        "Grad-CAM,2,0.25,0.125,0.2,0.3,0.17,0.18\n"
        "floor,2,0.5,0.0,0.5,0.5,,\n"
    )


def test_records_are_plain():
    first, second = json.loads(json.dumps(records(SHEET)))
    assert first["deletion ↓"] == {
        "mean": 0.25,
        "std": 0.125,
        "low": 0.2,
        "high": 0.3,
        "difference": None,
        "p_value": None,
    }
    assert (first["method"], second["published"]) == ("Grad-CAM", None)


def test_latex_is_a_booktabs_table():
    lines = to_latex(SHEET).splitlines()
    assert lines[:4] == [
        r"\begin{table}",
        r"\caption{A title of 5 \%}",
        r"\label{tab:demo_1}",
        r"\begin{tabular}{lrrr}",
    ]
    assert lines[4:7] == [r"\toprule", r"method & n & deletion $\downarrow$ & published \\", r"\midrule"]
    assert lines[7] == r"Grad-CAM & 2 & 0.250 $\pm$ 0.125 [0.200, 0.300] & 0.17 to 0.18 \\"
    assert lines[-3:] == [r"\bottomrule", r"\end{tabular}", r"\end{table}"]


def test_small_p_values_and_signs_that_latex_takes_for_its_own():
    sheet = Sheet("p", "A & B, #1", "", ("p",), ((PValue(0.0004),), (PValue(0.01),)))
    assert to_markdown(sheet).splitlines()[2:] == ["| < 0.001 |", "| 0.010 |"]
    assert to_csv(sheet) == "p\n0.0004\n0.01\n"
    assert r"\caption{A \& B, \#1}" in to_latex(sheet)
    assert r"$<$ 0.001 \\" in to_latex(sheet)


def test_a_measure_leaves_out_what_is_not_known():
    found = measure([1.0, float("nan"), 3.0])
    assert found[:2] == (2.0, 1.0)
    assert measure([float("nan")]) is None


def test_published_numbers_and_empty_cells():
    assert published("networks", "pan", "IR", "IR", "", "accuracy") == (0.9, 0.9)
    assert published("results-ir", "pan", "IRTV", "IR", "rise", "deletion") == (0.17, 0.18)
    assert published("results-ir", "pan", "IRTV", "IR", "random", "deletion") is None
    assert published("rise-grid", "resnet3d18", "IRTV", "TV", "2x8x8", "insertion") == (0.60, 0.64)
    assert published("rise-grid", "resnet3d18", "IRTV", "TV", "4x8x8", "insertion") is None
    assert remarks("results-ir") == ["a span over the three methods"]
    assert remarks("sidu-threshold") == []


def located(method, clip="a", *, truth, deletion, insertion):
    return Located("pan", "IR", "IR", clip, method, truth, truth, truth, truth, deletion, insertion, clip[:1])


def test_rank_correlation_of_known_order():
    maps = [
        located("Grad-CAM", truth=0.9, deletion=0.1, insertion=0.1),
        located("RISE", truth=0.5, deletion=0.2, insertion=0.2),
        located("random", truth=0.3, deletion=0.3, insertion=0.3),
    ]
    assert rank_correlation(maps, "deletion", "space", -1) == pytest.approx(1)
    assert rank_correlation(maps, "insertion", "space", 1) == pytest.approx(-1)
    assert np.isnan(rank_correlation(maps[:1], "insertion", "space", 1))


def test_truth_sheets_by_method_and_over_clips():
    maps = [
        located(method, clip, truth=truth, deletion=1 - truth, insertion=truth)
        for clip in ("a-IR", "a-TV", "b-IR")
        for method, truth in (("Grad-CAM", 0.75), ("random", 0.25), ("constant", 0.5))
    ]
    sheet, agreement = truth_sheets(maps)
    assert [line[:5] for line in sheet.lines] == [
        ("PAN", "IR", "IR", method, 3) for method in ("Grad-CAM", "random", "constant")
    ]
    assert sheet.lines[0][5].mean == 0.75
    assert [line[:3] for line in agreement.lines] == [("PAN", "deletion", 2), ("PAN", "insertion", 2)]
    assert all(cell.mean == pytest.approx(1) for line in agreement.lines for cell in line[3:])
