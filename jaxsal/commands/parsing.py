"""The words of a command line as a verb with its options, read by tyro."""

import dataclasses
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    UnsupportedTypeAnnotationError,
)

from jaxsal.commands.recipes import recipe_options
from jaxsal.commands.refusals import refusal

REGISTRY = ConstructorRegistry()
REGISTRY.struct_rule(recipe_options)


def parse(command: Any, words: Sequence[str], description: str) -> Any:
    """Reads words as one of the verbs.

    Args:
      command: The union of the verbs' classes.
      words: What was typed after the program's name.
      description: What the help says first.

    Raises:
      SystemExit: With 2, after a message, if the words cannot be read; with 0 after help or a completion script.
      ValueError: If an option's value is not allowed.
    """

    def refuse(event: object) -> None:
        if (line := refusal(event, words, command)) is not None:
            print(f"jaxsal: {line}", file=sys.stderr)
            sys.exit(2)

    config = (tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName)
    errors = getattr(tyro, "_errors", None)  # private: without it, tyro prints its own messages
    with errors.on_parse_error(refuse) if errors is not None else nullcontext():
        return tyro.cli(
            command, prog="jaxsal", description=description, args=list(words), config=config, registry=REGISTRY
        )


@REGISTRY.primitive_rule
def _path(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Path] | None:
    """An empty path, as of a variable of the shell that is not set, would be the current folder."""
    if info.type is not Path:
        return None

    def read(words: list[str]) -> Path:
        if not words[0]:
            raise ValueError("`PATH` must not be empty; got ''.")
        return Path(words[0])

    return PrimitiveConstructorSpec(1, "PATH", read, lambda value: isinstance(value, Path), lambda value: [str(value)])


@REGISTRY.primitive_rule
def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | UnsupportedTypeAnnotationError | None:
    """An option that may be None is written like one that may not; None is not a word of the command line."""
    kinds = [kind for kind in get_args(info.type) if kind is not NoneType]
    if info.type_origin not in (Union, UnionType) or NoneType not in get_args(info.type):
        return None
    joined: Any = Union[tuple(kinds)]  # noqa: UP007
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(joined, info.markers))
    if not isinstance(spec, PrimitiveConstructorSpec):
        return spec
    return dataclasses.replace(
        spec,
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: ["None"] if value is None else spec.str_from_instance(value),
    )
