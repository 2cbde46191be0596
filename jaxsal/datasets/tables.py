"""Tables and settings that people write by hand or with a spreadsheet: in its encoding, with its separator."""

import codecs
import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SEPARATORS = ",;\t"


class Row(NamedTuple):
    """One line of a table: its number in the file, counted from 1, and its cells by column, without blanks around."""

    number: int
    cells: dict[str, str]


def read_text(path: Path) -> str:
    """A text in UTF-8, UTF-16 or Latin-1, letters composed: macOS writes an umlaut as a letter and two dots."""
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    if not encoding and b"\0" in content[:200]:
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    for candidate in (encoding, "utf-8", "cp1252"):
        try:
            return composed(content.decode(candidate)) if candidate else composed(content.decode("utf-8"))
        except UnicodeDecodeError:
            continue
    return composed(content.decode("latin-1"))


def composed(name: str) -> str:
    """A name as it is compared: letters and their accents as one character."""
    return unicodedata.normalize("NFC", name)


def read_table(path: Path) -> tuple[list[str], list[Row]]:
    """The columns of a table, and its rows; a line without any value is passed over.

    Fields are separated by commas, semicolons or tabs, whichever the first line has most of.

    Raises:
      ValueError: If a line has a quotation mark that does not end, or more cells than the first line has columns.
    """
    text = read_text(path)
    head = next(iter(text.splitlines()), "")
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, restval="")
    rows = []
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        for line in reader:
            surplus = [cell for cell in line.get(None) or () if cell.strip()]
            if surplus:
                raise ValueError(
                    f"`{path.name}` must have {len(columns)} cells a row at most; got {surplus[0]!r} beside them in "
                    f"line {reader.line_num} of {path}: put quotation marks around a cell with {separator!r} in it."
                )
            cells = {name: (line[name] or "").strip() for name in columns}
            if any(cells.values()):
                rows.append(Row(reader.line_num, cells))
    except csv.Error as error:
        raise ValueError(
            f"`{path.name}` must be a table with a comma, a semicolon or a tab between cells; got {path}, where line "
            f"{reader.line_num} cannot be read ({error})."
        ) from error
    return columns, rows


def read_settings(path: Path, example: str) -> dict[str, Any]:
    """The object of a JSON file.

    Args:
      path: The file.
      example: What the file may hold, for the message.

    Raises:
      ValueError: If the file is not JSON, or holds something else than an object.
    """
    try:
        settings = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"`{path.name}` must be JSON; got {path}, where line {error.lineno}, column {error.colno} says otherwise "
            f"({error.msg}). An example: {example}"
        ) from error
    if not isinstance(settings, dict):
        raise ValueError(f"`{path.name}` must be an object; got {path} with {settings!r}. An example: {example}")
    return settings
