"""The study's tables from values per clip, each row beside the study's own number."""

import csv
import io
from collections.abc import Mapping, Sequence

from jaxsal.metrics.summary import ClipResult, Measure
from jaxsal.options import MEASURES
from jaxsal.paper.cells import Cell, Row, Table
from jaxsal.paper.published import Published, published, remarks
from jaxsal.paper.sheets import Sheet, Value, measure

Results = Mapping[Cell, Sequence[ClipResult]]
"""The values of every cell, clip by clip."""


def table_sheet(table: Table, results: Results, *, seed: int = 0) -> Sheet:
    """A table with its numbers: mean ± std [95 % interval] over clips, and what the study published.

    Args:
      table: What it consists of.
      results: Of all its cells.
      seed: Of the bootstrap.
    """
    columns = (*table.columns, "n", "deletion ↓", "published deletion", "insertion ↑", "published insertion")
    lines = tuple((*row.labels, *_numbers(table, row, results[row.cell], seed)) for row in table.rows)
    notes = [table.note, *(f"Published: {remark}." for remark in remarks(table.name))]
    return Sheet(table.name, table.title, " ".join(filter(None, notes)), columns, lines)


def _numbers(table: Table, row: Row, results: Sequence[ClipResult], seed: int) -> tuple[Value, ...]:
    if row.is_floor:
        return len(results), measure([result.floor for result in results], seed=seed), None, None, None
    found: dict[str, tuple[Measure | None, Published | None]] = {
        name: (
            measure([getattr(result, name) for result in results], seed=seed),
            published(table.name, row.cell.arch, row.cell.spectra, row.cell.spectrum, row.setting, name),
        )
        for name in MEASURES
    }
    return len(results), *found["deletion"], *found["insertion"]


def clips_csv(tables: Sequence[Table], results: Results) -> str:
    """Every value of every table, clip by clip, as comma-separated text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("table", "arch", "trained on", "setting", *ClipResult._fields))
    for table in tables:
        for row in table.rows:
            if not row.is_floor:
                place = (table.name, row.cell.arch, row.cell.spectra, row.setting)
                writer.writerows((*place, *result) for result in results[row.cell])
    return text.getvalue()
