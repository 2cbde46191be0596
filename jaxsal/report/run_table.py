"""The table of a run, and the line below it if the baselines leave the answer in place."""

from collections.abc import Sequence

from jaxsal.evaluation.explanation import Explanation
from jaxsal.metrics.floor import floor_note, mean_floors
from jaxsal.metrics.summary import SummaryRow, summarise
from jaxsal.recipes import MEASURES
from jaxsal.report.table import Sheet, summary_sheet


def run_table(explanations: Sequence[Explanation]) -> tuple[list[SummaryRow], Sheet]:
    """The rows of the table of a run, and the table as it is written."""
    results = [row for explanation in explanations for row in explanation.results()]
    rows, options = summarise(results), explanations[0].options
    sheet = summary_sheet(rows)
    note = floor_note(mean_floors(results), {name: options.resolve(name).baseline for name in MEASURES})
    return rows, sheet._replace(footnote="\n\n".join(filter(None, (sheet.footnote, note))))
