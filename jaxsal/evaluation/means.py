"""Means of results over clips, one row for each choice of what varies: the table at the end of a sweep."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxsal.core.shown import aligned, number_text
from jaxsal.recipes import ADDED_MEASURES, ALONE, FURTHER_MEASURES, MEASURES

MOST_SHOWN = 20
"""Rows of a table that a screen shows; exports have all."""
_OF_A_CLIP = ("clip", "label", "target", "seconds", "start")
_NAMES = ("cell", "ledger")
SETTLED_FIELDS = ("used_masks", "settled_ranks")
"""Of maps whose number of masks was left open: the masks, and how many ranks of cells they settle."""


def mean_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The means of `Results.rows`, grouped by every column of which two values are compared.

    Args:
      rows: One per cell and clip.

    Returns:
      One row per group, sorted: the columns that vary, `clips`, and the mean of every measure that
      some clip has. A method always has a column; options that a method lacks are None.
    """
    known = *MEASURES, *ALONE, *FURTHER_MEASURES, *ADDED_MEASURES
    measures = [name for name in ("probability", *known, "floor", *SETTLED_FIELDS) if _is_measured(rows, name)]
    columns = [name for name in (rows or [{}])[0] if name == "method" or _varies(rows, name)]
    columns = [name for name in columns if name not in (*measures, *_OF_A_CLIP, *_NAMES)]
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in columns), []).append(row)
    return [
        dict(zip(columns, values, strict=True)) | dict(clips=len(own)) | {name: _mean(own, name) for name in measures}
        for values, own in sorted(groups.items(), key=lambda group: [order_of(value) for value in group[0]])
    ]


def means_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of `mean_rows` as lines; of many the first, and how many more there are."""
    more = [f"and {len(rows) - MOST_SHOWN:,} more rows"] if len(rows) > MOST_SHOWN else []
    return "\n".join([*aligned(as_texts(rows, MOST_SHOWN)), *more])


def as_texts(rows: Sequence[Mapping[str, Any]], most: int) -> list[list[str]]:
    """Rows of `mean_rows` as texts, the names of the columns first; at most so many."""
    lines = [[_text(value) for value in row.values()] for row in rows[:most]]
    return [list(rows[0]), *lines] if rows else []


def order_of(value: object) -> tuple[str, object]:
    """What values are sorted by: numbers by size, texts by letters, what a method lacks first."""
    if value is None:
        return "", 0
    if isinstance(value, list | tuple):
        return "list", [order_of(part) for part in value]
    return ("number", value) if isinstance(value, int | float) else ("text", str(value))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return number_text(value) if isinstance(value, float) else str(value)


def _is_measured(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(not math.isnan(_number(row, name)) for row in rows)


def _varies(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return len({row[name] for row in rows} - {None, ""}) > 1


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    values = [value for row in rows if not math.isnan(value := _number(row, name))]
    return sum(values) / len(values) if values else math.nan


def _number(row: Mapping[str, Any], name: str) -> float:
    """A number of a row; NaN where it has none."""
    return math.nan if row.get(name) is None else row[name]
