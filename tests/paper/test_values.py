"""Numbers by training and actor: means, intervals and tests of both."""

import numpy as np
import pytest

from jaxsal.metrics.intervals import mean_interval
from jaxsal.metrics.statistics import paired_test
from jaxsal.metrics.summary import ClipResult
from jaxsal.paper.values import Values, cell_values, measure_values, one_sided, two_sided

NUMBERS = np.random.default_rng(0).normal(0.1, 0.1, (2, 9))


def by_actor(*trainings):
    return Values.of((float(v), k, f"actor {n}") for k, row in enumerate(trainings) for n, v in enumerate(row))


def test_what_is_finite_of_a_cell():
    results = [
        [
            ClipResult(f"clip {n}", "IR", "RISE", 0, 0, value, 0.5, 0.1, 0.1, 1.0, actor)
            for n, (value, actor) in enumerate([(0.2, "A"), (float("nan"), "B"), (0.4 + training, "")])
        ]
        for training in range(2)
    ]
    numbers, trainings, actors = cell_values(results, "deletion")
    np.testing.assert_allclose(numbers, [0.2, 0.4, 0.2, 1.4])
    assert (trainings, actors) == ((0, 0, 1, 1), ("A", "clip 2", "A", "clip 2"))


def test_a_measure_is_of_trainings_and_actors():
    values = by_actor(*NUMBERS)
    measure = measure_values(values, seed=3)
    assert measure.mean == pytest.approx(NUMBERS.mean())
    assert measure.std == pytest.approx(NUMBERS.std())
    assert (measure.low, measure.high) == mean_interval(values.numbers, values.trainings, values.actors, seed=3)
    assert measure_values(Values.of([])) is None
    assert measure_values(Values.of([(0.5, 0, "A")]))[:4] == (0.5, None, None, None)


def test_one_training_is_tested_by_signs_and_several_by_both_errors():
    (first, _), zeros = NUMBERS, np.zeros(9)
    assert two_sided(by_actor(first)) == paired_test(first, zeros).p_value
    both = by_actor(*NUMBERS)
    assert two_sided(both) == pytest.approx(2 * one_sided(both, positive=True))
    assert one_sided(both, positive=True) + one_sided(both, positive=False) == pytest.approx(1)
    assert two_sided(Values.of([])) == 1.0
