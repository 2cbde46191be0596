"""Errors as one line that names the option as it was typed, and what can be done about it."""

import re
import traceback
from pathlib import Path

from jaxsal.commands.verb import Verb

_OF_A_PATH = ("path", "root", "run", "file", "folder", "source")
_OUT_OF_MEMORY = "RESOURCE_EXHAUSTED"


def describe(error: Exception, verb: Verb | None) -> str:
    """What went wrong, for the one who typed the command.

    Args:
      error: Raised by the verb.
      verb: With its options; None where an option's value was refused while they were read.
    """
    text = " ".join(str(getattr(error, "short", error)).split())
    if verb is None:
        return re.sub(r"`(\w+)`", lambda found: f"`--{found[1].replace('_', '-')}`", text)
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY in text:
        smaller = [name for name in ("chunk_size", "batch_size", "width") if name in verb.values()]
        remedy = f"; a smaller `{verb.option_name(smaller[0])}` needs less" if smaller else ""
        return f"out of memory{remedy}. {text[:200]}".rstrip()
    if isinstance(error, OSError) and error.strerror and error.filename:
        option = _option_with(verb, str(error.filename))
        return f"{option}{error.strerror}: {error.filename}."
    if isinstance(error, ValueError | TypeError | OSError):
        return with_options(text, verb)
    return f"{type(error).__name__}: {text or 'no message'}{_place(error, verb)} (--debug shows where it came from)."


def with_options(message: str, verb: Verb) -> str:
    """A message of the library, with the arguments that come from options called as the options are."""
    known = verb.values()

    def name(found: re.Match) -> str:
        field = found[1].lstrip("-").replace("-", "_")
        field = verb.renamed.get(field, field)
        return f"`{verb.option_name(field)}`" if field in known else found[0]

    first = re.match(r"`(\w+)`", message)
    if first is not None and first[1] in _OF_A_PATH and (option := _option_with(verb, message)):
        return option.removesuffix(": ") + message[first.end() :]
    return re.sub(r"`(-{0,2}[\w-]+)`", name, message)


def _option_with(verb: Verb, message: str) -> str:
    """The option whose value, the name of a file or a folder, is in a message; the longest where several are."""
    typed = {field: str(value) for field, value in verb.values().items() if isinstance(value, str | Path)}
    values = {
        field: text for field, text in typed.items() if text not in ("", ".") and text in message and field != "command"
    }
    return f"`{verb.option_name(max(values, key=lambda field: len(values[field])))}`: " if values else ""


def _place(error: Exception, verb: Verb) -> str:
    """Where in a file of the user's, such as a sweep's configuration, an error was raised."""
    own = {str(Path(value).absolute()) for value in verb.values().values() if isinstance(value, Path)}
    lines = [f for f in traceback.extract_tb(error.__traceback__) if str(Path(f.filename).absolute()) in own]
    return f" in {lines[-1].filename}, line {lines[-1].lineno}" if lines else ""
