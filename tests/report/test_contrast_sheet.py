"""Methods against controls as a table: p and Holm's p in every format, daggers, and the sentence below."""

import csv
import json

from jaxsal.metrics.contrasts import Contrast
from jaxsal.report.contrast_sheet import Compared, contrast_sheet
from jaxsal.report.sheet import to_csv, to_html, to_latex, to_markdown, to_records

GOOD = dict(deletion=-1, insertion=1)
COMPARED = [
    Compared(
        ("IR", "RISE"),
        9,
        {
            "deletion": {
                "random": Contrast(-0.25, -0.3, -0.2, 0.0004, 0.0048),
                "other": Contrast(-0.1, -0.3, 0.1, 0.04, 0.4),
            },
            "insertion": {"random": Contrast(0.5, 0.4, 0.6, 0.01, 0.03)},
        },
    ),
    Compared(("IR", "SIDU"), 9, {"deletion": {"random": Contrast(0.125, None, None, 0.02, 0.03)}, "insertion": {}}),
    Compared(("IR", "floor"), 9, {"deletion": {}}),
]
SHEET = contrast_sheet(COMPARED, ("spectrum", "method"), GOOD)


def test_markdown_has_both_p_values_and_says_what_is_real():
    header, _, *lines, _, verdict = to_markdown(SHEET).splitlines()
    assert header == (
        "| spectrum | method | against | n | deletion ↓ difference [95 %] | deletion ↓ p | deletion ↓ Holm "
        "| insertion ↑ difference [95 %] | insertion ↑ p | insertion ↑ Holm |"
    )
    assert lines == [
        "| IR | RISE | random | 9 | -0.250 [-0.300, -0.200] | < 0.001 | 0.005 | 0.500 [0.400, 0.600] | 0.010 | 0.030 |",
        "| IR | RISE | other | 9 | -0.100 [-0.300, 0.100] | 0.040 | 0.400 † |  |  |  |",
        "| IR | SIDU | random | 9 | 0.125 | 0.020 | 0.030 † |  |  |  |",
    ]
    assert verdict == (
        "A method is better than every control in 1 of 3 cells (p ≤ 0.05 after Holm's correction). "
        "† Not shown to be better: IR RISE deletion (other); IR SIDU deletion (random)."
    )


def test_every_format_has_both_p_values():
    header, first, *_ = csv.reader(to_csv(SHEET).splitlines())
    values = dict(zip(header, first, strict=True))
    assert (values["deletion ↓ p"], values["deletion ↓ Holm"]) == ("0.0004", "0.0048")
    assert values["deletion ↓ difference [95 %] low"] == "-0.3"
    record = json.loads(json.dumps(to_records(SHEET)))[0]
    assert (record["deletion ↓ p"], record["deletion ↓ Holm"]) == (0.0004, 0.0048)
    assert r"$<$ 0.001 & 0.005 &" in to_latex(SHEET)
    assert "<td>&lt; 0.001</td><td>0.005</td>" in to_html(SHEET)


def test_all_better_is_said_in_one_sentence_and_nothing_compared_is_no_sheet():
    first = [COMPARED[0]._replace(contrasts={"insertion": COMPARED[0].contrasts["insertion"]})]
    sheet = contrast_sheet(first, ("spectrum", "method"), GOOD)
    assert sheet.footnote == "A method is better than every control in 1 of 1 cells (p ≤ 0.05 after Holm's correction)."
    assert contrast_sheet(COMPARED[2:], ("spectrum", "method"), GOOD) is None
