"""A table as Markdown, as comma-separated numbers and as LaTeX (booktabs)."""

import csv
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.metrics.summary import Measure, measure_clips
from jaxsal.paper.published import Published


class PValue(float):
    """A p-value, which tables for people show as "< 0.001" below that."""


Value = str | int | float | Measure | Published | None


class Sheet(NamedTuple):
    """A table, ready to be written.

    Attributes:
      name: Of its files.
      title: Its heading.
      note: A sentence under the heading; may be empty.
      columns: The names of the columns.
      lines: One value a column; None is an empty cell.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    lines: tuple[tuple[Value, ...], ...]


def measure(values: Sequence[float] | Float[np.ndarray, " n"], *, seed: int = 0) -> Measure | None:
    """Mean, standard deviation (ddof 0) and 95 % bootstrap interval of what is finite; None if nothing is."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return measure_clips(known, seed=seed) if len(known) else None


def to_markdown(sheet: Sheet) -> str:
    """The sheet as a Markdown table; ends with a line break."""
    rule = ["---" if isinstance(value, str) else "--:" for value in sheet.lines[0]]
    lines = [sheet.columns, rule, *([_text(value) for value in line] for line in sheet.lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_csv(sheet: Sheet) -> str:
    """The sheet as comma-separated plain numbers: mean, std, low and high of a measure, low and high of a span."""
    parts = [_parts(column) for column in zip(*sheet.lines, strict=True)]
    header = [f"{name} {part}".strip() for name, names in zip(sheet.columns, parts, strict=True) for part in names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for line in sheet.lines:
        writer.writerow([_part(value, part) for value, names in zip(line, parts, strict=True) for part in names])
    return text.getvalue()


def records(sheet: Sheet) -> list[dict[str, Any]]:
    """The sheet as one mapping a line, of kinds that JSON has."""
    return [
        {
            name: value._asdict() if isinstance(value, Measure | Published) else value
            for name, value in zip(sheet.columns, line, strict=True)
        }
        for line in sheet.lines
    ]


def to_latex(sheet: Sheet) -> str:
    """The sheet as a LaTeX table that needs the package booktabs."""
    layout = "".join("l" if isinstance(value, str) else "r" for value in sheet.lines[0])
    lines = [" & ".join(_latex(_text(value)) for value in line) + r" \\" for line in sheet.lines]
    head = " & ".join(map(_latex, sheet.columns)) + r" \\"
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(sheet.title)}}}",
            rf"\label{{tab:{sheet.name}}}",
            rf"\begin{{tabular}}{{{layout}}}",
            r"\toprule",
            head,
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, Measure):
        return str(value)
    if isinstance(value, Published):
        return f"{value.low:.2f}" if value.low == value.high else f"{value.low:.2f} to {value.high:.2f}"
    if isinstance(value, PValue) and value < 0.001:
        return "< 0.001"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _latex(text: str) -> str:
    for sign in "&%#_":
        text = text.replace(sign, rf"\{sign}")
    for plain, written in (
        ("±", r"$\pm$"),
        ("≤", r"$\le$"),
        ("<", "$<$"),
        ("↓", r"$\downarrow$"),
        ("↑", r"$\uparrow$"),
    ):
        text = text.replace(plain, written)
    return text


def _parts(column: Sequence[Value]) -> tuple[str, ...]:
    if any(isinstance(value, Measure) for value in column):
        return ("mean", "std", "low", "high")
    return ("low", "high") if any(isinstance(value, Published) for value in column) else ("",)


def _part(value: Value, part: str) -> Value:
    return getattr(value, part) if part and value is not None else value
