"""Files that are whole or absent: written aside, then moved into place; and the error of damaged files."""

import csv
import errno
import io
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from jaxsal.core.checks import check_no_file
from jaxsal.core.locks import try_lock

_ASIDE = ".partial"
_MINUTE = 60.0
_WORLD = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EMFILE, errno.EIO)


class DamagedError(ValueError):
    """What was read is not what was written: bytes are missing, altered, or without their checksum."""


def system_reason(error: Exception) -> str:
    """What the operating system said, where a library tells it among file names of its own; else the first line."""
    text = str(error).strip() or type(error).__name__
    said = [os.strerror(number) for number in _WORLD if os.strerror(number) in text]
    return (said or text.splitlines())[0].split(" [source locations")[0][:200].removesuffix(".")


def file_name(name: str) -> str:
    """A clip's name as a file's name on any system."""
    return re.sub(r"[^\w.-]+", "_", name)


def make_folder(name: str, folder: str | Path) -> None:
    """Makes a folder, before hours of computing, that is written to at their end.

    Raises:
      ValueError: If it is a file, or in one; the message has the argument's name.
      OSError: If it cannot be made.
    """
    check_no_file(name, folder)
    Path(folder).mkdir(parents=True, exist_ok=True)


def is_entry(name: str) -> bool:
    """Whether a name is that of an entry of a folder, and no way to another folder."""
    return name not in ("", ".", "..") and not re.search(r"[/\\\0]", name)


@contextmanager
def write_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that takes its place under `path` only when the block ends without an error.

    Raises:
      OSError: If the file cannot be written, as when the disk is full; it names `path`.
    """
    with _aside(Path(path)) as aside, open(aside, "xb") as file:
        try_lock(file.fileno())
        yield file
        file.flush()
        os.fsync(file.fileno())
        os.replace(aside, path)


@contextmanager
def write_folder_atomically(path: str | Path) -> Iterator[Path]:
    """Gives an empty folder to write to, which takes the place of `path` when the block ends; errors as of a file."""
    path = Path(path)
    with _aside(path) as aside:
        aside.mkdir()
        descriptor = os.open(aside, os.O_RDONLY)
        try:
            try_lock(descriptor)
            yield aside
            shutil.rmtree(path, ignore_errors=True)
            os.replace(aside, path)
        finally:
            os.close(descriptor)


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """A new name beside `path`; what is left under it after an error is removed, and the error names `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex}{_ASIDE}")
    try:
        yield aside
    except BaseException as error:
        _remove(aside)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(aside)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _remove(path: Path) -> None:
    """Removes a file or a folder, as far as that is possible."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink()


def remove_leftovers(folder: str | Path) -> None:
    """Removes what killed writers left half written in a folder and up to three folders deep in it.

    A writer holds a lock on what it writes, which ends with its process; what is younger than a minute stays.
    """
    for path in chain.from_iterable(Path(folder).glob(f"{'*/' * depth}.*{_ASIDE}") for depth in range(4)):
        with suppress(OSError):  # it was moved into its place meanwhile
            descriptor = os.open(path, os.O_RDONLY)
            try:
                if path.stat().st_mtime < time.time() - _MINUTE and try_lock(descriptor):
                    _remove(path)
            finally:
                os.close(descriptor)


def write_text(path: str | Path, text: str) -> None:
    """Writes a text as a file, whole or not at all."""
    with write_atomically(path) as file:
        file.write(text.encode())


def csv_text(lines: Iterable[Sequence[object]]) -> str:
    """Lines of values as comma-separated text; None is an empty cell.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    with suppress(ValueError):
        return float(value) and value  # a number that was formatted
    return f"'{value}"
