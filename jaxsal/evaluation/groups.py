"""Groups: one classifier, some clips of one shape, and the cells that concern them.

`explain`, `evaluate`, `sweep` and `paper` are plans of groups for one runner and one store.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import jax
import numpy as np

from jaxsal.classifier import Classifier
from jaxsal.core.callables import call_parts_each, shape_of
from jaxsal.core.fingerprints import weights_fingerprint
from jaxsal.core.types import ScoreFn
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.classifiers import check_parts, looked_at
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.rise_masks import Padding, RiseMasks, common_padding
from jaxsal.evaluation.cells import Case, Cell, name_of
from jaxsal.evaluation.partners import partners_of, why_no_partner
from jaxsal.metrics.measures import MEASURES
from jaxsal.recipes import ALONE, SETTLED


@dataclass(frozen=True)
class ScoreSet:
    """Scores of the masks of one method, which several cells read.

    Attributes:
      series: What the store has them by.
      cell: The cell with the most masks, of the method itself where it has as many.
      num_masks: How many those are.
    """

    series: str
    cell: Cell
    num_masks: int

    @property
    def own(self) -> bool:
        """Whether the cell is of the method itself, not of one that reads its scores."""
        return not self.cell.kind.scores_of

    @property
    def open_ended(self) -> bool:
        """Whether the scores themselves say how many masks are enough, `num_masks` at most."""
        return getattr(self.cell.options, "num_masks", None) == SETTLED

    def first(self, num_masks: int) -> "ScoreSet":
        """The scores of a given number of masks."""
        options: Any = dataclasses.replace(cast(Any, self.cell.options), num_masks=num_masks)
        return ScoreSet(self.series, dataclasses.replace(self.cell, options=options), num_masks)


@dataclass(frozen=True, eq=False)
class Group:
    """Cells that concern the same classifier and clips.

    Attributes:
      identity: All that the results of the group depend on, beside the clips themselves.
      classifier: What is explained.
      classes: Names of the classes; their numbers if unknown.
      clip_shape: (T, H, W, C).
      cases: The clips, each name once.
      cells: The cells, each once.
      source: Of the classifier, for people: the folder of its checkpoint.
      channels: Of scenes, every spectrum with its channels; `clip_shape` is then that of the first one.
      exact: What `classifier` was rounded from; None, or the same, where it was not.
    """

    identity: Mapping[str, Any]
    classifier: ScoreFn
    classes: tuple[str, ...]
    clip_shape: tuple[int, ...]
    cases: tuple[Case, ...]
    cells: tuple[Cell, ...]
    source: str = ""
    channels: tuple[tuple[str, int], ...] = ()
    exact: ScoreFn | None = None

    def __post_init__(self):
        if self._layers.keys() - {None}:
            _ = self._channels  # a wrong name is refused before anything is computed

    @cached_property
    def id(self) -> str:
        """What the store has failures of clips by."""
        return name_of(dict(self.identity))

    @cached_property
    def series(self) -> tuple[str, ...]:
        """What the store has the results of each cell by; those of `other` depend on the clips of the run, too."""
        return tuple(
            name_of(self.id + cell.text + repr([(clip, case.name) for clip, case in self.partners[n].items()]))
            if n in self.partners
            else name_of(self.id + cell.text)
            for n, cell in enumerate(self.cells)
        )

    @cached_property
    def own(self) -> dict[int, int]:
        """By the number of each cell of the control `other`, that of the cell whose maps it takes."""
        numbers = {cell.text: number for number, cell in enumerate(self.cells)}
        return {
            number: numbers[dataclasses.replace(cell, method=cell.kind.of).text]
            for number, cell in enumerate(self.cells)
            if cell.kind.of
        }

    @cached_property
    def partners(self) -> dict[int, dict[str, Case]]:
        """By the number of each cell of the control `other` and by clip, the clip whose map it is, if there is one."""
        seeds = {number: self.cells[number].seed for number in self.own}
        by_seed = {seed: partners_of(self.cases, seed) for seed in set(seeds.values())}
        return {number: by_seed[seed] for number, seed in seeds.items()}

    def cases_of(self, number: int) -> Sequence[Case]:
        """The clips of a cell: all, except clips for which the control `other` has no partner."""
        if number not in self.partners:
            return self.cases
        return [case for case in self.cases if case.name in self.partners[number]]

    @property
    def left_out(self) -> str:
        """Which control is left out and why, as a sentence; empty if none is."""
        return why_no_partner(self.cases) if self.own else ""

    @cached_property
    def clip_series(self) -> str:
        """What the store has the clips themselves by, beside what replaced their voxels."""
        return name_of(self.id + repr(self.baselines(self.cells[0])))

    @cached_property
    def by_series(self) -> dict[str, Cell]:
        """The cells by the series of their results."""
        return dict(zip(self.series, self.cells, strict=True))

    @cached_property
    def reads(self) -> tuple[str | None, ...]:
        """The series of the scores that each cell reads; None for methods without."""
        names: dict[str, str] = {}
        texts = [None if cell.kind.masks is None else cell.scores_text for cell in self.cells]
        return tuple(t and (names.get(t) or names.setdefault(t, name_of(self.id + t))) for t in texts)

    @cached_property
    def score_sets(self) -> dict[str, ScoreSet]:
        """The scores that cells read, by series, each with the most masks that a cell wants."""
        found: dict[str, ScoreSet] = {}
        for cell, series in zip(self.cells, self.reads, strict=True):
            if series is not None:
                channels = self._channels[getattr(cell.options, "layer", None)] if cell.kind.needs_parts else 0
                count = cell.kind.num_masks(cell.options, cell.shape, channels)
                held = found.get(series)
                if held is None or (held.num_masks, held.own) < (count, not cell.kind.scores_of):
                    found[series] = ScoreSet(series, cell, count)
        return found

    @cached_property
    def _channels(self) -> dict[str | None, int]:
        """D of the activations by layer, None for those that enter the head, by shapes alone."""
        shapes = {name: (1, *self.clip_shape[:3], count) for name, count in self.channels}
        parts = {name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in shapes.items()}
        clips = parts or jax.ShapeDtypeStruct((1, *self.clip_shape), np.float32)
        found: dict[str | None, int] = {}
        for layer, method in self._layers.items():
            classifier = looked_at(self.classifier, layer)
            check_parts(classifier, clips, method)
            activations = shape_of(call_parts_each, classifier, clips)[0]
            found[layer] = sum(one.shape[-1] for one in jax.tree.leaves(activations))
        return found

    @property
    def _layers(self) -> dict[str | None, str]:
        """The layers that cells look at, None for what enters the head, with a method that does."""
        return {getattr(cell.options, "layer", None): cell.method for cell in self.cells if cell.kind.needs_parts}

    def measuring_passes(self, cell: Cell) -> int:
        """Forward passes of measuring one map, beside the untouched and the fully replaced clip."""
        passes: dict[Any, int] = {}
        for name, options in cell.measures.items():
            slices = math.prod(cell.shape[:-2]) // (cell.shape[0] if name in ALONE else 1)
            measure = MEASURES[name]
            passes[measure.shares(options)] = measure.num_passes(self.clip_shape, slices, options)
        return sum(passes.values())

    def baselines(self, cell: Cell) -> dict[str, Baseline]:
        """By measure of a cell, what replaces the whole clip; measures that do not ask for such a clip are left out."""
        segmented = cell.shape[-3] < self.clip_shape[0]
        kinds = {name: MEASURES[name].baseline for name in cell.measures}
        return {name: of(cell.measures[name], segmented) for name, of in kinds.items() if of is not None}

    @cached_property
    def paddings(self) -> dict[tuple[tuple[int, ...], str], Padding]:
        """By shape and sampling, the sizes that all random grids fit into, so that they share a program."""
        alike: dict[tuple[tuple[int, ...], str], list[RiseMasks]] = {}
        for found in self.score_sets.values():
            if isinstance(family := family_of(found.cell), RiseMasks):
                alike.setdefault((family.shape, family.sampling), []).append(family)
        return {kind: common_padding(families) for kind, families in alike.items()}

    def describe(self, cell: Cell, scores: str | None = None) -> dict[str, Any]:
        """A cell for the store, and the series of the scores that it reads."""
        own = cell.values() | dict(frames_per_mask=self.clip_shape[0] // cell.shape[-3])
        return dict(identity=dict(self.identity) | own, classes=self.classes, checkpoint=self.source, scores=scores)

    def describe_scores(self, cell: Cell) -> dict[str, Any]:
        """The scores that a cell reads, for the store."""
        described = self.describe(cell)
        identity = {name: value for name, value in described["identity"].items() if name not in ("target", "measures")}
        return described | dict(identity=identity)


def family_of(cell: Cell) -> MaskFamily | None:
    """The masks of a cell whose options and seed determine them."""
    method = cell.kind
    if method.stored is not None or method.restored is None:
        return None
    return method.restored({}, cell.options, cell.shape, cell.seed)


def classifier_identity(classifier: ScoreFn) -> dict[str, Any]:
    """All that results depend on in a classifier."""
    return dict(
        weights=weights_fingerprint(classifier),
        normalization=getattr(classifier, "normalization", None),
        precision=getattr(classifier, "precision", None),
        frames_per_mask=getattr(classifier, "frames_per_mask", 1),
    )


def with_precision(classifier: Classifier, precision: str) -> Classifier:
    """The classifier in the precision that was asked for; one that was rounded by its owner stays so."""
    return classifier.with_precision("bfloat16") if precision != "float32" else classifier
