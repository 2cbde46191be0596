"""What all verbs share: the switches of every verb, what was typed, and how its options are called in messages."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_type_hints

import tyro

from jaxsal.commands.output import Output


@dataclass(frozen=True)
class Everywhere:
    """With every verb."""

    json: bool = False
    """Print the result as one JSON object instead of text."""
    debug: bool = False
    """Show where an error came from."""
    no_cache: bool = False
    """Do not keep compiled programs in the user's cache folder."""
    version: bool = False
    """Print jaxsal's version and do nothing else."""


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb of the command line; its options are the fields of its class.

    Attributes:
      command: What was typed, as one line; set by the command line itself.
    """

    everywhere: Annotated[Everywhere, tyro.conf.arg(name="")] = Everywhere()
    command: tyro.conf.Suppress[str] = ""

    goes_on: ClassVar[bool] = False
    """Whether the same command goes on where it was interrupted."""
    renamed: ClassVar[Mapping[str, str]] = {}
    """By the name that a function of the library gives an argument: the field that it comes from."""

    def run(self) -> Output:
        """Does the job."""
        raise NotImplementedError

    def values(self) -> dict[str, Any]:
        """By field, the values of all options, those of nested ones among them."""
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            nested = dataclasses.is_dataclass(value) and not isinstance(value, type)
            found |= vars(value) if nested else {field.name: value}
        return found

    def option_name(self, field: str) -> str:
        """An option as it is typed, --num-masks, or as the help calls it, CLIP."""
        hint = get_type_hints(type(self), include_extras=True).get(field)
        metadata = getattr(hint, "__metadata__", ())
        if tyro.conf.Positional not in metadata:
            return "--" + field.replace("_", "-")
        names = [getattr(note, "metavar", None) for note in metadata]
        return next((name for name in names if name), field.upper())
