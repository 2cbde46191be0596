"""Intervals and paired tests: closed forms for few clips, coverage and agreement with theory for many."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student_t

from jaxsal.metrics.statistics import PairedTest, bootstrap_interval, holm, paired_test


def test_interval_of_many_normal_values_is_that_of_the_standard_error():
    values = np.random.default_rng(1).normal(0.4, 0.2, 400)

    low, high = bootstrap_interval(values)

    half = 1.96 * values.std() / 20
    np.testing.assert_allclose([low, high], [values.mean() - half, values.mean() + half], atol=0.05 * half)


def test_interval_of_few_normal_values_is_that_of_students_t():
    """Quantiles of a normal sample: of 16, plain percentiles would give 0.89 of the width."""
    values = norm.ppf((np.arange(16) + 0.5) / 16)
    low, high = bootstrap_interval(values, num_resamples=40_000)
    half = student_t.ppf(0.975, 15) * values.std(ddof=1) / 4
    np.testing.assert_allclose([low, high], [-half, half], rtol=0.04)


def test_interval_of_two_values_is_their_range():
    """Means of resamples are 0, 1/2, 1 with chance 1/4, 1/2, 1/4: the middle, but not 95 %, is a point."""
    assert bootstrap_interval(np.array([0.0, 1.0])) == (0.0, 1.0)
    assert bootstrap_interval(np.array([0.0, 1.0]), level=0.1) == (0.5, 0.5)


def test_interval_of_one_value_is_the_value():
    assert bootstrap_interval(np.array([0.3])) == (0.3, 0.3)


def test_interval_depends_on_its_seed_and_not_on_the_blocks(monkeypatch):
    values = np.random.default_rng(2).random(30)
    interval = bootstrap_interval(values)
    assert interval == bootstrap_interval(values)
    assert interval != bootstrap_interval(values, seed=1)
    monkeypatch.setattr("jaxsal.metrics.statistics._BLOCK", 250)
    assert interval == bootstrap_interval(values)


def test_paired_test_counts_every_sign_pattern():
    rng = np.random.default_rng(3)
    first, second = rng.random(7), rng.random(7) - 0.2
    differences = first - second
    means = [np.mean(np.array(signs) * differences) for signs in itertools.product([1, -1], repeat=7)]
    expected = np.mean(np.abs(means) >= abs(differences.mean()) - 1e-12)

    result = paired_test(first, second)

    assert 2 / 2**7 < expected < 1
    assert result == PairedTest(pytest.approx(differences.mean()), expected)


@pytest.mark.parametrize("n", [1, 2, 5, 14])
def test_equal_differences_reach_the_smallest_p_value(n):
    """All signs equal is one pattern of 2^n, its mirror the other, whatever the rounding of the sums."""
    assert paired_test(np.full(n, 0.1), np.full(n, 0.4)) == (pytest.approx(-0.3), 2 / 2**n)


def test_rounding_does_not_hide_equal_sums():
    """Of 3 + 1 + 2 - 3, 12 of the 16 sign patterns reach 3; in tenths, rounded sums would be 6."""
    assert paired_test(np.array([0.3, 0.1, 0.2, -0.3]), np.zeros(4)).p_value == 12 / 16


def test_no_difference_has_p_value_one():
    values = np.linspace(0, 1, 30)
    assert paired_test(values, values) == (0.0, 1.0)
    assert paired_test(values[:5], values[:5]) == (0.0, 1.0)


def test_monte_carlo_p_value_is_never_zero_and_includes_the_observed():
    assert paired_test(np.ones(40), np.zeros(40)) == (1.0, 1 / 20_001)


def test_monte_carlo_agrees_with_the_exact_test(monkeypatch):
    rng = np.random.default_rng(4)
    first, second = rng.random(14), rng.random(14) - 0.1
    exact = paired_test(first, second).p_value
    monkeypatch.setattr("jaxsal.metrics.statistics._MAX_EXACT_CLIPS", 0)

    drawn = paired_test(first, second, seed=5).p_value

    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 20_000))


def test_p_values_are_uniform_without_a_difference():
    rng = np.random.default_rng(6)
    p_values = [paired_test(*rng.random((2, 9))).p_value for _ in range(400)]
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / 400))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"`values` must hold one value per clip, \(n,\); got shape \(0,\)"),
        ([[0.1]], r"`values` must hold one value per clip, \(n,\); got shape \(1, 1\)"),
        ([0.1, np.nan], "`values` must be finite; got nan"),
    ],
)
def test_bad_values(no_shape_checks, values, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(np.array(values))


def test_bad_options():
    with pytest.raises(ValueError, match=r"`level` must be in \(0, 1\); got 95"):
        bootstrap_interval(np.ones(3), level=95)
    with pytest.raises(ValueError, match="`num_resamples` must be at least 1; got 0"):
        bootstrap_interval(np.ones(3), num_resamples=0)


def test_bad_pairs(no_shape_checks):
    with pytest.raises(ValueError, match="`second` must have one value for each of 3 clips; got 2"):
        paired_test(np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="`first` must be finite; got inf"):
        paired_test(np.array([np.inf]), np.ones(1))
    with pytest.raises(ValueError, match="`second` must hold one value per clip"):
        paired_test(np.ones(1), np.ones(()))


def test_holm_multiplies_by_what_is_left_and_never_falls():
    """0.01 x 4, 0.02 x 3, then 0.03 x 2 is no less than the one before, 0.9 x 1."""
    assert holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
