"""The cells of a sweep, and the ledgers of scores that cells share."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxsal.checkpoint import Checkpoint
from jaxsal.classifier import Classifier
from jaxsal.datasets.catalog import open_clips
from jaxsal.evaluate import Case, select_cases
from jaxsal.fingerprints import fingerprint
from jaxsal.keywords import resolve_options
from jaxsal.ledger import RiseLedger
from jaxsal.networks import NetworkSpec
from jaxsal.recipes import RiseOptions
from jaxsal.sweep.config import ClipChoice, MethodGrid, SweepConfig

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

    @property
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

    @property
    def path(self) -> str:
        """Where the store has it."""
        return f"cells/{_name(self.identity)}"


class Group(NamedTuple):
    """The cells that concern the same network and clips, and those clips, of one spectrum."""

    network: Network
    cases: tuple[Case, ...]
    cells: tuple[Cell, ...]

    @property
    def ledgers(self) -> dict[str, Ledger]:
        """The ledgers of the cells, by path, each with the most masks that a cell wants."""
        found: dict[str, Ledger] = {}
        for ledger in (cell.ledger for cell in self.cells if cell.ledger is not None):
            before = found.get(ledger.path)
            if before is None or before.options.num_masks < ledger.options.num_masks:
                found[ledger.path] = ledger
        return found


def expand(config: SweepConfig, networks: list[Network]) -> list[Group]:
    """Every combination of a config, by network, set of clips and spectrum; equal cells once.

    Raises:
      ValueError: If a set lacks a spectrum or has other classes than a network, or options do not fit each other.
    """
    groups = []
    for network, choice, spectrum in itertools.product(networks, config.clips, config.spectra):
        shared = dict(
            weights=network.weights,
            data=choice.data,
            split=choice.split,
            clip_seed=choice.seed,
            spectrum=spectrum,
            network=dataclasses.asdict(network.spec),
            seed=config.seed,
        )
        cells = {cell.path: cell for grid in config.methods for cell in _cells(config, network, grid, shared)}
        groups.append(Group(network, tuple(_cases(network.spec, choice, spectrum)), tuple(cells.values())))
    return groups


def _cells(config: SweepConfig, network: Network, grid: MethodGrid, shared: dict[str, Any]) -> Iterator[Cell]:
    steps = {"num_steps": config.curve_steps} if config.curve_steps else None
    for chosen in grid.combinations():
        options = resolve_options(grid.method, grid.recipe, chosen)
        if getattr(options, "batch_size", None) is not None:
            raise ValueError(f"`batch_size` must be left out in a sweep; got {options.batch_size}.")
        own = network.classifier.frames_per_mask
        for target, frames in itertools.product(grid.target, grid.frames_per_mask or (own,)):
            ledger = None if grid.method != "rise" else _ledger(network.spec, options, frames, shared)
            identity = shared | dict(
                method=grid.method, recipe=grid.recipe, options=_jsonable(options), target=target, curves=steps
            )
            if frames != own:
                identity["frames_per_mask"] = frames
            yield Cell(identity, grid.method, grid.recipe, options, target, ledger)


def _ledger(spec: NetworkSpec, options: RiseOptions, frames_per_mask: int, shared: dict[str, Any]) -> Ledger:
    num_frames, height, width, _ = spec.clip_shape
    if num_frames % frames_per_mask:
        raise ValueError(f"`frames_per_mask` must divide the clip's {num_frames} frames; got {frames_per_mask}.")
    kept = {name: value for name, value in _jsonable(options).items() if name not in READ_OUT}
    shape = (num_frames // frames_per_mask, height, width)
    return Ledger(shared | dict(options=kept, frames_per_mask=frames_per_mask), options, shape)


def _cases(spec: NetworkSpec, choice: ClipChoice, spectrum: str) -> list[Case]:
    clip_set = open_clips(choice.data, height=spec.size, num_frames=spec.num_frames, seed=choice.seed)
    return select_cases(spec, clip_set.select(split=choice.split, spectra=(spectrum,)), choice.per_spectrum)


def _jsonable(options: Any) -> dict[str, Any]:
    """Options that are not the default, as JSON gives them back; an array is told by its fingerprint."""
    changed = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if not _equal(getattr(options, field.name), field.default)
    }
    return json.loads(json.dumps(changed, default=fingerprint))


def _equal(value: Any, default: Any) -> bool:
    return isinstance(value, type(default)) and bool(np.all(value == default))


def _name(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
