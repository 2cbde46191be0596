"""Numbers and lists as short texts, for what a notebook or a shell shows of an object."""

import math
from collections.abc import Iterable, Sequence
from html import escape

import jax
import numpy as np

_UNITS = ((1e9, "billion"), (1e6, "million"))


def count_text(count: int) -> str:
    """A count for people: 812, 12,345 or 33.2 million."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:,}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names with commas between; of many the first ones, and how many more there are."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def number_text(value: object) -> str:
    """A number with three digits; what stands for it inside of a program that is traced."""
    return str(value) if isinstance(value, jax.core.Tracer) else f"{float(np.asarray(value)):.3g}"


def rounded(values: Iterable[float], digits: int) -> list[float | None]:
    """Numbers with so many digits, for tables and JSON; None in the place of NaN."""
    return [None if math.isnan(value) else float(f"{value:.{digits}g}") for value in map(float, values)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts as lines, the columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts, the first with the names of the columns, as a table for notebooks."""
    head, *body = rows
    lines = ["".join(f"<td>{escape(text)}</td>" for text in row) for row in body]
    heads = "".join(f"<th>{escape(text)}</th>" for text in head)
    return f"<table><tr>{heads}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
