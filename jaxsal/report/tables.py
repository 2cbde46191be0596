"""The results table of the study as text: Markdown, cells and comma-separated values; and the values per clip."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxsal.metrics.summary import SIGNIFICANT, ClipResult, Measure, SummaryRow
from jaxsal.options import MEASURES

_FOOTNOTE = f"† Not better than the random map: the difference has the wrong sign or p > {SIGNIFICANT}."


def table_cells(rows: Sequence[SummaryRow]) -> list[list[str]]:
    """The table as text: the heading, then a line for each row; a dagger marks what is not better than random."""
    heading = ["spectrum", "method", "n"]
    spread = " mean ± std [95 %]" if any(row.num_clips > 1 for row in rows) else ""
    for name in ("deletion ↓", "insertion ↑"):
        heading += [f"{name}{spread}", "p vs random"]
    lines = []
    for row in rows:
        measured = [str(row.deletion), _p_cell(row.deletion, good_sign=-1)]
        measured += [str(row.insertion or ""), _p_cell(row.insertion, good_sign=1)]
        lines.append([row.spectrum, row.method, str(row.num_clips), *measured])
    return [heading, *lines]


def count_clips(count: int) -> str:
    """A number of clips in words."""
    return f"{count} clip" if count == 1 else f"{count} clips"


def footnote(cells: Sequence[Sequence[str]]) -> str:
    """What a dagger means, where there is one."""
    return _FOOTNOTE if any("†" in text for line in cells for text in line) else ""


def to_markdown(rows: Sequence[SummaryRow]) -> str:
    """The table in Markdown and, where a dagger occurs, a line that explains it; ends with a line break."""
    cells = table_cells(rows)
    heading, *lines = [f"| {' | '.join(line)} |" for line in cells]
    table = [heading, "|---|---|--:|--:|--:|--:|--:|", *lines]
    if note := footnote(cells):
        table += ["", note]
    return "\n".join(table) + "\n"


def _p_cell(measure: Measure | None, good_sign: int) -> str:
    if measure is None or measure.p_value is None:
        return ""
    text = f"{measure.p_value:.3f}" if measure.p_value >= 0.001 else "< 0.001"
    return text if measure.better(good_sign) else f"{text} †"


def to_records(rows: Sequence[SummaryRow]) -> list[dict[str, Any]]:
    """The table as one mapping a row, of kinds that JSON has; what a row does not have is None."""
    return [
        dict(
            spectrum=row.spectrum,
            method=row.method,
            num_clips=row.num_clips,
            deletion=row.deletion._asdict(),
            insertion=None if row.insertion is None else row.insertion._asdict(),
        )
        for row in rows
    ]


def to_csv(rows: Sequence[SummaryRow]) -> str:
    """The table as comma-separated plain numbers; what a row does not have is empty.

    Args:
      rows: Of `summarise`.
    """
    names = [f"{measure}_{field}" for measure in MEASURES for field in Measure._fields]
    blank = (None,) * len(Measure._fields)
    lines = [(*row[:3], *row.deletion, *(row.insertion or blank)) for row in rows]
    return _write_csv([("spectrum", "method", "num_clips", *names), *lines])


def results_to_csv(results: Sequence[ClipResult]) -> str:
    """The values per clip as comma-separated text that `results_from_csv` reads back exactly."""
    kinds = ClipResult.__annotations__.values()
    lines = [tuple(kind(value) for kind, value in zip(kinds, result, strict=True)) for result in results]
    return _write_csv([ClipResult._fields, *lines])


def results_from_csv(path: str | Path) -> list[ClipResult]:
    """Reads the values per clip from a file that `results_to_csv` filled.

    Raises:
      ValueError: If the columns are others, or a line does not fit them.
    """
    with open(path, newline="", encoding="utf-8") as file:
        header, *lines = list(csv.reader(file)) or [[]]
    if tuple(header) != ClipResult._fields:
        raise ValueError(f"`path` must be a file with the columns {ClipResult._fields}; got {tuple(header)}.")
    kinds = ClipResult.__annotations__.values()
    results = []
    for number, line in enumerate(lines, start=2):
        try:
            results.append(ClipResult(*(kind(text) for kind, text in zip(kinds, line, strict=True))))
        except ValueError as error:
            raise ValueError(f"`path` must hold one clip a line; got {line} in line {number}.") from error
    return results


def _write_csv(lines: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
