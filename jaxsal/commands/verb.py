"""What all verbs share: the switches of every verb, what was typed, and the result that is printed."""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, get_type_hints

import tyro


class Output(NamedTuple):
    """The result of a verb; the command line prints one of the two.

    Attributes:
      text: A table or a few lines.
      data: The same and more, of kinds that JSON has.
    """

    text: str
    data: dict[str, Any]

    @property
    def json(self) -> str:
        """The data as one JSON object; a number that is not finite, which JSON cannot write, is null."""
        return json.dumps(_finite(self.data), allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Switches:
    """With every verb."""

    json: bool = False
    """Print the result as one JSON object instead of text."""
    debug: bool = False
    """Show the traceback of an error."""
    no_cache: bool = False
    """Do not keep compiled programs in the user's cache folder."""
    version: bool = False
    """Print jaxsal's version and exit."""


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb of the command line; its options are the fields of its class.

    Attributes:
      switches: Those of every verb.
      command: What was typed, as one line; set by the command line itself.
    """

    switches: Annotated[Switches, tyro.conf.arg(name="")] = Switches()
    command: tyro.conf.Suppress[str] = ""

    resumes: ClassVar[bool] = False
    """Whether the same command resumes an interrupted run."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Optional modules that the job needs, of `jaxsal.core.extras`; checked before it starts."""

    def run(self) -> Output:
        """Does the job."""
        raise NotImplementedError

    def values(self) -> dict[str, Any]:
        """By field, the values of all options, including nested ones."""
        values: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            values |= vars(value) if dataclasses.is_dataclass(value) else {field.name: value}
        return values

    def option_name(self, field: str) -> str:
        """An option as it is typed, --num-masks, or as the help calls it, CLIP."""
        hint = get_type_hints(type(self), include_extras=True).get(field)
        positional = tyro.conf.Positional in getattr(hint, "__metadata__", ())
        return field.upper() if positional else "--" + field.replace("_", "-")


def unset(default: str) -> Any:
    """Annotates an option with what holds if it is not set, for the help."""
    return tyro.conf.arg(help_behavior_hint=f"(default: {default})")
