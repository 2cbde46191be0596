"""A curve as a value."""

import jax
import numpy as np
import pytest

from jaxsal import Curve

CURVE = Curve(np.linspace(0, 1, 5), np.array([0.9, 0.7, 0.5, 0.3, 0.1]), np.float32(0.5), floor=0.1)


def test_it_says_what_it_is_in_a_line():
    assert repr(CURVE) == "Curve(area 0.5, 5 steps, probability 0.9 to 0.1)"
    jax.jit(lambda curve: print(curve))(CURVE)  # a traced curve has no numbers, and still a text


def test_its_figure_is_its_scores():
    (axis,) = CURVE.plot(title="deletion", label="RISE").axes
    np.testing.assert_array_equal(axis.lines[0].get_xydata(), np.stack([CURVE.fractions, CURVE.scores], axis=1))
    assert [axis.get_title(), *(line.get_label() for line in axis.lines)] == [
        "deletion",
        "RISE, AUC 0.500",
        "floor, 0.100",
    ]


def test_its_dataset_has_the_fractions():
    array = CURVE.to_xarray()
    assert float(array.set_xindex("fraction").sel(fraction=0.25)) == 0.7
    assert (array.name, array.attrs) == ("probability", {"auc": 0.5, "floor": pytest.approx(0.1)})
