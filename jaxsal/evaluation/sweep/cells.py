"""The cells of a sweep, and the ledgers of scores that cells share."""

import dataclasses
import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxsal.classifier import Classifier
from jaxsal.core.callables import call_parts, shape_of, split_callable
from jaxsal.core.fingerprints import fingerprint
from jaxsal.datasets.catalog import SYNTHETIC, open_clips
from jaxsal.engine.padded_masks import PaddedRiseMasks, common_padding, pad_masks
from jaxsal.evaluation.evaluate import Case, select_cases
from jaxsal.evaluation.sweep.config import ClipChoice, MethodGrid, SweepConfig
from jaxsal.keywords import resolve_options
from jaxsal.options import MEASURES
from jaxsal.recipes import RiseOptions
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.networks import NetworkSpec

READ_OUT = ("num_masks", "estimator", "scores")
"""Options of RISE that change what is read out of the scores, not the scores."""


class Network(NamedTuple):
    """A trained network, and the SHA-256 of its weights."""

    folder: str
    spec: NetworkSpec
    classifier: Classifier
    weights: str

    @classmethod
    def of(cls, folder: str, checkpoint: Checkpoint) -> "Network":
        """The network of a checkpoint."""
        classifier = checkpoint.spec.classifier(checkpoint.variables)
        return cls(folder, checkpoint.spec, classifier, fingerprint(classifier))


@dataclass(frozen=True)
class Ledger:
    """Scores that several cells read: one way of masking the clips of one set for one network.

    Attributes:
      identity: What the scores depend on.
      options: Of RISE; `num_masks` is the most that any cell reads.
      shape: (T', H, W) of the masks.
    """

    identity: dict[str, Any]
    options: RiseOptions
    shape: tuple[int, int, int]

    @cached_property
    def path(self) -> str:
        """Where the store has it."""
        return f"ledgers/{_name(self.identity)}"

    def empty(self, num_classes: int) -> RiseLedger:
        """The scores of no mask, of no clip in particular."""
        key = jax.random.key(self.identity["seed"], impl="threefry2x32")
        return RiseLedger(
            key_data=np.asarray(jax.random.key_data(key)),
            shape=self.shape,
            options=self.options,
            clip_fingerprint="",
            clip_logits=np.zeros(num_classes, np.float32),
            ids=np.zeros(0, np.int32),
            logits=np.zeros((0, num_classes), np.float32),
        )


@dataclass(frozen=True)
class Cell:
    """One network, one set of clips, one spectrum, one method, one value of every option.

    Attributes:
      identity: All that the results depend on.
      method: "gradcam", "rise" or "sidu".
      recipe: Of the method and of the curves.
      options: Of the method.
      target: "predicted", "label" or a class.
      ledger: The scores that it reads, for RISE.
    """

    identity: dict[str, Any]
    method: str
    recipe: str
    options: Any
    target: str | int
    ledger: Ledger | None

    @cached_property
    def path(self) -> str:
        """Where the store has it."""
        return f"cells/{_name(self.identity)}"


@dataclass(frozen=True, eq=False)
class Group:
    """The cells that concern the same network and clips, and those clips, of one spectrum.

    Attributes:
      identity: What all results of the group depend on.
      network: The network.
      cases: The clips, each name once.
      cells: The cells, each once.
    """

    identity: dict[str, Any]
    network: Network
    cases: tuple[Case, ...]
    cells: tuple[Cell, ...]

    @cached_property
    def ledgers(self) -> dict[str, Ledger]:
        """The ledgers of the cells, by path, each with the most masks that a cell wants."""
        found: dict[str, Ledger] = {}
        for ledger in (cell.ledger for cell in self.cells if cell.ledger is not None):
            before = found.get(ledger.path)
            if before is None or before.options.num_masks < ledger.options.num_masks:
                found[ledger.path] = ledger
        return found

    @cached_property
    def families(self) -> dict[str, PaddedRiseMasks]:
        """The masks of the ledgers, by path, padded alike so that they share a program."""
        masks = {path: ledger.empty(1).masks for path, ledger in self.ledgers.items()}
        padding = common_padding(list(masks.values()))
        num_frames = self.network.spec.clip_shape[0]
        return {
            path: pad_masks(family, num_frames, padding, self.ledgers[path].options.frame_slices)
            for path, family in masks.items()
        }

    @cached_property
    def passes(self) -> dict[str, int]:
        """Forward passes of each cell on a clip, by path, those of its ledger left out."""
        arrays, static = split_callable(self.network.classifier)
        clip = jax.ShapeDtypeStruct(self.network.spec.clip_shape, np.float32)
        found = {}
        for cell in self.cells:
            own = {"rise": 0, "gradcam": 1}.get(cell.method)
            if own is None:  # SIDU: one mask a channel
                own = shape_of(call_parts, arrays, clip, static)[0].shape[-1] + 1
            curves = cell.identity["curves"] or {}
            found[cell.path] = own + sum(options["num_steps"] for options in curves.values())
        return found

    def failure_path(self, case: Case) -> str:
        """Where the store notes that a clip could not be used."""
        return f"failures/{_name(self.identity | dict(clip=case.name))}"


def expand(config: SweepConfig, networks: list[Network]) -> list[Group]:
    """Every combination of a config, by network, set of clips and spectrum; equal cells and clips once.

    Raises:
      ValueError: If a set lacks a spectrum or has other classes than a network, options do not fit each other, or a
        target is no class or wants labels that a clip lacks.
    """
    groups: dict[str, Group] = {}
    for network, choice, spectrum in itertools.product(networks, config.clips, config.spectra):
        identity = dict(
            weights=network.weights,
            data=os.path.normpath(choice.data),
            split=choice.split,
            clip_seed=choice.seed if choice.data == SYNTHETIC else 0,
            spectrum=spectrum,
            network=dataclasses.asdict(network.spec),
            seed=config.seed,
        )
        cells = {cell.path: cell for grid in config.methods for cell in _cells(config, network, grid, identity)}
        cases = {case.name: case for case in _cases(network.spec, choice, spectrum)}
        same = groups.get(_name(identity))
        if same is not None:  # another choice of the same clips, or the same weights in another folder
            cases, network = {case.name: case for case in same.cases} | cases, same.network
        group = Group(identity, network, tuple(cases.values()), tuple(cells.values()))
        _check_targets(group)
        groups[_name(identity)] = group
    return list(groups.values())


def _check_targets(group: Group) -> None:
    num_classes = len(group.network.spec.classes)
    for target in {cell.target for cell in group.cells}:
        if isinstance(target, int) and not 0 <= target < num_classes:
            raise ValueError(f"`target` must be a class from 0 to {num_classes - 1}; got {target}.")
        if target == "label":
            unknown = [case.name for case in group.cases if not 0 <= case.label < num_classes]
            if unknown:
                raise ValueError(f"`target` must be known for every clip; got no label for {unknown[0]}.")


def _cells(config: SweepConfig, network: Network, grid: MethodGrid, shared: dict[str, Any]) -> Iterator[Cell]:
    curves = None
    if config.curve_steps:
        curves = {
            measure: option_values(resolve_options(measure, grid.recipe, {"num_steps": config.curve_steps}))
            for measure in MEASURES
        }
    for chosen in grid.combinations():
        options = resolve_options(grid.method, grid.recipe, chosen)
        if getattr(options, "batch_size", None) is not None:
            raise ValueError(f"`batch_size` must be left out in a sweep; got {options.batch_size}.")
        if getattr(options, "sampling", "independent") != "independent":  # padded masks draw cell by cell
            raise ValueError(f"`sampling` must be 'independent' in a sweep; got {options.sampling!r}.")
        own = network.classifier.frames_per_mask
        for target, frames in itertools.product(grid.target, grid.frames_per_mask or (own,)):
            ledger = None if grid.method != "rise" else _ledger(network.spec, options, frames, shared)
            identity = shared | dict(
                method=grid.method,
                recipe=grid.recipe,
                options=option_values(options),
                frames_per_mask=frames,
                target=target,
                curves=curves,
            )
            yield Cell(identity, grid.method, grid.recipe, options, target, ledger)


def _ledger(spec: NetworkSpec, options: RiseOptions, frames_per_mask: int, shared: dict[str, Any]) -> Ledger:
    num_frames, height, width, _ = spec.clip_shape
    if num_frames % frames_per_mask:
        raise ValueError(f"`frames_per_mask` must divide the clip's {num_frames} frames; got {frames_per_mask}.")
    kept = {name: value for name, value in option_values(options).items() if name not in READ_OUT}
    shape = (num_frames // frames_per_mask, height, width)
    return Ledger(shared | dict(options=kept, frames_per_mask=frames_per_mask), options, shape)


def _cases(spec: NetworkSpec, choice: ClipChoice, spectrum: str) -> list[Case]:
    clip_set = open_clips(choice.data, height=spec.size, num_frames=spec.num_frames, seed=choice.seed)
    return select_cases(spec, clip_set.select(split=choice.split, spectra=(spectrum,)), choice.per_spectrum)


def option_values(options: Any) -> dict[str, Any]:
    """All options by name, as JSON gives them back: 1 and 1.0 alike, an array by its fingerprint."""
    values = {
        field.name: float(getattr(options, field.name)) if field.type is float else getattr(options, field.name)
        for field in dataclasses.fields(options)
    }
    return json.loads(json.dumps(values, default=fingerprint))


def _name(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
