"""Checks of names and numbers."""

import pytest

from jaxsal.core.checks import check_choice, hint

CLASSES = ("walk_forward", "walk_back", "wave")


@pytest.mark.parametrize(
    ("typed", "closest"),
    [("walk_forwards", "walk_forward"), ("Walk_Back", "walk_back"), ("walk-back", "walk_back"), ("WAVE", "wave")],
)
def test_the_closest_name_is_asked_for_whatever_its_case(typed, closest):
    assert hint(typed, CLASSES) == f" Did you mean {closest!r}?"


@pytest.mark.parametrize("typed", ["jump", 3, None])
def test_nothing_is_asked_where_nothing_is_close(typed):
    assert hint(typed, CLASSES) == ""


def test_names_that_differ_in_case_alone():
    with pytest.raises(ValueError, match=r"`spectrum` must be one of \('IR', 'TV'\); got 'ir'. Did you mean 'IR'\?"):
        check_choice("spectrum", "ir", ("IR", "TV"))
