"""A recording over time: averages of overlapping windows."""

import numpy as np

from jaxsal.datasets.recordings.windows import Span
from jaxsal.evaluation.timeline import average, shown_classes, taper


def test_windows_weigh_most_in_their_middle():
    np.testing.assert_allclose(taper(Span(3, 8)), [0.1, 0.3, 0.5, 0.3, 0.1])


def test_what_all_windows_say_is_said_at_every_moment_that_one_holds():
    found = average([(Span(0, 4), np.full(4, 0.7)), (Span(2, 6), np.full(4, 0.7)), (Span(8, 10), np.full(2, 0.7))], 12)
    np.testing.assert_allclose(found, [0.7] * 6 + [np.nan] * 2 + [0.7] * 2 + [np.nan] * 2)


def test_a_moment_is_nearer_to_the_window_whose_middle_is_nearer():
    """Weights of the two windows at moments 2 and 3: 3 to 1 and 1 to 3."""
    found = average([(Span(0, 4), np.zeros(4)), (Span(2, 6), np.ones(4))], 6)
    np.testing.assert_allclose(found, [0, 0, 0.25, 0.75, 1, 1])


def test_the_classes_that_are_ever_most_probable_are_shown_and_the_one_that_is_explained():
    probabilities = np.array([[0.5, 0.3, 0.1, 0.06, 0.03, 0.01], [0.1, 0.2, 0.6, 0.05, 0.04, 0.01]])
    assert shown_classes(probabilities, [0, 2]) == [2, 0, 1, 3, 4]
    assert shown_classes(probabilities, [5, 5]) == [2, 0, 1, 3, 4, 5]
    assert shown_classes(probabilities, [2, 5]) == [2, 0, 1, 3, 4]
