"""Numbers that are spread evenly."""

import pytest

from jaxsal.core.spread import spread


@pytest.mark.parametrize(
    ("length", "count", "numbers"),
    [(5, 3, [0, 2, 4]), (10, 4, [0, 3, 6, 9]), (3, 8, [0, 1, 2]), (7, 1, [0]), (1, 1, [0])],
)
def test_first_last_and_between(length, count, numbers):
    assert spread(length, count) == numbers


def test_no_number_comes_twice():
    for length in range(1, 40):
        for count in range(1, 45):
            assert len(set(spread(length, count))) == min(length, count)
