"""Methods against controls: their differences, tests and corrections, against the functions that each stands on."""

import numpy as np
import pytest

from jaxsal.metrics.contrasts import Contrast, contrast, corrected
from jaxsal.metrics.intervals import mean_interval
from jaxsal.metrics.statistics import holm, paired_test

VALUES, CONTROL = np.random.default_rng(0).random((2, 6))
ACTORS = ["a", "a", "b", "b", "c", "c"]


def test_a_contrast_is_the_paired_difference_over_actors():
    found = contrast(VALUES, CONTROL, ACTORS, seed=3)
    low, high = mean_interval(VALUES - CONTROL, ACTORS, seed=3)
    assert found[:3] == (pytest.approx((VALUES - CONTROL).mean()), low, high)
    assert found.p_value == found.p_holm == paired_test(VALUES, CONTROL, clusters=ACTORS).p_value


def test_clips_without_a_number_are_left_out_and_a_single_one_is_not_tested():
    values = np.where(np.arange(6) < 4, VALUES, np.nan)
    assert contrast(values, CONTROL, ACTORS) == contrast(VALUES[:4], CONTROL[:4], ACTORS[:4])
    assert contrast(values[3:], CONTROL[3:], ACTORS[3:]) is None


def test_holm_is_over_the_places_of_one_control():
    p_values = {"smooth": [0.01, 0.04, 0.02], "other": [0.03, 0.2]}
    places = {
        place: {
            name: Contrast(0.1, None, None, own[place], own[place])
            for name, own in p_values.items()
            if place < len(own)
        }
        for place in range(3)
    }
    found = corrected(places)
    for name, own in p_values.items():
        assert [found[place][name].p_holm for place in range(len(own))] == holm(own)
        assert [found[place][name].p_value for place in range(len(own))] == own
    assert list(found[2]) == ["smooth"]


@pytest.mark.parametrize(
    ("difference", "p_holm", "better"), [(-0.1, 0.05, True), (-0.1, 0.051, False), (0.1, 0.01, False)]
)
def test_better_needs_the_sign_and_the_corrected_p(difference, p_holm, better):
    found = Contrast(difference, None, None, 0.001, p_holm)
    assert found.better(-1) == better
    assert not found._replace(p_holm=0.06).better(1)
