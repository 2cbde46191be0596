import numpy as np
import pytest
from estimators import masks_for_error, summary, table

COUNTS = (100, 200, 400)


@pytest.mark.parametrize(
    ("wanted", "masks"), [(0.1, 100.0), (0.05, 400.0), (0.1 / np.sqrt(1.5), 150.0), (0.2, 0.0), (0.01, np.inf)]
)
def test_masks_for_an_error_that_falls_as_the_root(wanted, masks):
    errors = 0.1 * np.sqrt(100 / np.asarray(COUNTS))
    np.testing.assert_allclose(masks_for_error(COUNTS, errors, wanted), masks, rtol=1e-6)


def test_more_masks_than_there_are():
    row = summary(COUNTS, ("mean", "independent"), np.full((1, 3), 0.3), np.array([0.4, 0.28, 0.2]))
    assert row["masks_for_plain_error"] is None
    assert table(COUNTS, [row]).endswith("| > 400 |")


def test_rows_and_the_table():
    plain = np.array([0.4, 0.28, 0.2])
    errors = np.array([[0.3, 0.2, 0.1], [0.5, 0.2, 0.1]])
    row = summary(COUNTS, ("centered", "sobol"), errors, plain)
    np.testing.assert_allclose(row["rmse"], [np.sqrt(0.17), 0.2, 0.1])
    assert (row["lowest"][0], row["highest"][0], row["seeds"]) == (0.3, 0.5, 2)
    assert row["masks_for_plain_error"] == pytest.approx(200.0)
    cells = table(COUNTS, [row]).splitlines()[-1]
    assert cells.startswith("| centered, sobol | 0.412 (0.300 to 0.500) |")
    assert cells.endswith("| 200 |")
