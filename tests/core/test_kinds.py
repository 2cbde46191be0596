"""Arguments and fields against their annotations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from jaxsal.core.kinds import check_fields, check_kind, check_kinds

Name = Literal["mean", "zero"]


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (3, int),
        (np.int32(3), int),
        (np.float32(0.5), float),
        (np.True_, bool),
        (None, int | None),
        ("mean", Name),
        ("mean", Name | float),
        ((1, 2, 3), tuple[int, int, int]),
        ([1, 2], tuple[int, ...]),
        (np.array(["a", "b"]), Sequence[str]),
        ({"IR": 0.5}, Mapping[str, float]),
        ("runs/demo", str | Path),
        (Path("runs/demo"), str | Path),
        (print, Callable[[int], None] | bool | None),
        (object(), np.ndarray),
    ],
)
def test_values_of_a_kind(value, annotation):
    check_kind("option", value, annotation)


@pytest.mark.parametrize(
    ("value", "annotation", "message"),
    [
        (2.0, int, "`option` must be an integer; got 2.0"),
        (True, int | None, "`option` must be an integer; got True"),
        (float("nan"), float, "`option` must be a number; got nan"),
        (np.ones(3), float, r"`option` must be a number; got ndarray of shape \(3,\)"),
        (1, bool, "`option` must be True or False; got 1"),
        ("meen", Name | float, r"`option` must be one of \('mean', 'zero'\); got 'meen'. Did you mean 'mean'\?"),
        (1j, Name | float, r"`option` must be one of \('mean', 'zero'\) or a number; got 1j"),
        (("mean", "zoro"), tuple[Name, ...], "got 'zoro'. Did you mean 'zero'"),
        ("abc", Sequence[str], "`option` must be a list, each a text; got 'abc'"),
        ((1, 2), tuple[int, int, int], r"`option` must be 3 values, each an integer; got \(1, 2\)"),
        ({1, 2}, tuple[int, ...], r"`option` must be a list, each an integer; got \{1, 2\}"),
        ("", str | Path, "`option` must be the path of a file or a folder; got ''"),
        ("a\0b", str | Path, "`option` must be the path"),
        (3, Callable[[int], None], "`option` must be a function; got 3"),
        ({"IR": "a"}, Mapping[str, float], "`option` must be values by name, each a number"),
    ],
)
def test_values_of_another_kind(value, annotation, message):
    with pytest.raises((TypeError, ValueError), match=message):
        check_kind("option", value, annotation)


def test_functions_and_dataclasses_name_the_closest_argument():
    @check_kinds
    def draw(count: int, *, name: Name = "mean") -> str:
        return name * count

    @check_fields
    @dataclass(frozen=True)
    class Choice:
        num_masks: int = 3

    assert draw(2, name="zero") == "zerozero"
    with pytest.raises(TypeError, match="`count` must be an integer; got 'a'"):
        draw("a")
    with pytest.raises(TypeError, match="`num_mask` must be an argument of .*Choice; .* Did you mean 'num_masks'"):
        Choice(num_mask=4)
