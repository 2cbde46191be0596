"""The study's tables from values per clip, each row beside the study's own number."""

from collections.abc import Mapping, Sequence

from jaxsal.core.files import csv_text
from jaxsal.metrics.summary import ClipResult, Measure, measure_finite
from jaxsal.paper.cells import Row, Setting, Table
from jaxsal.paper.published import published
from jaxsal.recipes import MEASURES
from jaxsal.report.table import Sheet, Spread, Value

Results = Mapping[Setting, Sequence[ClipResult]]
"""The values of every cell, clip by clip."""


def table_sheet(table: Table, results: Results, *, seed: int = 0) -> Sheet:
    """A table with its numbers: mean ± std [95 % interval] over clips, and what the study published.

    Args:
      table: What it consists of.
      results: Of all its cells.
      seed: Of the bootstrap.
    """
    columns = (*table.columns, "n", "deletion ↓", "published deletion", "insertion ↑", "published insertion")
    lines = tuple((*row.labels, *_numbers(table, row, results.get(row.cell, ()), seed)) for row in table.rows)
    return Sheet(table.name, table.title, table.note, columns, lines)


def _numbers(table: Table, row: Row, results: Sequence[ClipResult], seed: int) -> tuple[Value, ...]:
    if row.is_floor:
        return len(results), measure_finite([result.floor for result in results], seed=seed), None, None, None
    found: dict[str, tuple[Measure | None, Spread | None]] = {
        name: (
            measure_finite([getattr(result, name) for result in results], seed=seed),
            published(table.name, row.cell.arch, row.cell.spectra, row.cell.spectrum, row.setting, name),
        )
        for name in MEASURES
    }
    return len(results) if row.is_run else None, *found["deletion"], *found["insertion"]


def clips_csv(tables: Sequence[Table], results: Results) -> str:
    """Every value of every table, clip by clip, as comma-separated text."""
    fields = ClipResult._fields[:-1]
    header = ("table", "arch", "trained on", "setting", *fields)
    lines = [
        (table.name, row.cell.arch, row.cell.spectra, row.setting, *result[: len(fields)])
        for table in tables
        for row in table.rows
        if row.is_run and not row.is_floor
        for result in results[row.cell]
    ]
    return csv_text([header, *lines])
