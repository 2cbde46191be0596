"""A run of the study: trains the networks, explains the clips of every cell, writes the report."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.classifier import Classifier
from jaxsal.core.checks import check_choice
from jaxsal.core.files import remove_leftovers
from jaxsal.core.locks import hold_folder
from jaxsal.core.origin import origin
from jaxsal.datasets.catalog import open_clips
from jaxsal.datasets.records import SPECTRA, ClipSet
from jaxsal.evaluation.cases import select_cases
from jaxsal.evaluation.cells import Case, Cell, cells_of
from jaxsal.evaluation.explain import FOLDER, run_groups
from jaxsal.evaluation.groups import Group, classifier_identity, with_precision
from jaxsal.evaluation.maps import clip_results
from jaxsal.evaluation.store import Store
from jaxsal.metrics.summary import ClipResult
from jaxsal.paper.baselines import baseline_table
from jaxsal.paper.cells import Setting, Table, study_tables
from jaxsal.paper.config import NetworkConfig, Study
from jaxsal.paper.report import Findings, Report, write_report, write_side_by_side
from jaxsal.paper.training import OpenedNetwork, TrainedNetwork, train_networks
from jaxsal.paper.truth import Located, locate
from jaxsal.paper.values import Results
from jaxsal.recipes import RecipeName


def run_study(
    study: Study,
    output: Path,
    *,
    recipes: Sequence[RecipeName] = ("default",),
    data: str = "synthetic",
    only: Sequence[str] = (),
    num_workers: int | None = None,
    command: str = "",
) -> list[Report]:
    """Runs the study, or resumes the run in `output`, and writes a report for each recipe.

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
      FolderInUseError: If another run works in `output`.
    """
    tables = {recipe: chosen_tables(study, recipe, only) for recipe in recipes}
    start = time.perf_counter()

    def open_set(config: NetworkConfig) -> ClipSet:
        return open_clips(data, height=config.size, num_frames=config.num_frames, seed=study.seed)

    with hold_folder(output, "study"):
        remove_leftovers(output)
        networks = train_networks(study, open_set, output / "networks", num_workers=num_workers)
        seconds, reports = {"networks": time.perf_counter() - start}, []
        for recipe in tables:
            start = time.perf_counter()
            folder = output / study.run_name(recipe)
            results, located = explain_cells(study, recipe, tables[recipe], networks, folder)
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


def chosen_tables(study: Study, recipe: RecipeName, only: Sequence[str]) -> tuple[Table, ...]:
    """The tables to make; all if none is named."""
    tables = study_tables(study, recipe)
    if study.baselines and recipe == "default":
        tables += (baseline_table(study, recipe),)
    for name in only:
        check_choice("only", name, tuple(table.name for table in tables))
    return tuple(table for table in tables if not only or table.name in only)


def explain_cells(
    study: Study, recipe: RecipeName, tables: Sequence[Table], networks: Sequence[TrainedNetwork], directory: Path
) -> tuple[Results, list[Located]]:
    """Explains and measures the clips of every setting by every training; what `directory` holds is not done again.

    Returns:
      The values of every setting, and every map of the main tables against the actor's pixels where those are known.
    """
    store = Store(str(directory / FOLDER), create=True)
    parts = study_parts(study, recipe, tables, networks)
    groups = [part.group for part in parts]
    chunk_size = study.chunk_size

    def read() -> tuple[Results, list[Located]]:
        results: dict[Setting, list[Sequence[ClipResult]]] = {}
        located: list[Located] = []
        for network, group, cells, main in parts:
            for setting, number in cells.items():
                results.setdefault(setting, []).append(clip_results(store, group, number))
            located += locate(network.config, network.spec, store, group, main, network.clip_set.records)
        return results, located

    return run_groups(groups, store, read, chunk_size=chunk_size, clips_at_once=min(4, chunk_size), show_plan=True)


class Part(NamedTuple):
    """What a study asks of one network on the clips of one spectrum.

    Attributes:
      network: The network.
      group: The cells and clips.
      cells: By setting, the number of its cell.
      main: Numbers of the cells of the main tables, which run all methods by the recipe's baselines.
    """

    network: TrainedNetwork | OpenedNetwork
    group: Group
    cells: dict[Setting, int]
    main: list[int]


def study_parts(
    study: Study, recipe: RecipeName, tables: Sequence[Table], networks: Sequence[TrainedNetwork | OpenedNetwork]
) -> list[Part]:
    """The plan of a study, by network and spectrum.

    Args:
      study: Its scale.
      recipe: By which the methods run.
      tables: Those to fill.
      networks: Of the study, trained or not.
    """
    settings = dict.fromkeys(row.cell for table in tables for row in table.rows if row.is_run)
    parts = []
    for network in networks:
        cases = select_cases(network.spec, network.clip_set.select(split="test"), study.clips_per_spectrum)
        name = (network.config.arch, network.config.spectra)
        normalization = study.normalization(recipe, network.config.arch)
        exact = network.classifier.with_normalization(normalization)
        classifier = with_precision(exact, study.precision)
        for spectrum in SPECTRA:
            wanted = [s for s in settings if (s.arch, s.spectra, s.spectrum) == (*name, spectrum)]
            if wanted:  # without clips where the set lacks the spectrum
                own = [case for case in cases if case.spectrum == spectrum]
                parts.append(_part(network, classifier, exact, spectrum, own, wanted))
    return parts


def _part(
    network: TrainedNetwork | OpenedNetwork,
    classifier: Classifier,
    exact: Classifier,
    spectrum: str,
    cases: Sequence[Case],
    settings: Sequence[Setting],
) -> Part:
    spec, cells, chosen, main = network.spec, dict[str, Cell](), dict[Setting, str](), set[str]()
    for setting in settings:
        found = cells_of(setting.options, classifier, spec.clip_shape)
        cells |= {cell.text: cell for cell in found}
        if len(setting.options.method) > 1 and setting.options.deletion_baseline is None:
            main |= {cell.text for cell in found}
        chosen[setting] = next(cell.text for cell in found if cell.method == setting.method)
    group = Group(
        classifier_identity(classifier) | dict(spectrum=spectrum),
        classifier,
        spec.classes,
        spec.clip_shape,
        tuple(cases),
        tuple(cells.values()),
        network.config.name,
        exact=exact,
    )
    numbers = {text: number for number, text in enumerate(cells)}
    places = {setting: numbers[text] for setting, text in chosen.items()}
    return Part(network, group, places, [number for text, number in numbers.items() if text in main])
