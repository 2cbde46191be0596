"""Intervals of a mean: closed forms, and coverage near .95 for few and many clusters, and for several trainings."""

import numpy as np
import pytest
from scipy.stats import norm, t as student_t

from jaxsal.metrics.intervals import mean_error, mean_interval


def coverage(sets, *factors, **options):
    """In how many sets of values of mean 0 the interval covers 0."""
    intervals = np.array([mean_interval(values, *factors, **options) for values in sets])
    return np.mean((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0))


def near_95(num_sets, low=0.0):
    """0.95 within four standard errors, and `low` below for a known lack."""
    half = 4 * np.sqrt(0.95 * 0.05 / num_sets)
    return pytest.approx(0.95 - low / 2, abs=half + low / 2)


@pytest.mark.parametrize("n", [2, 5])
def test_few_clips_have_students_t(n):
    sets = np.random.default_rng(n).normal(size=(800, n))
    half = student_t.ppf(0.975, n - 1) * sets[0].std(ddof=1) / np.sqrt(n)
    np.testing.assert_allclose(mean_interval(sets[0]), [sets[0].mean() - half, sets[0].mean() + half])
    assert coverage(sets) == near_95(800)


def test_more_clips_are_resampled():
    """A little less than .95: the quantiles of the resampled means of eight values are rough."""
    sets = np.random.default_rng(8).normal(size=(400, 8))
    assert mean_interval(sets[0]) != mean_interval(sets[0], seed=1)
    assert coverage(sets, num_resamples=1000) == near_95(400, low=0.015)


@pytest.mark.parametrize(("num_actors", "clips"), [(2, 8), (10, 3)])
def test_intervals_of_alike_clips_cover_the_mean_if_actors_are_clusters(num_actors, clips):
    """Within an actor values correlate by .5; as independent clips they cover far less."""
    rng, actors = np.random.default_rng(0), np.repeat(np.arange(num_actors), clips)
    sets = rng.normal(size=(200, num_actors))[:, actors] + rng.normal(size=(200, num_actors * clips))
    assert coverage(sets, actors.tolist(), num_resamples=1000) == near_95(200, low=0.015)
    assert coverage(sets[:60], num_resamples=500) < 0.88


@pytest.mark.parametrize("num_trainings", [3, 8])
def test_two_factors_cover_the_mean_over_trainings_and_actors(num_trainings):
    """Trainings and actors have a third of the variance each; the interval over actors alone covers far less."""
    rng, shape = np.random.default_rng(1), (300, num_trainings, 12)
    sets = rng.normal(size=(*shape[:2], 1)) + rng.normal(size=(300, 1, 12)) + rng.normal(size=shape)
    trainings, actors = (part.ravel().tolist() for part in np.indices(shape[1:]))
    covered = coverage(sets.reshape(300, -1), trainings, actors, num_resamples=500)
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / 300) - 0.015 <= covered
    assert coverage(sets[:60].reshape(60, -1), actors, num_resamples=500) < 0.9


def test_errors_of_one_factor_are_those_of_its_means():
    values = np.random.default_rng(2).normal(size=(6, 4))
    actors = np.repeat(np.arange(6), 4).tolist()
    mean, error, freedom = mean_error(values.ravel(), actors)
    assert (mean, freedom) == (pytest.approx(values.mean()), 5)
    assert error == pytest.approx(values.mean(axis=1).std(ddof=1) / np.sqrt(6))


def test_a_training_of_actors_of_its_own_has_the_error_of_the_trainings():
    values = np.random.default_rng(3).normal(size=(3, 4)) + np.array([[0.0], [5.0], [9.0]])
    trainings = np.repeat(np.arange(3), 4).tolist()
    _, error, freedom = mean_error(values.ravel(), trainings, list(range(12)))
    assert error == pytest.approx(values.mean(axis=1).std(ddof=1) / np.sqrt(3))
    assert 1.9 < freedom <= 2
    assert mean_error(values.ravel(), ["one"] * 12, trainings) == mean_error(values.ravel(), trainings)


def test_resampled_quantiles_of_a_normal_sample_are_those_of_students_t():
    """Of 16, plain percentiles would give 0.89 of the width."""
    values = norm.ppf((np.arange(16) + 0.5) / 16)
    low, high = mean_interval(values, num_resamples=40_000)
    half = student_t.ppf(0.975, 15) * values.std(ddof=1) / 4
    np.testing.assert_allclose([low, high], [-half, half], rtol=0.04)


def test_interval_depends_on_its_seed_and_not_on_the_blocks(monkeypatch):
    values = np.random.default_rng(2).random(30)
    interval = mean_interval(values)
    assert interval == mean_interval(values)
    monkeypatch.setattr("jaxsal.metrics.intervals._BLOCK", 250)
    assert interval == mean_interval(values)


def test_one_cluster_has_no_interval():
    assert mean_interval(np.array([0.3])) is None
    assert mean_interval(np.array([0.3, 0.4]), ["walker", "walker"]) is None


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
        mean_interval(np.array(values))


def test_bad_options():
    with pytest.raises(ValueError, match=r"`level` must be in \(0, 1\); got 95"):
        mean_interval(np.ones(3), level=95)
    with pytest.raises(ValueError, match="`num_resamples` must be at least 1; got 0"):
        mean_interval(np.ones(3), num_resamples=0)
    with pytest.raises(ValueError, match="`factors` must have a group for each of 3 values; got 2"):
        mean_interval(np.ones(3), ["a", "b"])
