"""The groups of a sweep's config: every combination of networks, clips, spectra, methods and options."""

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jaxsal.classifier import Classifier
from jaxsal.core.controls import control_names
from jaxsal.datasets.catalog import SYNTHETIC, open_clips
from jaxsal.evaluation.cells import Case, Cell, control_cell
from jaxsal.evaluation.config import ClipChoice, MethodGrid, SweepConfig
from jaxsal.evaluation.explain import select_cases
from jaxsal.evaluation.groups import Group, classifier_identity
from jaxsal.recipes import ADDED_MEASURES, MEASURES, resolve_options
from jaxsal.training.checkpoint import Checkpoint, open_checkpoint
from jaxsal.training.networks import NetworkSpec


class Network(NamedTuple):
    """A trained network: where it is, what it is, and its classifier."""

    folder: str
    spec: NetworkSpec
    classifier: Classifier

    @classmethod
    def of(cls, folder: str, checkpoint: Checkpoint) -> "Network":
        """The network of a checkpoint."""
        return cls(folder, checkpoint.spec, checkpoint.spec.classifier(checkpoint.variables))


def open_groups(config: SweepConfig) -> list[Group]:
    """The groups of a config, with their networks and clips.

    Raises:
      FileNotFoundError: If a checkpoint or a set of clips is missing.
      ValueError: As `expand`.
    """
    return expand(config, [Network.of(folder, open_checkpoint(folder)) for folder in config.checkpoints])


def expand(config: SweepConfig, networks: Sequence[Network]) -> list[Group]:
    """Every combination of a config, by network, set of clips and spectrum; equal cells and clips once.

    Raises:
      ValueError: If a set lacks a spectrum or has other classes than a network, options do not fit each other, or a
        target is no class or wants labels that a clip lacks.
    """
    groups: dict[str, Group] = {}
    for network, choice, spectrum in itertools.product(networks, config.clips, config.spectra):
        identity = classifier_identity(network.classifier) | dict(
            data=os.path.normpath(choice.data),
            split=choice.split,
            clip_seed=choice.seed if choice.data == SYNTHETIC else 0,
            spectrum=spectrum,
            network=dataclasses.asdict(network.spec),
        )
        spec = network.spec
        own = [cell for grid in config.methods for cell in _cells(config, network, grid)]
        controls = [
            control_cell(name, [cell]) for cell in own for name in control_names(config.controls, [cell.method])
        ]
        cells = {cell.text: cell for cell in (*own, *controls)}
        cases = {case.name: case for case in _cases(spec, choice, spectrum)}
        group = Group(
            identity,
            network.classifier,
            spec.classes,
            spec.clip_shape,
            tuple(cases.values()),
            tuple(cells.values()),
            network.folder,
        )
        if (same := groups.get(group.id)) is not None:  # another choice of the same clips, or weights in two folders
            cases = {case.name: case for case in same.cases} | cases
            group = dataclasses.replace(same, cases=tuple(cases.values()))
        _check_targets(group)
        groups[group.id] = group
    return list(groups.values())


def _check_targets(group: Group) -> None:
    num_classes = len(group.classes)
    for target in {cell.target for cell in group.cells}:
        if isinstance(target, int) and not 0 <= target < num_classes:
            raise ValueError(f"`target` must be a class from 0 to {num_classes - 1}; got {target}.")
        if target == "label":
            unknown = [case.name for case in group.cases if not 0 <= case.label < num_classes]
            if unknown:
                raise ValueError(f"`target` must be known for every clip; got no label for {unknown[0]}.")


def _cells(config: SweepConfig, network: Network, grid: MethodGrid) -> Iterator[Cell]:
    measured = list(_measures(config, grid))
    num_frames, height, width, _ = network.spec.clip_shape
    own = network.classifier.frames_per_mask
    for options in grid.resolved:
        if getattr(options, "batch_size", None) is not None:
            raise ValueError(f"`batch_size` must be left out in a sweep; got {options.batch_size}.")
        targets, lengths = grid.target, grid.frames_per_mask or (own,)
        for target, frames, measures in itertools.product(targets, lengths, measured):
            if num_frames % frames:
                raise ValueError(f"`frames_per_mask` must divide the clip's {num_frames} frames; got {frames}.")
            shape = (num_frames // frames, height, width)
            yield Cell(grid.method, grid.recipe, options, target, shape, measures, config.seed)


def _measures(config: SweepConfig, grid: MethodGrid) -> Iterator[dict[str, Any]]:
    """The options of all measures, of each baseline that curves are to have."""
    if not config.curve_steps:
        yield {}
        return
    curves: dict[str, Any] = {"num_steps": config.curve_steps}
    added = {name: resolve_options(name, grid.recipe, {}) for name in ADDED_MEASURES}
    for chosen in [{"baseline": name} for name in config.curve_baselines] or [{}]:
        yield {name: resolve_options(name, grid.recipe, curves | chosen) for name in MEASURES} | added


def _cases(spec: NetworkSpec, choice: ClipChoice, spectrum: str) -> list[Case]:
    clip_set = open_clips(choice.data, height=spec.size, num_frames=spec.num_frames, seed=choice.seed)
    return select_cases(spec, clip_set.select(split=choice.split, spectra=(spectrum,)), choice.per_spectrum)
