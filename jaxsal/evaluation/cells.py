"""Cells, of which every plan consists: one method with one value of every option on the clips of one group.

Results are known by what they depend on, so nothing is pooled or taken up that came from another clip, classifier or
option; cells that read the same scores share them.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple, cast

from jaxsal.core.checks import Options, hint
from jaxsal.core.controls import control_names
from jaxsal.core.files import file_name
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.types import LogitFn, ScoreFn
from jaxsal.datasets.recordings.excerpt import Excerpt
from jaxsal.engine.class_scores import of_classifier, shown_kind
from jaxsal.engine.classifiers import mask_shape
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.scenes import alone_measures
from jaxsal.recipes import ScoreKind
from jaxsal.saliency.methods import METHODS, Method


class Case(NamedTuple):
    """One clip to explain.

    Attributes:
      name: Unique among the cases.
      spectrum: "IR" or "TV"; "FUSED" for a scene in both.
      label: The true class, -1 where it is not known.
      load: Returns the clip, (T, H, W, C) in [0, 1]; of a scene that of every spectrum, by name.
      target: The class to explain, or a function of the logits; the predicted class if None.
      actor: Who is seen, for intervals and tests; the clip by itself if empty.
      load_mask: Returns the actor's pixels, (T, H, W), in sets that know them; None where it knows none. Of a scene
        those in every spectrum.
      load_excerpts: Says by spectrum which frames of which recording the clip consists of; none where it is of none.
    """

    name: str
    spectrum: str
    label: int
    load: Callable[[], Any]
    target: int | LogitFn | None = None
    actor: str = ""
    load_mask: Callable[[], Any] | None = None
    load_excerpts: Callable[[], Mapping[str, Excerpt]] = dict


@dataclass(frozen=True)
class Cell:
    """One method with one value of every option, and the measures of its maps.

    Attributes:
      method: A key of `METHODS`.
      recipe: Name of the recipe that the options came from.
      options: Of the method, for the control `other` of the method whose map it is; None for other controls.
      target: "predicted", "label", a class, or a function of the logits.
      shape: (T', H, W) of the maps; of scenes (S, T', H, W).
      measures: By name, the options of each measure.
      seed: Of everything random.
      against: The class that the explained one is told from, or "second", the most probable other one; none if empty.
    """

    method: str
    recipe: str
    options: Options | None
    target: str | int | LogitFn
    shape: tuple[int, ...]
    measures: Mapping[str, Any]
    seed: int
    against: str | int = ""

    @property
    def kind(self) -> Method:
        """The method itself."""
        return METHODS[self.method]

    @cached_property
    def measured_alike(self) -> tuple[Any, ...]:
        """Shape and measures, with their options as texts; maps of cells that share them are measured together."""
        return self.shape, *(name + option_text(options) for name, options in self.measures.items())

    @cached_property
    def text(self) -> str:
        """`values` as a text, from parts that many cells share."""
        target = repr(self.target) + (f" against {self.against!r}" if self.against != "" else "")
        return "|".join(
            [self.method, self.recipe, option_text(self.options), target, *self.measured_alike[1:], self._rest]
        )

    @cached_property
    def scores_text(self) -> str:
        """All that the scores that the cell reads depend on, as a text."""
        method = self.kind.scores_of or self.method
        return "|".join([method, option_text(self.options, self.kind.read_options), self._rest])

    @property
    def shown(self) -> ScoreKind:
        """The kind of score that predictions are shown in: that of the curves, else of the method."""
        kinds = [getattr(own, "scores", None) for own in (*self.measures.values(), self.options)]
        return shown_kind(next((kind for kind in kinds if kind is not None), "probabilities"))

    @property
    def _rest(self) -> str:
        return f"{self.shape}|{self.seed if self.kind.seeded else 0}"

    def values(self) -> dict[str, Any]:
        """All that tells the cell from others of its group, of kinds that JSON has."""
        return dict(
            method=self.method,
            recipe=self.recipe,
            options=option_values(self.options),
            target=target_name(self.target),
            shape=list(self.shape),
            measures={name: option_values(options) for name, options in self.measures.items()},
            seed=self.seed,
            **({} if self.against == "" else dict(against=self.against)),
        )


def cells_of(
    options: ExplainOptions,
    classifier: ScoreFn,
    clip_shape: tuple[int, ...],
    target: str | int | LogitFn = "predicted",
    *,
    against: str | int = "",
    num_spectra: int = 0,
) -> tuple[Cell, ...]:
    """The cells of explaining clips: each method, and each control beside them.

    Raises:
      ValueError: If an option's value is not allowed.
    """
    shape = mask_shape(classifier, clip_shape, num_spectra)
    measures = {name: of_classifier(options.resolve(name), classifier) for name in options.measures}
    measures = alone_measures(measures) if num_spectra else measures
    shared = (target, shape, measures, options.seed, against)
    methods = {name: of_classifier(options.resolve(name), classifier) for name in options.method}
    cells = [Cell(name, options.recipe, own, *shared) for name, own in methods.items()]
    return (*cells, *(control_cell(name, cells) for name in control_names(options.controls, options.method)))


def target_name(target: str | int | LogitFn) -> str | int:
    """What a function of the logits is called; other targets as they are."""
    if not callable(target):
        return target
    name = getattr(target, "__name__", type(target).__name__)
    return "a function of the logits" if name == "<lambda>" else str(name)


def class_against(against: str | int | None, classes: Sequence[str]) -> str | int:
    """The class that others are told from, by number; "second" as it is, empty for None.

    Raises:
      ValueError: If there is no such class.
    """
    if against in (None, "", "second"):
        return against or ""
    if against in classes:
        return tuple(classes).index(str(against))
    if str(against).isdigit() and int(against) < (len(classes) or int(against) + 1):
        return int(against)
    allowed = f"'second', one of {tuple(classes)}" if classes else "'second'"
    close = hint(against, ("second", *classes))
    raise ValueError(f"`against` must be {allowed} or a number of a class; got {against!r}.{close}")


def control_cell(name: str, cells: Sequence[Cell]) -> Cell:
    """A control beside the cells of methods; `other` is of the last one of its method."""
    of = next((cell for cell in reversed(cells) if cell.method == METHODS[name].of), None)
    beside = of or cells[0]
    return dataclasses.replace(beside, method=name, options=None if of is None else of.options)


def option_values(options: Options | None) -> dict[str, Any]:
    """All options by name, as JSON gives them back: 1 and 1.0 alike, an array by its fingerprint."""
    return json.loads(option_text(options))


def option_text(options: Options | None, left_out: tuple[str, ...] = ()) -> str:
    """`option_values` as JSON, without the ones left out; each object is converted once."""
    try:
        return _text(options, left_out)
    except TypeError:  # an array as a baseline
        return _text.__wrapped__(options, left_out)


@lru_cache(maxsize=4096)
def _text(options: Options | None, left_out: tuple[str, ...]) -> str:
    kinds = {} if options is None else _field_kinds(type(options))
    values = {name: getattr(options, name) for name in kinds if name not in left_out}
    return json.dumps({n: float(v) if kinds[n] is float else v for n, v in values.items()}, default=fingerprint)


@cache
def _field_kinds(kind: type) -> dict[str, Any]:
    return {field.name: field.type for field in dataclasses.fields(cast(type[Options], kind))}


def name_of(identity: str | dict[str, Any]) -> str:
    """A short name that tells an identity from others."""
    text = identity if isinstance(identity, str) else json.dumps(identity, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_names_differ(cases: Sequence[Case]) -> None:
    """Raises ValueError if two cases have the same name, as files call it."""
    names = [file_name(case.name) for case in cases]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"`cases` must have different names; got {repeated[0]!r} twice.")
