"""The words of a command line as a verb with its options; where they cannot be read, one line that says why."""

import dataclasses
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from types import NoneType, UnionType
from typing import Any, Union, get_args

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

_WIDE = "10000"
_NUMBERS: dict[Any, str] = {int: "a whole number", float: "a number"}
_HELP_INDENT = 8
_PLAINER: tuple[tuple[str, Any], ...] = (
    (r"^Error parsing (\S+): ", r"`\1` "),
    (r"^invalid choice (.*) for argument '(\S+)'\. Expected one of (\(.*\))", r"`\2` must be one of \3; got \1"),
    (r"^`(?:\w+\.)*(\w+)` ", lambda found: f"`{found[1].upper()}` "),
    (r"^Missing value for argument '(\S+)'\. Expected (\d+) values", r"`\1` must have \2 value(s); got fewer"),
)

REGISTRY = ConstructorRegistry()


class NoCommandError(Exception):
    """Words that are no command."""


def parse(command: Any, words: Sequence[str], description: str) -> Any:
    """Reads words as one of the verbs.

    Args:
      command: The union of the verbs' classes.
      words: What was typed after the program's name.
      description: What the help says first.

    Raises:
      NoCommandError: If the words cannot be read; the message is one line.
      ValueError: If an option's value is not allowed.
      SystemExit: If help or a completion script was asked for.
    """
    errors = io.StringIO()
    wants_help = not {"-h", "--help"}.isdisjoint(words)
    try:
        with redirect_stderr(errors), _columns(None if wants_help else _WIDE):
            return tyro.cli(
                command,
                prog="jaxsal",
                description=description,
                args=list(words),
                config=(tyro.conf.FlagCreatePairsOff,),
                registry=REGISTRY,
            )
    except SystemExit as stopped:
        if stopped.code in (0, None):
            raise
        raise NoCommandError(one_line(errors.getvalue())) from None


def one_line(box: str) -> str:
    """What is said in a box of several lines and sections, without the help of options and without pointers to it."""
    _, *lines = re.sub(r"\x1b\[[0-9;]*m", "", box).splitlines() or [""]  # the first has the title
    sections: list[list[str]] = [[]]
    for line in lines:
        row = line[2:].rstrip("│ ")
        if row.strip("╰╯─- "):
            sections[-1].append(row)
        elif row:
            sections.append([])
    kept = [" ".join(" ".join(row.split()) for row in section if _indent(row) < _HELP_INDENT) for section in sections]
    said = [text for text in kept if text and not text.startswith(("For full helptext", "Argument helptext"))]
    message = ". ".join(text.rstrip(".") for text in said) + "."
    for pattern, plainer in _PLAINER:
        message = re.sub(pattern, plainer, message)
    return message


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip())


@contextmanager
def _columns(width: str | None) -> Iterator[None]:
    """Sets the width that help and errors are written in."""
    before = os.environ.get("COLUMNS")
    if width is not None:
        os.environ["COLUMNS"] = width
    try:
        yield
    finally:
        os.environ.pop("COLUMNS", None)
        if before is not None:
            os.environ["COLUMNS"] = before


@REGISTRY.primitive_rule
def _number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    if info.type not in _NUMBERS:
        return None
    kind: Callable[[str], Any] = info.type

    def read(words: list[str]) -> Any:
        try:
            return kind(words[0])
        except ValueError:
            raise ValueError(f"must be {_NUMBERS[kind]}; got {words[0]!r}") from None

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=info.type.__name__.upper(),
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, int | kind),
        str_from_instance=lambda value: [str(value)],
    )


@REGISTRY.primitive_rule
def _numbers(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """As many numbers as a tuple has."""
    kinds = get_args(info.type)
    if info.type_origin is not tuple or not set(kinds) <= set(_NUMBERS):
        return None
    specs: list[Any] = [ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kind, set())) for kind in kinds]
    return PrimitiveConstructorSpec(
        nargs=len(kinds),
        metavar=" ".join(spec.metavar for spec in specs),
        instance_from_str=lambda words: tuple(
            spec.instance_from_str([word]) for spec, word in zip(specs, words, strict=True)
        ),
        is_instance=lambda value: isinstance(value, tuple) and len(value) == len(kinds),
        str_from_instance=lambda value: [str(number) for number in value],
    )


@REGISTRY.primitive_rule
def _optional(info: PrimitiveTypeInfo) -> Any:
    """An option that may be left out is written as one that may not; None is not a word."""
    kinds = get_args(info.type)
    if info.type_origin not in (Union, UnionType) or len(kinds) != 2 or NoneType not in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not NoneType)
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kind, info.markers))
    if not isinstance(spec, PrimitiveConstructorSpec):
        return spec
    return dataclasses.replace(
        spec,
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: ["None"] if value is None else spec.str_from_instance(value),
    )


def note(message: str) -> None:
    """Says something on standard error, in one line."""
    print(f"jaxsal: {message}", file=sys.stderr)
