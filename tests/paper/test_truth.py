"""Deletion and insertion beside the actor's pixels: rank correlations of known order, means over scenes."""

import numpy as np
import pytest

from jaxsal.paper.truth import Located, rank_correlation, truth_sheets


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
    again, _ = truth_sheets([*maps, *(one._replace(training=1) for one in maps)])
    assert [line[4] for line in again.lines] == [3, 3, 3]  # clips, however many trainings explain them
    assert [line[:3] for line in agreement.lines] == [("PAN", "deletion", 2), ("PAN", "insertion", 2)]
    assert all(cell.mean == pytest.approx(1) for line in agreement.lines for cell in line[3:])
