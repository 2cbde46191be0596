"""Checks of names and numbers that users pass in, made before anything is computed."""

import operator
from typing import Any


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raises ValueError, listing the known names, unless `value` is one of them."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}; got {value!r}.")


def check_integer(name: str, value: Any) -> None:
    """Raises TypeError unless `value` is an integer, of Python or NumPy; 2.0 is none."""
    try:
        operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be an integer; got {value!r}.") from None


def check_shape(name: str, value: Any) -> None:
    """Raises ValueError unless `value` is three positive counts, of time, height and width."""
    if len(value) != 3:
        raise ValueError(f"`{name}` must be three positive counts; got {value}.")
    for count in value:
        check_positive(name, count)


def check_positive(name: str, value: Any) -> None:
    """Raises TypeError unless `value` is an integer, ValueError unless it is at least 1."""
    check_integer(name, value)
    if value < 1:
        raise ValueError(f"`{name}` must be at least 1; got {value}.")


def check_seed(seed: int) -> None:
    """Raises ValueError if a seed is below 0."""
    if seed < 0:
        raise ValueError(f"`seed` must be at least 0; got {seed}.")
