"""The line below the table of a run whose baselines leave the answer in place."""

import dataclasses

import numpy as np
import pytest

from jaxsal.report.run_table import run_tables


def with_floor(explanation, floor):
    """An explanation whose curves of every map have this floor, deletion to the mean over time."""
    curves = {
        method: tuple(curve._replace(floor=np.float32(floor)) for curve in both)
        for method, both in explanation.curves.items()
    }
    options = dataclasses.replace(explanation.options, deletion_baseline="time_mean")
    return explanation._replace(curves=curves, options=options)


@pytest.mark.parametrize("floor", [0.1, 0.5])
def test_the_table_says_where_the_floor_is_high(found, floor):
    rows, (sheet, *_) = run_tables([with_floor(explanation, floor) for explanation in found])
    for row in rows:
        if row.method == "floor":
            assert row.deletion.mean == row.insertion.mean == pytest.approx(floor)
    said = "0.50 of deletion (baseline time_mean), 0.50 of insertion (baseline blur), above 0.3. Better: reverse."
    assert (said in sheet.footnote) == (floor > 0.3)
