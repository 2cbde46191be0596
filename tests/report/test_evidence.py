"""The sheet of methods against controls: means, p-values before and after Holm, and how many cells stand."""

import numpy as np
import pytest

from jaxsal.metrics.statistics import holm
from jaxsal.report.evidence import evidence_sheet

CLIPS = [f"clip{number}" for number in range(10)]


def measured(rng, level):
    return dict(zip(CLIPS, level + 0.01 * rng.standard_normal(10), strict=True))


def test_every_method_is_tested_against_each_control_and_corrected_over_the_cells():
    rng = np.random.default_rng(0)
    deletion = {
        ("IR", "RISE"): measured(rng, 0.2),
        ("IR", "SIDU"): measured(rng, 0.6),
        ("IR", "smooth"): measured(rng, 0.6),
        ("IR", "RISE of another clip"): measured(rng, 0.3),
        ("IR", "SIDU of another clip"): measured(rng, 0.1),
    }

    sheet = evidence_sheet("e", "E", {"deletion": deletion}, ("smooth", "other"), {"deletion": -1})

    assert sheet.columns[:4] == ("spectrum", "measure", "method", "mean")
    rise, sidu = sheet.lines
    assert rise[:3] == ("IR", "deletion ↓", "RISE")
    assert rise[3] == pytest.approx(0.2, abs=0.02)
    assert rise[5] == pytest.approx(2 / 2**10)  # all ten differences have one sign
    assert [rise[6], sidu[6]] == holm([rise[5], sidu[5]])
    assert sheet.footnote == (
        "Better than smooth after Holm's correction: 1 of 2 cells. "
        "Better than other after Holm's correction: 1 of 2 cells."  # SIDU's difference has the wrong sign
    )


def test_clips_that_a_control_lacks_are_left_out_of_its_test():
    rng = np.random.default_rng(0)
    other = {clip: value for clip, value in measured(rng, 0.5).items() if clip != "clip0"}
    values = {"AUC": {("TV", "RISE"): measured(rng, 0.9), ("TV", "RISE of another clip"): other}}

    sheet = evidence_sheet("e", "E", values, ("other",), {"AUC": 1})

    assert sheet.lines[0][5] == pytest.approx(2 / 2**9)
