"""What a run of the study would do, worked out without doing any of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxsal.datasets.catalog import open_clips
from jaxsal.datasets.records import TRAINING_SPECTRA, ClipSet
from jaxsal.evaluation.evaluate import file_name, ledger_name, select_cases
from jaxsal.evaluation.plan import Plan, passes_per_clip, steps_taken
from jaxsal.paper.cells import Table
from jaxsal.paper.config import NetworkConfig, Study
from jaxsal.paper.run import cell_name, chosen_tables
from jaxsal.training.networks import NetworkSpec

_REPORT = ("run.json", "clips.csv", "report.md", "tables as .md, .csv and .tex", "a folder of clips for each network")


class _Network(NamedTuple):
    config: NetworkConfig
    spec: NetworkSpec
    clip_set: ClipSet
    steps: int
    steps_taken: int


def plan_study(
    study: Study,
    output: Path,
    *,
    recipes: Sequence[str] = ("default",),
    data: str = "synthetic",
    only: Sequence[str] = (),
) -> Plan:
    """The plan of `jaxsal.paper.run.run_study`, whose arguments these are.

    Raises:
      ValueError: If the recipe or a table is unknown, or `output` holds other networks.
    """
    tables = {recipe: chosen_tables(study, recipe, only) for recipe in recipes}
    networks = {(c.arch, c.spectra): _open(study, c, data, output / "networks") for c in study.networks}
    counts = [_explaining(study, tables[recipe], networks, output / study.run_name(recipe)) for recipe in tables]
    clips, done, passes = (sum(numbers) for numbers in zip(*counts, strict=True))
    trained = sum(network.steps_taken == network.steps for network in networks.values())
    num_tables = sum(len(found) for found in tables.values())
    return Plan(
        output,
        ("networks", *(f"{study.run_name(recipe)}/{name}" for recipe in tables for name in _REPORT)),
        clips=clips,
        clips_done=done,
        passes=passes,
        steps=sum(network.steps for network in networks.values()),
        steps_done=sum(network.steps_taken for network in networks.values()),
        notes=(f"Networks to train: {len(networks)}, {trained} of them done.", f"Tables to make: {num_tables}."),
    )


def _open(study: Study, config: NetworkConfig, data: str, directory: Path) -> _Network:
    clip_set = open_clips(data, height=config.size, num_frames=config.num_frames, seed=study.seed)
    spec = config.spec(clip_set.classes)
    chosen = clip_set.select(split="train", spectra=TRAINING_SPECTRA[config.spectra])
    steps = config.training.on_clips(len(chosen.records)).num_steps
    return _Network(config, spec, clip_set, steps, steps_taken(spec, directory / config.name, steps))


def _explaining(
    study: Study, tables: Sequence[Table], networks: dict[tuple[str, str], _Network], directory: Path
) -> tuple[int, int, int]:
    """Clips to explain, those that have a file, and forward passes of the others."""
    cells = [row.cell for table in tables for row in table.rows]
    runs = dict.fromkeys((cell.arch, cell.spectra, cell.spectrum, cell.options) for cell in cells)
    clips, done, passes = 0, 0, 0
    masks: dict[tuple[str, str], int] = {}
    for arch, spectra, spectrum, options in runs:
        config, spec, clip_set, *_ = networks[arch, spectra]
        cases = select_cases(spec, clip_set.select(split="test", spectra=(spectrum,)), study.clips_per_spectrum)
        folder = directory / config.name / f"{spectrum}-{cell_name(options)}"
        left = [case for case in cases if not (folder / f"{file_name(case.name)}.npz").is_file()]
        clips, done = clips + len(cases), done + len(cases) - len(left)
        wanted = passes_per_clip(spec, options)
        own = wanted.pop("rise", 0)
        passes += len(left) * sum(wanted.values())
        for case in left:  # runs that differ in the number of masks alone share RISE's scores
            ledger = (config.name, ledger_name(case.name, options, scored_by=""))
            masks[ledger] = max(masks.get(ledger, 0), own)
    return clips, done, passes + sum(masks.values())
