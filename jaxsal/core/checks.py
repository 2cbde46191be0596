"""Checks of names and numbers that users pass in, made before anything is computed."""

import operator
from collections.abc import Iterable
from dataclasses import Field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Protocol, SupportsFloat, SupportsIndex, cast, runtime_checkable


@runtime_checkable
class Options(Protocol):
    """A frozen dataclass, as the options of every method and measure are."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __hash__(self) -> int:
        """That of all fields."""


def check_choice(name: str, value: object, choices: tuple[Any, ...]) -> None:
    """Raises ValueError, listing the known names and naming the closest, unless `value` is one of them."""
    if not is_choice(value, choices):
        raise ValueError(f"`{name}` must be one of {choices}; got {shown(value)}.{hint(value, choices)}")


def check_layer(layer: str | None) -> None:
    """Raises ValueError unless a layer is a path of modules, or None."""
    if layer is not None and not all(layer.split(".")):
        raise ValueError(f"`layer` must be a path of modules, such as layer3.conv1; got {layer!r}.")


def is_choice(value: object, choices: Iterable[object]) -> bool:
    """Whether a value is one of some names or numbers; True is not 1."""
    return isinstance(value, str | int) and any(
        isinstance(value, bool) == isinstance(choice, bool) and value == choice for choice in choices
    )


def shown(value: object) -> str:
    """A value as a message shows it: an array by its kind and shape, others in at most 100 characters."""
    shape, text = getattr(value, "shape", ()), repr(value)
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} of shape {shape}"
    return text if len(text) <= 100 else f"{text[:97]}..."


def hint(value: object, choices: Iterable[object]) -> str:
    """The closest of some names as a question, whatever its case, its - and its _; empty if none is close.

    Of several that are as close, the first.
    """
    folded = {_fold(choice): choice for choice in reversed(tuple(choices)) if isinstance(choice, str)}
    close = get_close_matches(_fold(value), folded, 1) if isinstance(value, str) else []
    return f" Did you mean {folded[close[0]]!r}?" if close else ""


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_")


def is_integer(value: object) -> bool:
    """Whether a value is an integer, of Python or NumPy; 2.0 and True are none."""
    try:
        operator.index(cast(SupportsIndex, value))
    except TypeError:
        return False
    return not isinstance(value, bool)


def check_integer(name: str, value: object) -> int:
    """`value` as an integer of Python; TypeError if it is none, as for 2.0 and True."""
    if not is_integer(value):
        raise TypeError(f"`{name}` must be an integer; got {shown(value)}.")
    return operator.index(cast(SupportsIndex, value))


def is_number(value: object) -> bool:
    """Whether a value is a real number, of Python or NumPy; texts, True and lists of one number are none."""
    if isinstance(value, bool | str | bytes | complex) or not isinstance(value, SupportsFloat):
        return False
    if getattr(value, "shape", ()) != ():
        return False
    try:
        return isinstance(float(value), float)
    except (TypeError, ValueError, OverflowError):
        return False


def check_number(name: str, value: object) -> float:
    """`value` as a float; TypeError if it is no real number."""
    if not is_number(value):
        raise TypeError(f"`{name}` must be a number; got {shown(value)}.")
    return float(cast(SupportsFloat, value))


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


def check_no_file(name: str, folder: str | Path) -> None:
    """Raises ValueError if a file is where a folder is wanted, or one of those that it lies in."""
    folder = Path(folder)
    if (file := next((path for path in (folder, *folder.parents) if _is_no_folder(path)), None)) is not None:
        place = "a file" if file == folder else f"in the file {file}"
        raise ValueError(f"`{name}` must be a folder; got {folder}, which is {place}.")


def _is_no_folder(path: Path) -> bool:
    return path.exists() and not path.is_dir()
