"""The table over baselines: methods and controls on curves to each, with the floor, and tests against smooth noise."""

import dataclasses
from collections.abc import Mapping

from jaxsal.core.controls import control_names, is_control
from jaxsal.datasets.records import SPECTRA
from jaxsal.metrics.contrasts import Contrast, corrected
from jaxsal.metrics.summary import FLOORS
from jaxsal.paper.cells import Row, Setting, Table, make_cell
from jaxsal.paper.config import ARCHITECTURES, CONTROLS, Study
from jaxsal.paper.contrasts import cell_contrast
from jaxsal.paper.values import Results, cell_values, measure_values
from jaxsal.recipes import MEASURES, STUDY_METHODS, BaselineName, RecipeName
from jaxsal.report.sheet import PValue, Sheet, Value

NAME = "baselines"
_SMOOTH = "smooth"
_NOTE = (
    "The networks trained on IRTV. Both curves use the baseline of the row; recipe is the recipe's own, one for each "
    "curve. Floor: the target's mean probability for the fully replaced clip, where deletion ends and insertion "
    "starts. p: against smooth noise on the same clips; Holm: corrected over all cells of the table. A method is "
    "better where p is small and its area is lower (deletion) or higher (insertion) than that of smooth noise."
)
_COLUMNS = (
    "floor of deletion",
    "deletion ↓",
    "p",
    "Holm",
    "floor of insertion",
    "insertion ↑",
    "p of it",
    "Holm of it",
)


def baseline_table(study: Study, recipe: RecipeName) -> Table:
    """The cells: the networks trained on both spectra, every method and control, every baseline."""
    rows = []
    for arch, network in ARCHITECTURES.items():
        for spectrum in SPECTRA:
            for baseline in (None, *study.baselines):
                for method in (*STUDY_METHODS, *control_names(CONTROLS, STUDY_METHODS)):
                    cell = _to_baseline(make_cell(study, recipe, arch, "IRTV", spectrum, method), baseline)
                    rows.append(Row((network, spectrum, baseline or "recipe", cell.label), cell, method))
    return Table(NAME, "Baselines of the curves", _NOTE, ("network", "input", "baseline", "method"), tuple(rows))


def _to_baseline(cell: Setting, baseline: BaselineName | None) -> Setting:
    options = dataclasses.replace(cell.options, deletion_baseline=baseline, insertion_baseline=baseline)
    return cell._replace(options=options)


def baseline_sheet(table: Table, results: Results, *, seed: int = 0) -> Sheet:
    """The table with its numbers."""
    smooth = {row.labels[:-1]: results[row.cell] for row in table.rows if row.setting == _SMOOTH}
    tested = [row for row in table.rows if not is_control(row.cell.label)]
    contrasts = {
        (row.cell, name): cell_contrast(results[row.cell], smooth[row.labels[:-1]], name, seed)
        for row in tested
        for name in MEASURES
    }
    found = corrected({place: {_SMOOTH: one} for place, one in contrasts.items() if one is not None})
    lines = tuple(
        (*row.labels, *(part for name in MEASURES for part in _measured(row, name, results, found, seed)))
        for row in table.rows
    )
    return Sheet(table.name, table.title, table.note, (*table.columns, *_COLUMNS), lines)


def _measured(
    row: Row,
    name: str,
    results: Results,
    contrasts: Mapping[tuple[Setting, str], Mapping[str, Contrast]],
    seed: int,
) -> tuple[Value, ...]:
    """Floor, area, p and corrected p of a row."""
    floors = cell_values(results[row.cell], FLOORS[name]).numbers
    area = measure_values(cell_values(results[row.cell], name), seed=seed)
    contrast = contrasts.get((row.cell, name), {}).get(_SMOOTH)
    p_values = (PValue(contrast.p_value), PValue(contrast.p_holm)) if contrast else (None, None)
    return float(floors.mean()) if len(floors) else None, area, *p_values
