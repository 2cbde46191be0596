"""Verdicts on values with a known answer."""

import numpy as np
import pytest

from jaxsal.metrics.summary import ClipResult
from jaxsal.paper.cells import study_tables
from jaxsal.paper.conclusions import (
    MARGIN,
    Comparison,
    LimitTest,
    advantages,
    conclusion_sheets,
    effect_size,
    limit_tests,
    verdict,
)
from jaxsal.paper.config import PRESETS
from jaxsal.paper.values import Values
from jaxsal.recipes import STUDY_METHODS

STUDY = PRESETS["small"]
NOISE = np.linspace(-0.01, 0.01, 10)


def results_by(score, num_scenes=10, num_trainings=1):
    """Insertion by a rule of the cell, deletion its complement, on scenes in both spectra."""
    cells = [row.cell for table in study_tables(STUDY, "default") for row in table.rows]
    return {
        cell: [
            [
                ClipResult(
                    f"scene {n}-{cell.spectrum}",
                    cell.spectrum,
                    cell.label,
                    0,
                    0,
                    deletion=1 - score(cell) - NOISE[n],
                    insertion=score(cell) + NOISE[n] * (1 + len(cell.method)),
                    floor=0.1,
                    start=0.1,
                    seconds=0.0,
                    actor=f"actor {n}",
                )
                for n in range(num_scenes)
            ]
            for _ in range(num_trainings)
        ]
        for cell in cells
    }


def as_the_study_says(cell):
    options = cell.options
    value = {"gradcam": 0.8, "rise": 0.6, "sidu": 0.5}.get(cell.method, 0.3)
    value += 0.05 * (cell.spectra == "IRTV")
    if cell.method == "rise" and len(options.method) == 1:
        value += 0.05 * np.log10(options.num_masks / STUDY.num_masks) - 0.02 * (options.grid_shape[0] - 2)
    if cell.method == "sidu" and options.threshold < 0:
        value -= 0.3
    return value


def verdicts(score):
    summary, evidence = conclusion_sheets(STUDY, "default", results_by(score))
    assert len(summary.lines) == 14
    assert {line[:2] for line in evidence.lines} == {line[:2] for line in summary.lines}
    return {line[0]: line[2] for line in summary.lines if line[1] == "PAN"}


def test_all_conclusions_hold_where_the_study_is_right():
    assert set(verdicts(as_the_study_says).values()) == {"holds"}


def test_no_difference_decides_nothing_but_likeness():
    found = verdicts(lambda cell: 0.5)
    assert [text for text, verdict in found.items() if verdict == "holds"] == [
        f"p matters little (by less than {MARGIN})",
        f"tau = 0.5 is near the best (within {MARGIN})",
    ]
    assert found["Grad-CAM is the best method"] == "undecided"
    assert found[f"tau < 0 is much worse (by over {MARGIN})"] == "does not"


def test_the_opposite_does_not_hold():
    found = verdicts(lambda cell: 1 - as_the_study_says(cell) + 0.4 * (cell.options.keep_prob == 0.5))
    assert set(found.values()) == {"does not"}


def test_conclusions_without_their_cells_are_left_out():
    everything = results_by(as_the_study_says)
    some = {cell: found for cell, found in everything.items() if cell.method == "sidu" and cell.spectra == "IRTV"}
    summary, _ = conclusion_sheets(STUDY, "default", some)
    assert {line[0][:5] for line in summary.lines} == {"tau =", "tau <"}
    assert conclusion_sheets(STUDY, "default", {}) is None


def test_both_spectra_of_an_actor_are_one_value_and_low_deletion_is_good():
    results = results_by(lambda cell: {"IR": 0.4, "TV": 0.6}[cell.spectrum] * (cell.method == "rise"))
    cells = [cell for cell in results if cell.spectra == "IRTV" and len(cell.options.method) == len(STUDY_METHODS)]
    pairs = [
        tuple(next(c for c in cells if (c.arch, c.method, c.spectrum) == ("pan", m, s)) for m in ("rise", "sidu"))
        for s in ("IR", "TV")
    ]
    for measure in ("deletion", "insertion"):
        values = advantages(Comparison("", measure, tuple(pairs)), results)
        np.testing.assert_allclose(values.numbers, np.full(10, 0.5), atol=1e-9)
        assert values.num_actors == 10


def by_actor(*trainings):
    """One number for each training and actor."""
    return Values.of((float(v), k, f"actor {n}") for k, row in enumerate(trainings) for n, v in enumerate(row))


def test_a_training_that_disagrees_undecides_what_one_training_shows():
    """Sure of the actors of one training, not of trainings: they lie 0.4 apart, with one degree of freedom."""
    first, second = 0.5 + NOISE, 0.1 + NOISE
    assert verdict(limit_tests(by_actor(first))) == "holds"
    assert verdict(limit_tests(by_actor(first, second))) == "undecided"
    assert verdict(limit_tests(by_actor(first, first + 0.001))) == "holds"


def test_conclusions_say_how_many_trainings_stand_behind_them():
    for count in (1, 2):
        summary, _ = conclusion_sheets(STUDY, "default", results_by(as_the_study_says, num_trainings=count))
        assert {line[-1] for line in summary.lines} == {count}


@pytest.mark.parametrize(
    ("shift", "limits", "expected"),
    [
        (0.1, {}, "holds"),
        (0.0, {}, "undecided"),
        (-0.1, {}, "does not"),
        (0.05, dict(least=-0.07, most=0.07), "holds"),
        (0.2, dict(least=-0.07, most=0.07), "does not"),
        (0.07, dict(least=-0.07, most=0.07), "undecided"),
        (0.05, dict(least=0.07), "does not"),
    ],
)
def test_verdicts(shift, limits, expected):
    tests = limit_tests(by_actor(shift + NOISE), **limits)
    assert verdict(tests) == expected
    assert (max(test.p_value for test in tests) <= 0.05) == (expected != "undecided")


def test_parts_the_other_way_are_corrected_for_their_number_and_holding_parts_are_not():
    """With p = 0.03 in each of two parts: both positive hold; one negative is 0.06 after Holm, undecided."""
    good, bad = LimitTest(0.1, 1.0, 0.03), LimitTest(-0.1, -1.0, 0.03)
    assert verdict([good, good]) == "holds"
    assert verdict([bad]) == "does not"
    assert verdict([bad, good]) == "undecided"
    assert verdict([bad._replace(p_value=0.02), good]) == "does not"


def test_what_could_not_be_measured_is_undecided():
    results = results_by(as_the_study_says)
    nothing = {
        cell: [[result._replace(insertion=float("nan")) for result in rows] for rows in trainings]
        for cell, trainings in results.items()
    }
    absent = {cell: [] for cell in results}
    for found in (nothing, absent):
        summary, evidence = conclusion_sheets(STUDY, "default", found)
        assert {line[2] for line in summary.lines} == {"undecided"}
        assert [line[4] for line in evidence.lines if line[3] == "insertion"] == [0] * (len(evidence.lines) // 2 + 1)


def test_effect_size():
    assert effect_size(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)
    assert effect_size(np.ones(3)) is None
    assert effect_size(np.ones(1)) is None
