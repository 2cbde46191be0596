"""A command line that cannot be read, in one line: which option, its rule, what was typed, and the closest name."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, get_args, get_type_hints

from jaxsal.core.checks import hint
from jaxsal.training.options import TrainOptions

_PLACE = " before the options"  # else an option that takes several values takes it, too
_KINDS = {
    "INT": "a whole number",
    "FLOAT": "a number",
    "PATH": "the path of a file or a folder",
    "{FLOAT FLOAT}": "two numbers",
}


def refusal(event: Any, words: Sequence[str], command: object) -> str | None:
    """What is wrong with a command line; None where only tyro knows.

    tyro tells of its errors by events, which it calls private: where one is not as expected, tyro's own message stays.

    Args:
      event: What tyro found.
      words: What was typed after the program's name.
      command: The union of the verbs' classes.
    """
    argument: Any = getattr(event, "argument", None)
    name = f"`{_spelled(argument)}`" if argument is not None else ""
    with suppress(AttributeError):
        match type(event).__name__:
            case "MissingSubcommand":
                typed, choices = " ".join(["jaxsal", *words]), event.subcommand_spec.parser_from_name
                return f"`{typed}` must be followed by one of {_names(choices)}."
            case "UnrecognizedArgs":
                return _unrecognized(event.tokens[0], words, command)
            case "MissingArgs":
                missing = " and ".join(f"`{_spelled(lacking.arg)}`" for lacking in event.missing_arguments)
                positional = event.missing_arguments[0].arg.is_positional()
                place = _PLACE if positional and any(word.startswith("--") for word in words) else ""
                return _unknown_option(words, command) or f"{missing} must be given{place}; see {_help(words)}."
            case "BadValue" if event.reason == "too_few_values":
                count = argument.lowered.nargs
                rule = f"must have {count} values; got fewer" if count != 1 else "must have a value; got none"
                return (argument.is_positional() and _unknown_option(words, command)) or f"{name} {rule}."
            case "InvalidChoice":
                choices = event.choices
                return f"{name} must be one of {choices}; got {event.value!r}.{hint(event.value, choices)}"
            case "InstantiationFailure" if argument is not None:
                kinds = [_KINDS.get(kind, kind.strip("{}")) for kind in str(argument.lowered.metavar).split("|")]
                return f"{name} must be {', or '.join(kinds)}; got {_typed(_spelled(argument), words)}."
    return None


def _unrecognized(token: str, words: Sequence[str], command: object) -> str:
    """What is wrong with a word that tyro does not know."""
    verbs = _verbs(command)
    choices = verbs if token == words[0] else _jobs(verbs[words[0]]) if token == words[1] else {}
    if choices:
        return f"`{token}` must be one of {_names(choices)}.{hint(token, [*choices, '--help', '--version'])}"
    if (unknown := _unknown_option([words[0], token], command)) is not None:
        return unknown
    before = [word.partition("=")[0] for word in words[: _place(token, words) + 1] if word.startswith("--")]
    after = f" after `{before[-1]}`" if before else ""
    return f"{token!r} is a word too many{after}; see {_help(words)}."


def _place(token: str, words: Sequence[str]) -> int:
    """Where a word that tyro does not know is, by itself or behind an option and =."""
    return next((place for place, word in enumerate(words) if token in (word, word.partition("=")[2])), 0)


def _unknown_option(words: Sequence[str], command: object) -> str | None:
    """What is wrong with the first word that looks like an option and is none of the verb's; None without such."""
    known = list(_options(_verbs(command)[words[0]]))
    for word in words[1:]:
        option = word.partition("=")[0].replace("_", "-")
        if option.startswith("--") and option not in known:
            return f"`{word}` must be an option of jaxsal {words[0]}.{hint(option, known)} See {_help(words)}."
    return None


def _options(kind: object) -> Iterator[str]:
    """The options of a verb as they are typed, those of nested dataclasses too."""
    if kind is TrainOptions:
        yield "--recipe"  # no field: `jaxsal.commands.recipes` makes the options of it
    for name, of_field in get_type_hints(kind).items():
        nested = [part for part in (of_field, *get_args(of_field)) if dataclasses.is_dataclass(part)]
        for part in nested:
            yield from _options(part)
        if not nested:
            yield "--" + name.replace("_", "-")


def _verbs(command: object) -> dict[str, Any]:
    """The classes of a union by the words that name them."""
    return {kind.__name__.lower(): kind for kind in get_args(command)}


def _jobs(verb: type) -> dict[str, Any]:
    """What a verb is followed by, where it has several jobs."""
    unions = [
        hinted for hinted in get_type_hints(verb).values() if all(map(dataclasses.is_dataclass, get_args(hinted)))
    ]
    return next((jobs for jobs in map(_verbs, unions) if jobs), {})


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


def _help(words: Sequence[str]) -> str:
    return f"jaxsal {words[0]} --help"


def _spelled(argument: Any) -> str:
    """An option as it is typed, or as the help calls it."""
    name = argument.display_name()
    return name.rpartition(".")[2].upper() if argument.is_positional() else name


def _typed(option: str, words: Sequence[str]) -> str:
    """The values that were typed after an option."""
    for place, word in enumerate(words):
        if word == option:
            end = next((n for n in range(place + 1, len(words)) if words[n].startswith("--")), len(words))
            return " ".join(map(repr, words[place + 1 : end]))
        if word.startswith(f"{option}="):
            return repr(word.partition("=")[2])
    return "another value"
