"""Explains many clips, one file per clip as soon as its batch is known, so that a killed run goes on where it was."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from jaxsal.classifier import Classifier
from jaxsal.core.fingerprints import fingerprint
from jaxsal.datasets.records import SPECTRA, ClipRecord, ClipSet, spread
from jaxsal.evaluation.explain import Subject, check_options, explain, rise_overrides
from jaxsal.evaluation.explanation import Explanation, load_explanation, save_explanation
from jaxsal.keywords import resolve_options
from jaxsal.options import ExplainOptions
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.training.networks import NetworkSpec

_SPEED = ("chunk_size", "clips_per_batch")
"""Options that change nothing but the time and the memory that is taken."""


class Case(NamedTuple):
    """One clip to explain.

    Attributes:
      name: Unique among the cases.
      spectrum: "IR" or "TV".
      label: The true class, -1 where it is not known.
      load: Returns the clip, (T, H, W, C) in [0, 1].
      target: The class to explain; the predicted one if None.
    """

    name: str
    spectrum: str
    label: int
    load: Callable[[], Float[np.ndarray, "T H W C"]]
    target: int | None = None


def select_cases(spec: NetworkSpec, clip_set: ClipSet, per_spectrum: int) -> list[Case]:
    """Some clips of every spectrum that a set has, cut as the network is tested on them; see `spread` for which.

    Raises:
      ValueError: If the set's classes are not the network's.
    """
    if clip_set.classes != spec.classes:
        raise ValueError(f"`data` must have the checkpoint's classes {spec.classes}; got {clip_set.classes}.")
    return [
        Case(record.name, record.spectrum, record.label, partial(_load_clip, spec, record))
        for spectrum in SPECTRA
        for record in spread([r for r in clip_set.records if r.spectrum == spectrum], per_spectrum)
    ]


def _load_clip(spec: NetworkSpec, record: ClipRecord) -> Float[np.ndarray, "T H W C"]:
    return spec.centre_clip(record.load())


def explain_all(
    classifier: Classifier,
    cases: Iterable[Case],
    options: ExplainOptions,
    directory: str | Path,
    *,
    ledgers: str | Path | None = None,
    progress: bool = False,
) -> list[Explanation]:
    """Explains clips, a few at a time; what `directory` holds of the same clips, weights and options is not redone.

    Args:
      classifier: What is explained.
      cases: The clips.
      options: Methods, recipe and their options; `clips_per_batch` says how many clips, of one shape, go together.
      directory: Each clip's explanation goes to "NAME.npz" there.
      ledgers: Folder of RISE's scores, which options that differ in the number of masks alone share; a run that was
        killed amid a clip goes on there. Nothing is kept if None.
      progress: Whether to show a bar on standard error.

    Raises:
      ValueError: If an option is not allowed, two cases share a name, or a clip cannot be used.
    """
    check_options(options)
    cases = list(cases)
    names = [file_name(case.name) for case in cases]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"`cases` must have different names; got {repeated[0]!r} twice.")
    weights = fingerprint(classifier)
    scored_by = f"{weights[:8]}-{getattr(classifier, 'normalization', None) or 'plain'}"
    found: dict[str, Explanation] = {}
    bar = tqdm(total=len(cases), desc="explain", disable=not progress, unit="clip")

    def path(name: str) -> Path:
        return Path(directory) / f"{file_name(name)}.npz"

    def missing() -> Iterator[_Missing]:
        for case in cases:
            clip = case.load()
            identity = identify(classifier, options, case, weights=weights) | dict(clip=fingerprint(clip))
            held = load_explanation(path(case.name), identity)
            if held is not None:
                found[case.name] = held
                bar.update()
                continue
            ledger = None
            if ledgers is not None:
                ledger = _ledger_path(Path(ledgers) / ledger_name(case.name, options, scored_by), identity["clip"])
            yield _Missing(Subject(case.name, case.spectrum, clip, case.label, case.target, ledger), identity)

    at_once = min(options.clips_per_batch, options.chunk_size, len(cases))
    with bar:
        for batch in _of_one_shape(missing(), at_once):
            explanations = explain(classifier, options, [each.subject for each in batch], batch_size=at_once)
            for each, explanation in zip(batch, explanations, strict=True):
                save_explanation(path(each.subject.name), explanation, each.identity)
                found[each.subject.name] = explanation
            bar.update(len(batch))
    return [found[case.name] for case in cases]


class _Missing(NamedTuple):
    """A clip that is to be explained, and what its explanation will be known by."""

    subject: Subject
    identity: dict[str, Any]


def _of_one_shape(missing: Iterable[_Missing], most: int) -> Iterator[list[_Missing]]:
    """Up to `most` clips at a time, all of one shape, in their order."""
    batch: list[_Missing] = []
    for each in missing:
        if batch and batch[0].subject.clip.shape != each.subject.clip.shape:
            yield batch
            batch = []
        batch.append(each)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch


def identify(
    classifier: Classifier, options: ExplainOptions, case: Case, *, weights: str | None = None
) -> dict[str, Any]:
    """What an explanation comes from, the clip itself aside: one of the same is not made again.

    Args:
      classifier: What is explained.
      options: How.
      case: The clip.
      weights: Fingerprint of the classifier where it is known.
    """
    return dict(
        options={name: value for name, value in dataclasses.asdict(options).items() if name not in _SPEED},
        weights=weights or fingerprint(classifier),
        normalization=getattr(classifier, "normalization", None),
        frames_per_mask=getattr(classifier, "frames_per_mask", 1),
        target=case.target,
        version=version("jaxsal"),
    )


def _ledger_path(path: Path, clip_fingerprint: str) -> Path:
    """Where a clip's RISE scores go; a file there that is damaged or of another clip is removed."""
    if path.exists():
        try:
            usable = RiseLedger.load(path).clip_fingerprint == clip_fingerprint
        except ValueError:
            usable = False
        if not usable:
            path.unlink()
    return path


def ledger_name(name: str, options: ExplainOptions, scored_by: str) -> str:
    """The file of a clip's RISE scores: the same for options that only read them differently.

    Args:
      name: The clip's.
      options: How it is explained.
      scored_by: Tells classifiers apart, so that another training makes ledgers of its own.
    """
    chosen = resolve_options("rise", options.recipe, rise_overrides(options))
    grid = "x".join(map(str, chosen.grid_shape))
    batch = "" if chosen.batch_size is None else f"-batch{chosen.batch_size}"
    sampling = "" if chosen.sampling == "independent" else f"-{chosen.sampling}"
    precision = "" if options.precision == "float32" else f"-{options.precision}"
    masks = f"{options.recipe}-{grid}-p{chosen.keep_prob:g}{batch}{sampling}-seed{options.seed}{precision}"
    return f"{file_name(name)}-{scored_by}-{masks}.npz"


def file_name(name: str) -> str:
    """A clip's name as a file's name on any system."""
    return re.sub(r"[^\w.-]+", "_", name)
