"""What a run of the study would do, worked out without doing any of it."""

from collections.abc import Sequence
from pathlib import Path

from jaxsal.datasets.catalog import open_clips
from jaxsal.datasets.records import TRAINING_SPECTRA
from jaxsal.evaluation.explain import FOLDER
from jaxsal.evaluation.outline import Outline, steps_taken
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.store import Store
from jaxsal.paper.config import NetworkConfig, Study
from jaxsal.paper.run import chosen_tables, study_parts
from jaxsal.paper.training import OpenedNetwork
from jaxsal.recipes import RecipeName
from jaxsal.training.checkpoint import load_checkpoint

_REPORT = ("run.json", "clips.csv", "report.md", "tables as .md, .csv and .tex", FOLDER)


def plan_study(
    study: Study,
    output: Path,
    *,
    recipes: Sequence[RecipeName] = ("default",),
    data: str = "synthetic",
    only: Sequence[str] = (),
) -> Outline:
    """The outline of `jaxsal.paper.run.run_study`, whose arguments these are.

    Raises:
      ValueError: If the recipe or a table is unknown, or `output` holds other networks.
    """
    tables = {recipe: chosen_tables(study, recipe, only) for recipe in recipes}
    networks = [_open(study, config, data, output / "networks") for config in study.trained_networks]
    clips = done = passes = 0
    for recipe, chosen in tables.items():
        groups = [part.group for part in study_parts(study, recipe, chosen, networks)]
        folder = output / study.run_name(recipe) / FOLDER
        plan, _ = make_plan(groups, Store(str(folder), create=True) if folder.is_dir() else None)
        clips, done, passes = clips + plan.clips, done + plan.clips_done, passes + plan.passes
    trained = sum(network.steps_taken == network.steps for network in networks)
    num_tables = sum(map(len, tables.values()))
    return Outline(
        output,
        ("networks", *(f"{study.run_name(recipe)}/{name}" for recipe in tables for name in _REPORT)),
        clips=clips,
        clips_done=done,
        passes=passes,
        steps=sum(network.steps for network in networks),
        steps_done=sum(network.steps_taken for network in networks),
        notes=(f"Networks to train: {len(networks)}, {trained} of them done.", f"Tables to make: {num_tables}."),
    )


def _open(study: Study, config: NetworkConfig, data: str, directory: Path) -> OpenedNetwork:
    clip_set = open_clips(data, height=config.size, num_frames=config.num_frames, seed=study.seed)
    spec, folder = config.spec(clip_set.classes), directory / config.name
    chosen = clip_set.select(split="train", spectra=TRAINING_SPECTRA[config.spectra])
    steps = config.training.on_clips(len(chosen.records)).num_steps
    taken = steps_taken(spec, folder, steps)
    classifier = spec.untrained()
    if taken == steps:
        classifier = spec.classifier(load_checkpoint(folder / "checkpoints", spec=spec).variables)
    return OpenedNetwork(config, spec, clip_set, classifier, steps, taken)
