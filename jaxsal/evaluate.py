"""Explains many clips, one file per clip as soon as it is known, so that a killed run goes on where it was."""

import dataclasses
import re
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from jaxsal.classifier import Classifier
from jaxsal.explain import check_options, explain
from jaxsal.explanation import Explanation, load_explanation, save_explanation
from jaxsal.fingerprints import fingerprint
from jaxsal.options import ExplainOptions


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


def explain_all(
    classifier: Classifier,
    cases: Iterable[Case],
    options: ExplainOptions,
    directory: str | Path,
    *,
    progress: bool = False,
) -> list[Explanation]:
    """Explains clip after clip; what `directory` holds of the same clips, weights and options is not redone.

    Args:
      classifier: What is explained.
      cases: The clips.
      options: Methods, recipe and their options.
      directory: Each clip's explanation goes to "NAME.npz" there.
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
    explanations = []
    for case in tqdm(cases, "explain", disable=not progress, unit="clip"):
        clip = case.load()
        identity: dict[str, Any] = dict(
            options=dataclasses.asdict(options),
            weights=weights,
            normalization=getattr(classifier, "normalization", None),
            frames_per_mask=getattr(classifier, "frames_per_mask", 1),
            clip=fingerprint(clip),
            target=case.target,
            version=version("jaxsal"),
        )
        path = Path(directory) / f"{file_name(case.name)}.npz"
        explanation = load_explanation(path, identity)
        if explanation is None:
            explanation = explain(
                classifier,
                clip,
                options,
                name=case.name,
                spectrum=case.spectrum,
                label=case.label,
                target=case.target,
            )
            save_explanation(path, explanation, identity)
        explanations.append(explanation)
    return explanations


def file_name(name: str) -> str:
    """A clip's name as a file's name on any system."""
    return re.sub(r"[^\w.-]+", "_", name)
