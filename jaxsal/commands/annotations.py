"""How options appear on the command line: the names they take, and what holds where they are left out."""

from typing import Any

import tyro
from tyro.constructors import PrimitiveConstructorSpec


def one_of(*names: str) -> Any:
    """Annotates an option that is one of some names: they are listed in the help, completed, and checked."""

    def read(words: list[str]) -> str:
        if words[0] not in names:
            raise ValueError(f"must be one of {', '.join(names)}; got {words[0]!r}")
        return words[0]

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(names) + "}",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, str),
        str_from_instance=lambda value: [value],
        choices=names,
    )


def left_out(default: str, *, metavar: str | None = None) -> Any:
    """Annotates an option with what holds where it is left out, in the place of a value that says nothing."""
    return tyro.conf.arg(help_behavior_hint=f"(default: {default})", metavar=metavar)


def called(metavar: str) -> Any:
    """Annotates an option with what its value is called in the help."""
    return tyro.conf.arg(metavar=metavar)
