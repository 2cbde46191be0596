"""The study's tables from values per clip, each row beside the study's own number."""

from collections.abc import Sequence

from jaxsal.core.files import csv_text
from jaxsal.metrics.summary import FLOORS, ClipResult, Measure
from jaxsal.paper.cells import Row, Table
from jaxsal.paper.published import published
from jaxsal.paper.values import Results, cell_values, measure_values
from jaxsal.recipes import MEASURES
from jaxsal.report.sheet import Sheet, Spread, Value


def table_sheet(table: Table, results: Results, *, seed: int = 0) -> Sheet:
    """A table with its numbers: mean ± std [95 % interval] over trainings and clips, and what the study published.

    Args:
      table: What it consists of.
      results: Of all its cells.
      seed: Of the bootstrap.
    """
    columns = (*table.columns, "n", "deletion ↓", "published deletion", "insertion ↑", "published insertion")
    lines = tuple((*row.labels, *_numbers(table, row, results.get(row.cell, ()), seed)) for row in table.rows)
    return Sheet(table.name, table.title, table.note, columns, lines)


def _numbers(table: Table, row: Row, trainings: Sequence[Sequence[ClipResult]], seed: int) -> tuple[Value, ...]:
    """Of a row: the number of clips, then of each measure our value and the study's."""
    found: dict[str, tuple[Measure | None, Spread | None]] = {
        name: (
            measure_values(cell_values(trainings, FLOORS[name] if row.is_floor else name), seed=seed),
            published(table.name, row.cell.arch, row.cell.spectra, row.cell.spectrum, row.setting, name),
        )
        for name in MEASURES
    }
    num_clips = len({result.clip for results in trainings for result in results})
    return num_clips if row.is_run else None, *found["deletion"], *found["insertion"]


def clips_csv(tables: Sequence[Table], results: Results) -> str:
    """Every value of every table, clip by clip, as comma-separated text."""
    fields = ClipResult._fields[:-1]
    header = ("table", "arch", "trained on", "training", "setting", *fields)
    lines = [
        (table.name, row.cell.arch, row.cell.spectra, number, row.setting, *result[: len(fields)])
        for table in tables
        for row in table.rows
        if row.is_run and not row.is_floor
        for number, of_training in enumerate(results[row.cell])
        for result in of_training
    ]
    return csv_text([header, *lines])
