"""Files that are whole or absent: written aside, then moved into place; and the error of damaged files."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class DamagedError(ValueError):
    """What was read is not what was written: bytes are missing, altered, or without their checksum."""


@contextmanager
def write_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that takes its place under `path` only when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(aside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Writes a text as a file, whole or not at all."""
    with write_atomically(path) as file:
        file.write(text.encode())


def csv_text(lines: Iterable[Sequence[object]]) -> str:
    """Lines of values as comma-separated text; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
