"""The groups of a sweep's config: every combination of networks, clips, spectra, methods and options."""

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jaxsal.classifier import Classifier
from jaxsal.core.checks import Options
from jaxsal.core.controls import control_names
from jaxsal.datasets.catalog import SYNTHETIC, open_clips
from jaxsal.datasets.records import FUSED
from jaxsal.engine.class_scores import of_classifier
from jaxsal.engine.targets import check_target
from jaxsal.evaluation.cases import select_cases
from jaxsal.evaluation.cells import Case, Cell, class_against, control_cell
from jaxsal.evaluation.config import ClipChoice, MethodGrid, SweepConfig
from jaxsal.evaluation.groups import Group, classifier_identity, with_precision
from jaxsal.evaluation.scenes import alone_measures
from jaxsal.recipes import ADDED_MEASURES, MEASURES, Precision, chosen_measures, resolve_options
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.transfer import open_network


class Network(NamedTuple):
    """A trained network: where it is, what it is, its classifier, and what that was rounded from, if it was."""

    folder: str
    spec: NetworkSpec
    classifier: Classifier
    exact: Classifier | None = None

    @classmethod
    def of(cls, folder: str, checkpoint: Checkpoint) -> "Network":
        """The network of a checkpoint."""
        return cls(folder, checkpoint.spec, checkpoint.spec.classifier(checkpoint.variables))

    def with_precision(self, precision: Precision) -> "Network":
        """The network in the precision of a sweep."""
        return self._replace(classifier=with_precision(self.classifier, precision), exact=self.classifier)


def open_groups(config: SweepConfig) -> list[Group]:
    """The groups of a config, with their networks and clips.

    Raises:
      FileNotFoundError: If a checkpoint or a set of clips is missing.
      ValueError: As `expand`.
    """
    return expand(config, [Network.of(folder, open_network(folder)) for folder in config.checkpoints])


def expand(config: SweepConfig, networks: Sequence[Network]) -> list[Group]:
    """Every combination of a config, by network, set of clips and spectrum; equal cells and clips once.

    Raises:
      ValueError: If a set lacks a spectrum or has other classes than a network, options do not fit each other, or a
        target is no class or wants labels that a clip lacks.
    """
    groups: dict[str, Group] = {}
    rounded = [network.with_precision(config.precision) for network in networks]
    for network, choice in itertools.product(rounded, config.clips):
        for spectrum in [FUSED] if network.spec.channels else config.spectra:
            _add_group(groups, config, network, choice, spectrum)
    return list(groups.values())


def _add_group(
    groups: dict[str, Group], config: SweepConfig, network: Network, choice: ClipChoice, spectrum: str
) -> None:
    """Adds one combination to the groups by their ids."""
    identity = classifier_identity(network.classifier) | dict(
        data=os.path.normpath(choice.data),
        split=choice.split,
        clip_seed=choice.seed if choice.data == SYNTHETIC else 0,
        spectrum=spectrum,
        network=dataclasses.asdict(network.spec),
    )
    spec = network.spec
    own = [cell for grid in config.methods for cell in _cells(config, network, grid)]
    controls = [control_cell(name, [cell]) for cell in own for name in control_names(config.controls, [cell.method])]
    cells = {cell.text: cell for cell in (*own, *controls)}
    cases = {case.name: case for case in _cases(spec, choice, spectrum)}
    group = Group(
        identity,
        network.classifier,
        spec.names,
        spec.clip_shape,
        tuple(cases.values()),
        tuple(cells.values()),
        network.folder,
        tuple(spec.channels.items()),
        network.exact,
    )
    if (same := groups.get(group.id)) is not None:  # another choice of the same clips, or weights in two folders
        cases = {case.name: case for case in same.cases} | cases
        group = dataclasses.replace(same, cases=tuple(cases.values()))
    _check_labels(group)
    groups[group.id] = group


def _check_labels(group: Group) -> None:
    if any(cell.target == "label" for cell in group.cells):
        unknown = [case.name for case in group.cases if not 0 <= case.label < len(group.classes)]
        if unknown:
            raise ValueError(f"`target` must be known for every clip; got no label for {unknown[0]}.")


def _class(target: str | int, spec: NetworkSpec) -> str | int:
    """A class by its number; "predicted" and "label" as they are.

    Raises:
      ValueError: If the network has no such class.
    """
    if target in ("predicted", "label"):
        return target
    number = check_target(target, len(spec.classes), classes=spec.classes, all_classes=False)
    assert isinstance(number, int)
    return number


def _cells(config: SweepConfig, network: Network, grid: MethodGrid) -> Iterator[Cell]:
    measured = [
        {name: of_classifier(own, network.classifier) for name, own in measures.items()}
        for measures in _measures(config, grid)
    ]
    num_frames, height, width, _ = network.spec.clip_shape
    own = network.classifier.frames_per_mask
    for found in grid.resolved:
        options = of_classifier(_with_scores(found, config, grid), network.classifier)
        if (batch_size := getattr(options, "batch_size", None)) is not None:
            raise ValueError(f"`batch_size` must be left out in a sweep; got {batch_size}.")
        targets, lengths = [_class(target, network.spec) for target in grid.target], grid.frames_per_mask or (own,)
        others = [class_against(against, network.spec.classes) for against in grid.against] or [""]
        for target, against, frames, measures in itertools.product(targets, others, lengths, measured):
            if num_frames % frames:
                raise ValueError(f"`frames_per_mask` must divide the clip's {num_frames} frames; got {frames}.")
            spectra = [len(network.spec.channels)] if network.spec.channels else []
            shape = (*spectra, num_frames // frames, height, width)
            measures = alone_measures(measures) if spectra else measures
            yield Cell(grid.method, grid.recipe, options, target, shape, measures, config.seed, against)


def _with_scores(options: Options, config: SweepConfig, grid: MethodGrid) -> Options:
    """The options of a method with the config's kind of scores, where the method has one and does not list it."""
    if config.scores == "probabilities" or "scores" in grid.options or not hasattr(options, "scores"):
        return options
    return dataclasses.replace(options, scores=config.scores)


def _measures(config: SweepConfig, grid: MethodGrid) -> Iterator[dict[str, Any]]:
    """The options of all measures, of each baseline that curves are to have."""
    if not config.curve_steps:
        yield {}
        return
    curves: dict[str, Any] = {"num_steps": config.curve_steps}
    if config.scores != "probabilities":
        curves["scores"] = config.scores
    names = dict.fromkeys((*chosen_measures(config.measures), *ADDED_MEASURES))
    added = {name: resolve_options(name, grid.recipe, {}) for name in names}
    for chosen in [{"baseline": name} for name in config.curve_baselines] or [{}]:
        yield {name: resolve_options(name, grid.recipe, curves | chosen) for name in MEASURES} | added


def _cases(spec: NetworkSpec, choice: ClipChoice, spectrum: str) -> list[Case]:
    clip_set = open_clips(choice.data, height=spec.size, num_frames=spec.num_frames, seed=choice.seed)
    spectra = None if spectrum == FUSED else (spectrum,)
    return select_cases(spec, clip_set.select(split=choice.split, spectra=spectra), choice.per_spectrum)
