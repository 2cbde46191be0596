"""A run of the study: trains the networks, explains the clips of every cell, writes the report."""

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxsal.core.checks import check_choice
from jaxsal.datasets.catalog import open_clips
from jaxsal.datasets.records import ClipSet
from jaxsal.evaluation.evaluate import explain_all, select_cases
from jaxsal.metrics.summary import ClipResult
from jaxsal.options import ExplainOptions
from jaxsal.paper.cells import Cell, Table, study_tables
from jaxsal.paper.config import NetworkConfig, Study
from jaxsal.paper.report import Findings, Report, write_report, write_side_by_side
from jaxsal.paper.training import TrainedNetwork, train_networks
from jaxsal.paper.truth import Located, locate
from jaxsal.training.checkpoint import origin


def run_study(
    study: Study,
    output: Path,
    *,
    recipes: Sequence[str] = ("default",),
    data: str = "synthetic",
    only: Sequence[str] = (),
    num_workers: int | None = None,
    command: str = "",
) -> list[Report]:
    """Runs the study, or goes on with the run that `output` holds, and writes a report for each recipe.

    Args:
      study: Its scale.
      output: Folder of the run; "networks" in it serves both recipes, each recipe has a folder of its own.
      recipes: "default", "icpr2022" or both.
      data: "synthetic", a prepared set, or a folder of recordings, see `jaxsal.datasets.catalog.open_clips`.
      only: Names of the tables to make; all if empty. Their report goes to a folder of its own, so that a report
        of more tables stays, and clips that were explained for either serve both.
      num_workers: Processes that read the training's clips as batches need them, 0 for threads; all clips are held in
        memory if None.
      command: What was typed, for run.json.

    Returns:
      The reports, and one of several recipes side by side; each is report.md in its `folder` too, beside the tables
      as Markdown, CSV and LaTeX.

    Raises:
      ValueError: If the recipe or a table is unknown, or `output` holds another run.
    """
    tables = {recipe: chosen_tables(study, recipe, only) for recipe in recipes}
    start = time.perf_counter()

    def open_set(config: NetworkConfig) -> ClipSet:
        return open_clips(data, height=config.size, num_frames=config.num_frames, seed=study.seed)

    networks = train_networks(study, open_set, output / "networks", num_workers=num_workers)
    seconds, reports = {"networks": time.perf_counter() - start}, []
    for recipe in tables:
        start = time.perf_counter()
        folder = output / study.run_name(recipe)
        explaining = [_as_explained(network, study, recipe) for network in networks]
        results, located = explain_cells(study, tables[recipe], explaining, folder)
        seconds["explaining"] = time.perf_counter() - start
        made_by: dict[str, Any] = dict(
            command=command, recipe=recipe, data=data, study=dataclasses.asdict(study), seconds=seconds, **origin()
        )
        findings = Findings(study, recipe, tables[recipe], networks, results, located)
        part = "+".join(table.name for table in tables[recipe])
        reports.append(write_report(folder / f"only-{part}" if only else folder, findings, made_by))
    if len(reports) > 1 and not only:
        reports.append(write_side_by_side(output / "side-by-side", reports))
    return reports


def chosen_tables(study: Study, recipe: str, only: Sequence[str]) -> tuple[Table, ...]:
    """The tables to make; all if none is named."""
    tables = study_tables(study, recipe)
    for name in only:
        check_choice("only", name, tuple(table.name for table in tables))
    return tuple(table for table in tables if not only or table.name in only)


def _as_explained(network: TrainedNetwork, study: Study, recipe: str) -> TrainedNetwork:
    """The network with its input normalised as it is while its clips are explained."""
    if (normalization := study.normalization(recipe, network.config.arch)) == "standardize":
        return network
    return network._replace(classifier=network.classifier.with_normalization(normalization))


def explain_cells(
    study: Study, tables: Sequence[Table], networks: Sequence[TrainedNetwork], directory: Path
) -> tuple[dict[Cell, list[ClipResult]], list[Located]]:
    """Explains and measures the clips of every cell, one file per clip as soon as it is known.

    Cells that share a network, a spectrum and options share a run; those that differ in the number of masks alone share
    RISE's scores.

    Returns:
      The values of every cell, and every map of the main tables against the actor's pixels where those are known.
    """
    by_name = {(network.config.arch, network.config.spectra): network for network in networks}
    groups: dict[tuple[str, str, str, ExplainOptions], list[Cell]] = {}
    for cell in dict.fromkeys(row.cell for table in tables for row in table.rows):
        groups.setdefault((cell.arch, cell.spectra, cell.spectrum, cell.options), []).append(cell)
    results: dict[Cell, list[ClipResult]] = {}
    located: list[Located] = []
    for number, ((arch, spectra, spectrum, options), cells) in enumerate(groups.items(), start=1):
        network = by_name[arch, spectra]
        folder = directory / network.config.name
        print(
            f"run {number} of {len(groups)}: {network.config.name} on {spectrum}, {cell_name(options)}", file=sys.stderr
        )
        test_clips = network.clip_set.select(split="test")
        cases = select_cases(network.spec, test_clips, study.clips_per_spectrum)
        cases = [case for case in cases if case.spectrum == spectrum]  # none where the set lacks the spectrum
        explanations = explain_all(
            network.classifier,
            cases,
            options,
            folder / f"{spectrum}-{cell_name(options)}",
            ledgers=folder / "ledgers",
            progress=True,
        )
        found = [result for explanation in explanations for result in explanation.results()]
        for cell in cells:
            results[cell] = [result for result in found if result.method == cell.label]
        if len(options.method) > 1:
            located += locate(arch, network.spec, explanations, network.clip_set.records)
    return results, located


def cell_name(options: ExplainOptions) -> str:
    """Tells the options of the study's runs apart, for people: the methods and what RISE and SIDU use."""
    if len(options.method) > 1:
        return "main"
    if options.method == ("sidu",):
        return f"sidu-tau{options.threshold:g}"
    assert options.grid_shape is not None
    return f"rise-{options.num_masks}-{'x'.join(map(str, options.grid_shape))}-p{options.keep_prob:g}"
