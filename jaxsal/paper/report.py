"""The report of a run of the study: one Markdown page, every table as Markdown, CSV and LaTeX too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.core.files import write_text
from jaxsal.core.sealed import write_json
from jaxsal.metrics.floor import floor_note, mean_floors
from jaxsal.paper.baselines import NAME as BASELINES, baseline_sheet
from jaxsal.paper.cells import Table
from jaxsal.paper.conclusions import conclusion_sheets
from jaxsal.paper.config import Study
from jaxsal.paper.contrasts import study_contrasts
from jaxsal.paper.published import SOURCE
from jaxsal.paper.published_cells import published_sheet
from jaxsal.paper.tables import clips_csv, table_sheet
from jaxsal.paper.training import TrainedNetwork, networks_sheet
from jaxsal.paper.truth import Located, truth_sheets
from jaxsal.paper.values import Results
from jaxsal.recipes import MEASURES, RecipeName
from jaxsal.report.sheet import Sheet, to_csv, to_latex, to_markdown, to_records

PAN_INPUT = {
    "standardize": (
        "PAN gets standardised clips, as it was trained; the study's code gives it clips of range [0, 1] instead "
        "(`--pan-input minmax`). "
    ),
    "minmax": (
        "PAN, trained on standardised clips, gets clips of range [0, 1], as in the study's code: RISE's and SIDU's "
        "masked clips by the range of their batch of 24 and 64, all others by their own. "
    ),
}
_CAUTION = (
    "The trainings of a network start from the same weights, those that come with jaxsal, so they differ less than "
    "trainings from random weights would. Intervals over two trainings are wide where the two differ, sometimes beyond "
    "what the measure can be. "
)
_COMPARED = (
    ("results-ir", 3, ("deletion ↓", "insertion ↑")),
    ("results-tv", 3, ("deletion ↓", "insertion ↑")),
    ("conclusions", 2, ("verdict",)),
)
"""What stands side by side: a sheet, how many of its columns are labels, and the values of each run."""


class Findings(NamedTuple):
    """What a run found.

    Attributes:
      study: Its scale.
      recipe: "default" or "icpr2022".
      tables: Those that were made.
      networks: All trainings of the six.
      results: The values of every cell, training by training, clip by clip.
      located: Every map of the main tables against the actor's pixels.
    """

    study: Study
    recipe: RecipeName
    tables: Sequence[Table]
    networks: Sequence[TrainedNetwork]
    results: Results
    located: Sequence[Located]


class Report(NamedTuple):
    """What a run tells.

    Attributes:
      folder: Where it is written.
      report: The page, as Markdown.
      tables: The same numbers by table, one mapping a row.
      sheets: The tables as they are written.
    """

    folder: Path
    report: str
    tables: dict[str, list[dict[str, Any]]]
    sheets: tuple[Sheet, ...] = ()


def report_sheets(findings: Findings) -> list[Sheet]:
    """The sections of the report: networks, tables, ground truth, conclusions."""
    seed, results = findings.study.seed, findings.results
    sheets = [networks_sheet(list(findings.networks))]
    for table in findings.tables:
        make = baseline_sheet if table.name == BASELINES else table_sheet
        sheets.append(make(table, results, seed=seed))
    contrasts = study_contrasts(findings.tables, results, seed=seed)
    sheets += [] if contrasts is None else [contrasts]
    if findings.located:
        sheets += truth_sheets(findings.located, seed=seed)
    sheets.append(published_sheet())
    return sheets + list(conclusion_sheets(findings.study, findings.recipe, results) or ())


def write_report(directory: Path, findings: Findings, made_by: dict[str, Any]) -> Report:
    """Writes report.md, tables/NAME.md, .csv and .tex, clips.csv (every value) and run.json (how it was made)."""
    report = _write_sheets(directory, _introduction(findings, made_by), report_sheets(findings))
    write_text(directory / "clips.csv", clips_csv(findings.tables, findings.results))
    write_json(directory / "run.json", made_by)
    return report


def write_side_by_side(directory: Path, reports: Sequence[Report]) -> Report:
    """Writes the main tables and the verdicts of several runs, a column for each, as report.md and tables."""
    runs = [report.folder.name for report in reports]
    return _write_sheets(directory, f"# {' and '.join(runs)} side by side\n", side_by_side(runs, reports))


def side_by_side(runs: Sequence[str], reports: Sequence[Report]) -> list[Sheet]:
    """The sheets of several runs that have the same lines, joined; their columns are named after the runs."""
    sheets = []
    for name, num_labels, values in _COMPARED:
        found = [{sheet.name: sheet for sheet in report.sheets}[name] for report in reports]
        places = [found[0].columns.index(value) for value in values]
        columns = (*found[0].columns[:num_labels], *(f"{value}, {run}" for value in values for run in runs))
        lines = tuple(
            (*lines[0][:num_labels], *(line[place] for place in places for line in lines))
            for lines in zip(*(sheet.lines for sheet in found), strict=True)
        )
        sheets.append(Sheet(name, found[0].title, "", columns, lines))
    return sheets


def _write_sheets(directory: Path, introduction: str, sheets: Sequence[Sheet]) -> Report:
    for sheet in sheets:
        for suffix, write in (("md", to_markdown), ("csv", to_csv), ("tex", to_latex)):
            write_text(directory / "tables" / f"{sheet.name}.{suffix}", write(sheet))
    report = "\n".join([introduction, *map(_section, sheets)])
    write_text(directory / "report.md", report)
    return Report(directory, report, {sheet.name: to_records(sheet) for sheet in sheets}, tuple(sheets))


def _introduction(findings: Findings, made_by: dict[str, Any]) -> str:
    study, network = findings.study, findings.study.networks[0]
    remark = PAN_INPUT[study.normalization(findings.recipe, "pan")] if findings.recipe == "icpr2022" else ""
    trained = "once" if study.trainings == 1 else f"{study.trainings} times"
    stages = ", ".join(f"{stage} {seconds / 60:.1f} min" for stage, seconds in made_by["seconds"].items())
    caution = _CAUTION if study.trainings > 1 and any(one.start for one in study.networks) else ""
    return (
        f"# The study by Bayer et al., recipe {findings.recipe}\n\n"
        f"`{made_by['command']}`: clips of {made_by['data']} at {network.crop}x{network.crop} pixels, networks of "
        f"width {network.width}, {study.clips_per_spectrum} test clips per spectrum, {study.num_masks} RISE masks, "
        f"curves of {study.num_steps} steps, seed {study.seed}, each network trained {trained}. "
        f"{caution}The last start took: {stages}.\n\n"
        "Cells are mean ± standard deviation over trainings and clips (ddof 0) with the 95 % interval of the mean, of "
        "other actors and, where there are several, of other trainings; n counts clips. The explained class is the "
        "predicted one. Controls: random is voxel noise, smooth is noise of RISE's grid, a map of another clip is the "
        "same method's, constant leaves the order of voxels to one fixed permutation. The floor is the target's "
        "probability for the fully replaced clip, where deletion ends "
        f"and insertion starts. {_floor_line(findings)}{remark}{SOURCE} "
        "The study's data are another set, so its numbers are a background, not a target.\n"
    )


def _floor_line(findings: Findings) -> str:
    """A sentence if the recipe's baselines leave the answer in place."""
    main = {row.cell for table in findings.tables if table.name.startswith("results") for row in table.rows}
    found = [result for cell in main for results in findings.results[cell] for result in results]
    options = findings.study.options(findings.recipe)
    note = floor_note(mean_floors(found), {name: options.resolve(name).baseline for name in MEASURES})
    return f"{note} " if note else ""


def _section(sheet: Sheet) -> str:
    note = f"{sheet.note}\n\n" if sheet.note else ""
    return f"## {sheet.title}\n\n{note}{to_markdown(sheet)}"
