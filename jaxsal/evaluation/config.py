"""What a sweep runs over, as frozen dataclasses; from a TOML, JSON or Python file, where a misspelt field fails."""

import dataclasses
import itertools
import json
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jaxsal.core.checks import Options, check_choice, check_chunk_size, check_positive, check_seed, hint
from jaxsal.core.controls import ControlChoice
from jaxsal.core.kinds import Hint, check_fields, check_kind
from jaxsal.datasets.records import SPECTRA, SPLITS
from jaxsal.recipes import METHODS, BaselineName, ChunkSize, Precision, ScoreKind, chosen_measures, resolve_options


@check_fields
@dataclass(frozen=True)
class ClipChoice:
    """Which clips.

    Attributes:
      data: Name of a set or a folder, as `jaxsal.datasets.catalog.open_clips` takes it.
      split: "train" or "test".
      per_spectrum: How many of each spectrum, every class alike.
      seed: Of the embedded set.
    """

    data: str = "synthetic"
    split: str = "test"
    per_spectrum: int = 16
    seed: int = 0

    def __post_init__(self):
        check_kind("data", self.data, Path)
        check_choice("split", self.split, SPLITS)
        check_positive("per_spectrum", self.per_spectrum)
        check_seed(self.seed)


@check_fields
@dataclass(frozen=True)
class MethodGrid:
    """One method under every combination of some options.

    Attributes:
      method: "gradcam", "rise" or "sidu".
      recipe: The defaults of the options that are not listed.
      options: By name of an option of the method, the values to try.
      target: The classes to explain: "predicted", "label" (the true one), or names or numbers of classes.
      against: The classes that each is told from, by name or number, or "second", the most probable other one; each is
        explained by itself if empty.
      frames_per_mask: RISE: frames that share a mask frame; the network's own if empty.
    """

    method: str
    recipe: str = "default"
    options: Mapping[str, Any] = field(default_factory=dict)
    target: tuple[str | int, ...] = ("predicted",)
    frames_per_mask: tuple[int, ...] = ()
    against: tuple[str | int, ...] = ()

    def __post_init__(self):
        check_choice("method", self.method, tuple(METHODS))
        for name, values in self.options.items():
            if not isinstance(values, list | tuple) or not values:
                raise ValueError(f"`options.{name}` must be a list of values to try; got {values!r}.")
        if not self.target:
            raise ValueError("`target` must list at least one class; got none.")
        _ = self.resolved
        if self.frames_per_mask and self.method != "rise":
            raise ValueError(f"`frames_per_mask` must be left out for {self.method}; got {self.frames_per_mask}.")
        for frames in self.frames_per_mask:
            check_positive("frames_per_mask", frames)

    @cached_property
    def resolved(self) -> tuple[Any, ...]:
        """The options of the method, of every combination."""
        return tuple(resolve_options(self.method, self.recipe, options) for options in self.combinations())

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Every combination of the options, as keywords of the method."""
        for values in itertools.product(*self.options.values()):
            tuples = [tuple(value) if isinstance(value, list) else value for value in values]
            yield dict(zip(self.options, tuples, strict=True))


@check_fields
@dataclass(frozen=True)
class SweepConfig:
    """A sweep: every checkpoint on every clip by every method.

    Attributes:
      store: Where results go: a folder, or a URL that TensorStore knows, such as gs://bucket/sweep.
      checkpoints: Folders of runs of `jaxsal demo`, `train` or `convert`, weight files, or whatever else `jaxsal.load`
        opens.
      methods: What to run.
      clips: On what.
      spectra: Out of "IR" and "TV".
      curve_steps: Scores of the deletion and insertion curves that measure every map; 0 measures none.
      scores: How outputs become scores, in methods that do not list `scores` themselves and in the curves:
        "softmax", "sigmoid", "logits", "given"; what recipe and checkpoint say if "probabilities".
      measures: Measures of every map beside both curves, such as "average_drop", see `ExplainOptions`; "all" or none.
      controls: Maps to compare with, measured beside every method, see `jaxsal.saliency.controls`; "all" or none.
      curve_baselines: Baselines of both curves, each a value to try; those of the recipe if empty. Those of masks are
        an option of a method: `options = {baseline = ["mean", "reverse"]}`.
      seed: Of RISE's masks.
      chunk_size: Most forward passes at once on one device, fewer where memory does not hold them; "auto" is 16 on a
        CPU, at most 64 on a GPU or TPU, and there in a long sweep the fastest of three sizes.
      masks_per_commit: Most masks between two commits; every ten seconds if None.
      keep_maps: Whether to store maps that scores give again without a forward pass, those of RISE and SIDU.
      precision: Of weights and activations, "float32" or "bfloat16"; the sweep says if bfloat16 changes ranks.
    """

    store: str
    checkpoints: tuple[str, ...]
    methods: tuple[MethodGrid, ...]
    clips: tuple[ClipChoice, ...] = (ClipChoice(),)
    spectra: tuple[str, ...] = SPECTRA
    curve_steps: int = 0
    scores: ScoreKind = "probabilities"
    measures: tuple[str, ...] = ()
    controls: tuple[ControlChoice, ...] = ()
    curve_baselines: tuple[BaselineName, ...] = ()
    seed: int = 0
    chunk_size: ChunkSize = "auto"
    keep_maps: bool = False
    masks_per_commit: int | None = None
    precision: Precision = "float32"

    def __post_init__(self):
        check_kind("store", self.store, Path)
        check_kind("checkpoints", self.checkpoints, tuple[Path, ...])
        for name in ("checkpoints", "methods", "clips", "spectra"):
            if not getattr(self, name):
                raise ValueError(f"`{name}` must list at least one; got none.")
        for spectrum in self.spectra:
            check_choice("spectra", spectrum, SPECTRA)
        if self.curve_steps < 0 or self.curve_steps == 1:
            raise ValueError(f"`curve_steps` must be 0 or at least 2; got {self.curve_steps}.")
        if self.curve_steps:
            check_positive("curve_steps", self.curve_steps)
        if chosen_measures(self.measures) and not self.curve_steps:
            raise ValueError(f"`curve_steps` must be at least 2 to measure maps; got 0 with {self.measures}.")
        if self.controls and not self.curve_steps:
            raise ValueError(f"`curve_steps` must be at least 2 to measure controls; got 0 with {self.controls}.")
        if self.curve_baselines and not self.curve_steps:
            raise ValueError("`curve_steps` must be at least 2 with `curve_baselines`; got 0.")
        check_seed(self.seed)
        check_chunk_size(self.chunk_size)
        if self.masks_per_commit is not None:
            check_positive("masks_per_commit", self.masks_per_commit)


def load_config(path: str | Path) -> SweepConfig:
    """Reads a sweep's config.

    Args:
      path: A .toml or .json file with the fields of `SweepConfig`, or a .py file that sets CONFIG to one.

    Raises:
      FileNotFoundError: If there is no such file.
      TypeError: If a field is unknown, missing or of the wrong kind.
      ValueError: If the file is not of its kind, or a value is not allowed.
    """
    path = Path(path)
    check_choice("config", path.suffix, (".toml", ".json", ".py"))
    if path.suffix == ".py":
        import runpy

        config = runpy.run_path(str(path)).get("CONFIG")
        if not isinstance(config, SweepConfig):
            raise TypeError(f"`config` must set CONFIG to a SweepConfig; got {type(config).__name__} in {path}.")
        return config
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`config` must be {path.suffix[1:].upper()}; got {path} ({error}).") from error
    return _read(SweepConfig, values, "config")


def _read(kind: Hint, value: object, place: str) -> Any:
    """A value as the annotation `kind` says: dataclasses from tables, tuples from lists."""
    if dataclasses.is_dataclass(kind):
        return _read_table(kind, value, place)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return value  # the dataclass itself checks names
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"`{place}` must be a list; got {value!r}.")
        return tuple(_read(arguments[0], entry, f"{place}[{n}]") for n, entry in enumerate(value))
    check_kind(place, value, origin if origin is dict else kind)  # the dataclass itself checks what is in a table
    return value


def _read_table(kind: Hint, values: object, place: str) -> Options:
    if not isinstance(values, dict):
        raise TypeError(f"`{place}` must be a table; got {values!r}.")
    hints = typing.get_type_hints(kind)
    unknown = [name for name in values if name not in hints]
    if unknown:
        raise TypeError(
            f"`{place}` must have fields out of {list(hints)}; got {unknown[0]!r}.{hint(unknown[0], hints)}"
        )
    required = [f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING]
    missing = [name for name in required if name not in values]
    if missing:
        raise TypeError(f"`{place}` must have the field {missing[0]!r}; got {list(values)}.")
    return kind(**{name: _read(hints[name], value, f"{place}.{name}") for name, value in values.items()})
