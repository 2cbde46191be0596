"""Errors as one line that names the option as it was typed, and says what helps."""

import errno
import re
import traceback
from pathlib import Path

from jaxsal.commands.verb import Verb
from jaxsal.core.extras import MissingPackageError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EMFILE, errno.ENFILE)
_GONE = (errno.ENOENT, errno.ESTALE, errno.EROFS, errno.EACCES, errno.EPERM)
_PLACES = ("", "--output", "store")
_FILES = "Too many open files"
_MEMORY = ("chunk_size", "batch_size", "width")


def describe(error: Exception, verb: Verb | None) -> str:
    """What went wrong, for the person who typed the command.

    Args:
      error: Raised by the verb.
      verb: With its options; None if an option's value was refused while the options were read.
    """
    text = " ".join(str(getattr(error, "short", error)).split())
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        smaller = [name for name in _MEMORY if verb and name in verb.values()]
        remedy = f"; a smaller `{verb.option_name(smaller[0])}` needs less" if verb and smaller else ""
        return f"out of memory{remedy}. {text[:200]}".rstrip()
    if isinstance(error, OSError) and error.strerror:
        option = _option_with(verb, str(error.filename or ""))
        resumes = verb is not None and verb.resumes
        resumes &= error.errno in _FULL or (error.errno in _GONE and option in _PLACES)
        safe = " What was saved is safe; the same command resumes." if resumes else ""
        place = f": {error.filename}" if error.filename else ""
        said = f"{f'`{option}`: ' if option else ''}{error.strerror}{place}."
        return f"{said}{_files_remedy(said)}{safe}"
    if isinstance(error, MissingPackageError):
        return text
    if isinstance(error, ValueError | TypeError | OSError):
        return f"{with_options(text, verb)}{_files_remedy(text)}"
    return f"{type(error).__name__}: {text or 'no message'}{_place(error, verb)} (--debug shows the traceback)."


def _files_remedy(text: str) -> str:
    """What helps where a process may not open as many files as it needs."""
    return " `ulimit -n 4096` allows more." if _FILES in text else ""


def with_options(message: str, verb: Verb | None) -> str:
    """A message of the library, with each argument called as the option that it comes from.

    An argument of another name, such as `path`, is the option whose value the message quotes after "got".
    """
    known = verb.values() if verb else None

    def spelled(name: re.Match) -> str:
        field = name[1].lstrip("-").replace("-", "_")
        if known is None or verb is None:
            return f"`--{field.replace('_', '-')}`"
        option = verb.option_name(field) if field in known else ""
        if not option and not name.start():
            option = _option_with(verb, message.partition("; got ")[2])
        return f"`{option or name[1]}`"

    return re.sub(r"`(-{0,2}[\w-]+)`", spelled, message)


def _option_with(verb: Verb | None, quoted: str) -> str:
    """The option whose value, the name of a file or a folder, a text starts with; the longest if several do."""
    values = verb.values() if verb else {}
    named = {field: str(value) for field, value in values.items() if isinstance(value, str | Path)}
    found = [
        field
        for field, value in named.items()
        if quoted.startswith(repr(value)) or (value and quoted.startswith((value, str(Path(value).absolute()))))
    ]
    return verb.option_name(max(found, key=lambda field: len(named[field]))) if verb and found else ""


def _place(error: Exception, verb: Verb | None) -> str:
    """The line of a file of the user, such as a sweep's configuration, that raised an error."""
    own = {str(value.absolute()) for value in verb.values().values() if isinstance(value, Path)} if verb else set()
    lines = [f for f in traceback.extract_tb(error.__traceback__) if str(Path(f.filename).absolute()) in own]
    return f" in {lines[-1].filename}, line {lines[-1].lineno}" if lines else ""
