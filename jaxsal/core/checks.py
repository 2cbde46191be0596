"""Checks of names and numbers that users pass in, made before anything is computed."""

import operator
from collections.abc import Iterable
from dataclasses import Field, fields
from difflib import get_close_matches
from functools import cache
from typing import (
    Any,
    ClassVar,
    Literal,
    Protocol,
    SupportsFloat,
    SupportsIndex,
    cast,
    get_args,
    get_origin,
    runtime_checkable,
)


@runtime_checkable
class Options(Protocol):
    """A frozen dataclass, as the options of every method and measure are."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __hash__(self) -> int:
        """That of all fields."""


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises ValueError, listing the known names and naming the closest, unless `value` is one of them."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}; got {value!r}.{hint(value, choices)}")


def check_layer(layer: str | None) -> None:
    """Raises TypeError or ValueError unless a layer is a path of modules, or None."""
    if layer is not None and not isinstance(layer, str):
        raise TypeError(f"`layer` must be a path of modules, such as layer3.conv1; got {layer!r}.")
    if layer is not None and not all(layer.split(".")):
        raise ValueError(f"`layer` must be a path of modules, such as layer3.conv1; got {layer!r}.")


def hint(value: object, choices: Iterable[str]) -> str:
    """The closest of some names as a question, whatever its case, its - and its _; empty if none is close.

    Of several that are as close, the first.
    """
    folded = {_fold(choice): choice for choice in reversed(tuple(choices))}
    close = get_close_matches(_fold(value), folded, 1) if isinstance(value, str) else []
    return f" Did you mean {folded[close[0]]!r}?" if close else ""


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_")


def check_names(options: Options) -> None:
    """Raises ValueError unless every name in a dataclass is listed by its field's `Literal`.

    A field may also be a tuple of names, or take None, numbers or arrays beside names.
    """
    for name, choices, only_names in _named_fields(type(options)):
        value = getattr(options, name)
        for part in value if isinstance(value, tuple) and not only_names else (value,):
            if isinstance(part, str) or only_names:
                check_choice(name, part, choices)


@cache
def _named_fields(kind: type) -> list[tuple[str, tuple[str, ...], bool]]:
    """Of a dataclass, each field that takes names: its name, the names, and whether it takes nothing else."""
    found = []
    for field in fields(cast(type[Options], kind)):
        kinds = (field.type, *get_args(field.type))
        names = tuple(name for part in kinds if get_origin(part) is Literal for name in get_args(part))
        if names:
            found.append((field.name, names, get_origin(field.type) is Literal))
    return found


def check_integer(name: str, value: object) -> int:
    """`value`, after checking that it is an integer, of Python or NumPy; TypeError if not, as for 2.0 and True."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(cast(SupportsIndex, value))
    except TypeError:
        raise TypeError(f"`{name}` must be an integer; got {value!r}.") from None


def check_number(name: str, value: object) -> float:
    """`value` as a float, after checking that it is a real number, of Python or NumPy."""
    if isinstance(value, bool | str | bytes) or not isinstance(value, SupportsFloat) or isinstance(value, complex):
        raise TypeError(f"`{name}` must be a number; got {value!r}.")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` must be a number; got {value!r}.") from None


def check_shape(name: str, value: object) -> None:
    """Checks that `value` is three positive counts, of time, height and width.

    Raises:
      TypeError: If it is no list or tuple, or holds something else than integers.
      ValueError: If the counts are others.
    """
    if not isinstance(value, list | tuple):
        raise TypeError(f"`{name}` must be three positive counts, such as (2, 8, 8); got {value!r}.")
    if len(value) != 3 or min(check_integer(name, count) for count in value) < 1:
        raise ValueError(f"`{name}` must be three positive counts; got {value}.")


def check_positive(name: str, value: object) -> None:
    """Raises TypeError unless `value` is an integer, ValueError unless it is from 1 to 2^31 - 1."""
    if check_integer(name, value) < 1:
        raise ValueError(f"`{name}` must be at least 1; got {value}.")
    if check_integer(name, value) >= 2**31:
        raise ValueError(f"`{name}` must be below 2,147,483,648; got {value}.")


def check_chunk_size(chunk_size: object) -> None:
    """Raises TypeError unless `chunk_size` is an integer or "auto", ValueError unless it is at least 1."""
    if isinstance(chunk_size, str):
        check_choice("chunk_size", chunk_size, ("auto",))
    else:
        check_positive("chunk_size", chunk_size)


def check_seed(seed: object) -> None:
    """Raises TypeError unless a seed is an integer, ValueError unless JAX's keys tell it from all others."""
    if not 0 <= check_integer("seed", seed) < 2**32:
        raise ValueError(f"`seed` must be from 0 to 4294967295; got {seed}.")
