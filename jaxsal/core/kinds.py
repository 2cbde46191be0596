"""Arguments and fields against their annotations: a value of another kind is refused by name, before anything else.

Annotations of arrays, and others that Python cannot tell, allow every value: who takes an array checks its shape.
"""

import inspect
import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, ParamSpec, TypeGuard, TypeVar, Union, get_args, get_origin

from jaxsal.core.checks import check_choice, hint, is_choice, is_integer, is_number, shown

P = ParamSpec("P")
R = TypeVar("R")

Hint = Any
"""What stands behind the colon of an argument or a field."""

_SEQUENCES = (tuple, list, Sequence)
_PLAIN: dict[Hint, tuple[str, Callable[[Any], bool]]] = {
    bool: ("True or False", lambda value: type(value).__name__ in ("bool", "bool_")),
    int: ("an integer", is_integer),
    float: ("a number", lambda value: is_number(value) and not math.isnan(value)),
    str: ("a text", lambda value: isinstance(value, str)),
    Path: ("the path of a file or a folder", lambda value: _is_path(value)),
    NoneType: ("None", lambda value: value is None),
    Callable: ("a function", callable),
}
"""By annotation: what values are called, and whether a value is one."""


def check_kinds(function: Callable[P, R]) -> Callable[P, R]:
    """A function that refuses arguments of other kinds than its annotations say, and names that it does not know.

    Raises:
      TypeError: When called, if an argument is of another kind, or unknown: the message has the closest name.
      ValueError: When called, if a name is not listed or a path is empty.
    """
    signature = inspect.signature(function)
    hints = {name: parameter.annotation for name, parameter in signature.parameters.items()}

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        unknown = [name for name in kwargs if name not in hints]
        if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
            title = function.__qualname__.removesuffix(".__init__")
            raise TypeError(
                f"`{unknown[0]}` must be an argument of {title}; got {shown(kwargs[unknown[0]])} for an unknown name."
                f"{hint(unknown[0], hints)}"
            )
        for name, value in (*zip(hints, args, strict=False), *kwargs.items()):
            check_kind(name, value, hints[name])
        return function(*args, **kwargs)

    return checked


def check_fields(kind: type[R]) -> type[R]:
    """A dataclass that refuses fields of other kinds than their annotations say; errors as of `check_kinds`."""
    kind.__init__ = check_kinds(kind.__init__)  # type: ignore[method-assign]
    return kind


def check_kind(name: str, value: object, annotation: Hint) -> None:
    """Checks one value.

    Args:
      name: What to call it.
      value: The value.
      annotation: An annotation; one that Python cannot tell, such as of an array, allows every value.

    Raises:
      TypeError: If the value is of another kind.
      ValueError: If it is a name that is not listed, NaN or an empty path.
    """
    kinds = _kinds(annotation)
    if any(_fits(value, kind) for kind in kinds):
        return
    names = tuple(choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind))
    only_names = all(get_origin(kind) is Literal or kind is NoneType for kind in kinds)
    if names and (isinstance(value, str) or only_names):
        check_choice(name, value, names)
    lists = [kind for kind in kinds if get_origin(kind) in _SEQUENCES]
    if lists and _is_list(value, lists[0]):
        inner, count = _entries(lists[0])
        if count in (None, len(value)):
            for entry in value:
                check_kind(name, entry, inner)
    error = ValueError if isinstance(value, str | float) and {Path, float} & set(kinds) else TypeError
    raise error(f"`{name}` must be {_phrases(kinds)}; got {shown(value)}.")


@cache
def _kinds(annotation: Hint) -> tuple[Hint, ...]:
    """The alternatives of an annotation; a path may be a text, so that beside `Path` there is no `str`."""
    kinds = tuple(_alternatives(annotation))
    return tuple(kind for kind in kinds if kind is not str or Path not in kinds)


def _alternatives(annotation: Hint) -> Iterator[Hint]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _alternatives(part)
    elif origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    else:
        yield Callable if origin is Callable else annotation


def _fits(value: object, kind: Hint) -> bool:
    """Whether a value is of one kind; so is every value of a kind that Python cannot tell."""
    if kind in _PLAIN:
        return _PLAIN[kind][1](value)
    origin = get_origin(kind)
    if origin is Literal:
        return is_choice(value, get_args(kind))
    if origin in _SEQUENCES:
        inner, count = _entries(kind)
        return _is_list(value, kind) and count in (None, len(value)) and all(_fits_any(entry, inner) for entry in value)
    if origin in (dict, Mapping):
        inner = get_args(kind)[1]
        return isinstance(value, Mapping) and all(_fits_any(entry, inner) for entry in value.values())
    if not (isinstance(kind, type) and kind.__module__.startswith("jaxsal.")):
        return True
    if getattr(kind, "_is_protocol", False) and "__call__" in vars(kind):  # a model: its methods are checked at use
        return callable(value)
    return isinstance(value, kind)


def _fits_any(value: object, annotation: Hint) -> bool:
    return any(_fits(value, kind) for kind in _kinds(annotation))


def _entries(kind: Hint) -> tuple[Hint, int | None]:
    """Of a sequence, the annotation of its entries, and how many there must be; None for any number."""
    inner = get_args(kind)
    if get_origin(kind) is tuple and inner[-1] is not ...:
        return Union[inner], len(inner)  # noqa: UP007
    return inner[0], None


def _is_list(value: object, kind: Hint) -> TypeGuard[Collection[object]]:
    """Whether a value is an ordered list; what is kept as a tuple may not be an array."""
    if isinstance(value, list | tuple):
        return True
    ordered = isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping | set | frozenset)
    return ordered and get_origin(kind) is Sequence


def _is_path(value: object) -> bool:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    return isinstance(text, str) and bool(text) and "\0" not in text


def _phrases(kinds: Sequence[Hint]) -> str:
    """What values of one of several kinds are called; None, which is the same as to say nothing, is left out."""
    return " or ".join(_phrase(kind) for kind in kinds if kind is not NoneType or len(kinds) == 1)


def _phrase(kind: Hint) -> str:
    """What values of one kind are called."""
    if kind in _PLAIN:
        return _PLAIN[kind][0]
    origin = get_origin(kind)
    if origin is Literal:
        return f"one of {get_args(kind)}"
    if origin in _SEQUENCES:
        inner, count = _entries(kind)
        many = "a list" if count is None else f"{count} values"
        return f"{many}, each {_phrases(_kinds(inner))}"
    if origin in (dict, Mapping):
        return f"values by name, each {_phrases(_kinds(get_args(kind)[1]))}"
    return "an array" if kind.__name__ == "ArrayLike" else f"of type {kind.__name__}"
