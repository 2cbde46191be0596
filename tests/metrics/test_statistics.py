"""Paired tests, tests of equivalence and Holm's correction: closed forms for few clips, their size for many."""

import itertools

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from jaxsal.metrics.statistics import PairedTest, equivalence_test, holm, paired_test


def test_paired_test_counts_every_sign_pattern():
    rng = np.random.default_rng(3)
    first, second = rng.random(7), rng.random(7) - 0.2
    differences = first - second
    means = [np.mean(np.array(signs) * differences) for signs in itertools.product([1, -1], repeat=7)]
    expected = np.mean(np.abs(means) >= abs(differences.mean()) - 1e-12)

    result = paired_test(first, second)

    assert 2 / 2**7 < expected < 1
    assert result == PairedTest(pytest.approx(differences.mean()), expected)


@pytest.mark.parametrize(
    ("first", "second", "difference", "p_value"),
    [
        (np.full(1, 0.1), np.full(1, 0.4), -0.3, 1),
        (
            np.full(16, 0.1),
            np.full(16, 0.4),
            -0.3,
            2 / 2**16,
        ),  # one pattern of 2^n, and its mirror
        ([0.3, 0.1, 0.2, -0.3], np.zeros(4), 0.075, 12 / 16),  # reach 3 tenths; rounded sums would say 6 of 16
        (np.linspace(0, 1, 5), np.linspace(0, 1, 5), 0, 1),
        (np.ones(40), np.zeros(40), 1, 1 / 20_001),  # drawn signs: never zero, and the observed ones count
    ],
)
def test_p_values_in_closed_form(first, second, difference, p_value):
    assert paired_test(np.array(first), second) == (pytest.approx(difference), p_value)


def test_monte_carlo_agrees_with_the_exact_test(monkeypatch):
    rng = np.random.default_rng(4)
    first, second = rng.random(14), rng.random(14) - 0.1
    exact = paired_test(first, second).p_value
    monkeypatch.setattr("jaxsal.metrics.statistics._MAX_EXACT_CLUSTERS", 0)

    drawn = paired_test(first, second, seed=5).p_value

    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 20_000))


def test_p_values_are_uniform_without_a_difference():
    rng = np.random.default_rng(6)
    p_values = [paired_test(*rng.random((2, 9))).p_value for _ in range(400)]
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / 400))


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


def test_clips_of_a_cluster_flip_together():
    """Two clusters have four patterns: with sums of 3 and -1, all reach the |3 - 1| that is observed."""
    differences, actors = np.array([1.0, 1.0, 1.0, -1.0]), ["a", "a", "a", "b"]
    assert paired_test(differences, np.zeros(4), clusters=actors) == (0.5, 1.0)
    assert paired_test(differences[:3], np.zeros(3), clusters=actors[:3]) == (1.0, 1.0)
    rng = np.random.default_rng(7)
    values = rng.normal(0.3, 1, (6, 2))
    by_cluster = paired_test(values.ravel(), np.zeros(12), clusters=np.repeat(np.arange(6), 2).tolist())
    assert by_cluster.p_value == paired_test(values.mean(axis=1), np.zeros(6)).p_value


def test_the_clustered_test_keeps_its_level_where_the_other_does_not():
    """Ten actors of three clips each, no difference in mean: a .05 test must reject in .05 of 400 sets."""
    rng, num_sets = np.random.default_rng(8), 400
    actors = np.repeat(np.arange(10), 3)
    sets = np.sqrt(0.5) * (rng.normal(size=(num_sets, 10))[:, actors] + rng.normal(size=(num_sets, 30)))
    clustered = [paired_test(values, np.zeros(30), clusters=actors.tolist()).p_value <= 0.05 for values in sets]
    assert np.mean(clustered) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / num_sets))
    assert np.mean([ttest_1samp(values, 0).pvalue <= 0.05 for values in sets]) > 0.1


def test_equivalence_is_the_weaker_of_two_one_sided_t_tests():
    values = np.random.default_rng(9).normal(0.02, 0.05, 12)
    below, above = ttest_1samp(values, -0.07, alternative="greater"), ttest_1samp(values, 0.07, alternative="less")
    assert equivalence_test(values, low=-0.07, high=0.07) == pytest.approx(max(below.pvalue, above.pvalue))
    assert equivalence_test(values, low=-0.07) == pytest.approx(below.pvalue)
    assert equivalence_test(values, high=0.07) == pytest.approx(above.pvalue)
    doubled = np.repeat(values, 2)
    assert equivalence_test(doubled, np.repeat(np.arange(12), 2).tolist(), low=-0.07) == pytest.approx(below.pvalue)


def test_equivalence_at_the_limit_is_found_no_more_often_than_its_level():
    """Means at the limit itself: in .05 of 1000 sets at most."""
    sets = np.random.default_rng(10).normal(0.07, 0.05, (1000, 10))
    found = np.mean([equivalence_test(values, low=-0.07, high=0.07) <= 0.05 for values in sets])
    assert found == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 1000))


def test_equivalence_without_spread_or_clusters():
    assert equivalence_test(np.full(3, 0.25), low=0.0, high=0.5) == 0.0
    assert equivalence_test(np.full(3, 0.75), low=0.0, high=0.5) == 1.0
    assert equivalence_test(np.ones(1), low=0.0) == 1.0
    assert equivalence_test(np.ones(3), ["a"] * 3, low=0.0) == 1.0
    with pytest.raises(ValueError, match="`low` must be below `high`; got 0.1 and 0.1"):
        equivalence_test(np.ones(3), low=0.1, high=0.1)
