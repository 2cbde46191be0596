"""The tables of a run: means, methods against controls, and a line if the baselines leave the answer in place."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from jaxsal.evaluation.explanation import Explanation
from jaxsal.metrics.floor import floor_note, mean_floors
from jaxsal.metrics.localization import Mask
from jaxsal.metrics.summary import SummaryRow, summarise
from jaxsal.recipes import MEASURES
from jaxsal.report.actor_sheets import actor_sheets
from jaxsal.report.contrast_sheet import Compared, contrast_sheet
from jaxsal.report.shares import shares_sheet
from jaxsal.report.sheet import Sheet, to_markdown
from jaxsal.report.table import good_signs, measure_of, summary_sheet


def run_tables(
    explanations: Sequence[Explanation], masks: Mapping[str, Mask] = MappingProxyType({})
) -> tuple[list[SummaryRow], list[Sheet]]:
    """The rows of the table of a run, and its tables as they are written: without controls a single one.

    Args:
      explanations: Of the clips.
      masks: By clip, the actor's pixels; where they are known, two more tables say how well maps find the actor.
    """
    results = [row for explanation in explanations for row in explanation.results()]
    rows, options = summarise(results), explanations[0].options
    sheet = summary_sheet(rows)
    note = floor_note(mean_floors(results), {name: options.resolve(name).baseline for name in MEASURES})
    sheet = sheet._replace(footnote="\n\n".join(filter(None, (sheet.footnote, note))))
    contrasts = contrast_sheet([_compared(row) for row in rows], ("spectrum", "method"), good_signs(rows))
    actor = actor_sheets([explanations], masks) if any(one.name in masks for one in explanations) else []
    shares = shares_sheet(explanations)
    return rows, [sheet, *([contrasts] if contrasts else []), *actor, *([shares] if shares else [])]


def _compared(row: SummaryRow) -> Compared:
    found = {name: measure_of(row, name) for name in good_signs([row])}
    contrasts = {name: measure.contrasts for name, measure in found.items() if measure is not None}
    return Compared((row.spectrum, row.method), row.num_clips, contrasts)


def tables_text(sheets: Sequence[Sheet]) -> str:
    """The tables of a run as Markdown; all but the first under their headings."""
    first, *others = sheets
    return "\n".join([to_markdown(first), *(f"{one.title}. {one.note}\n\n{to_markdown(one)}" for one in others)])
