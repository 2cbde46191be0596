"""The study's conclusions, one by one, as paired tests over clips."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.datasets.records import SPECTRA
from jaxsal.options import METHODS
from jaxsal.paper.cells import Cell, make_cell, value_name
from jaxsal.paper.config import ARCHITECTURES, Study
from jaxsal.paper.sheets import Sheet, Value, measure
from jaxsal.paper.tables import MEASURES, Results
from jaxsal.report.statistics import paired_test
from jaxsal.report.tables import ClipResult

MARGIN = 0.07
"""What counts as little or much: by this the study's own repetitions of RISE's defaults differ between its tables."""

_LEVEL = 0.05
_SIGNS = {"deletion": -1, "insertion": 1}


class Comparison(NamedTuple):
    """One part of a conclusion: cells against other cells on the same clips.

    Attributes:
      text: What is compared.
      measure: "deletion" or "insertion".
      pairs: First and second cells, of the same clips.
      least: By how much the first must be better, which may be negative.
      most: By how much it may be better at most.
    """

    text: str
    measure: str
    pairs: tuple[tuple[Cell, Cell], ...]
    least: float = 0.0
    most: float = float("inf")


class Conclusion(NamedTuple):
    """A statement of the study for one architecture; it holds if all of its parts do."""

    text: str
    arch: str
    parts: tuple[Comparison, ...]


def conclusions(study: Study, recipe: str) -> tuple[Conclusion, ...]:
    """All that are tested."""
    return tuple(conclusion for arch in ARCHITECTURES for conclusion in _of_network(study, recipe, arch))


def _of_network(study: Study, recipe: str, arch: str) -> Iterable[Conclusion]:
    def main(method: str, joint: bool | None = None) -> list[Cell]:
        return [
            make_cell(study, recipe, arch, spectra, spectrum, method)
            for spectrum in SPECTRA
            for spectra in (spectrum, "IRTV")
            if joint in (None, spectra == "IRTV")
        ]

    def swept(method: str, option: str, value: object) -> list[Cell]:
        return [make_cell(study, recipe, arch, "IRTV", spectrum, method, **{option: value}) for spectrum in SPECTRA]

    def compare(text: str, first: list[Cell], second: list[Cell], **limits: float) -> list[Comparison]:
        pairs = tuple(zip(first, second, strict=True))
        return [Comparison(text, name, pairs, **limits) for name in MEASURES]

    def against(method: str, option: str, value: object, others: Sequence[object], **limits: float) -> list[Comparison]:
        first, label = swept(method, option, value), value_name(value)
        return [
            part
            for other in others
            for part in compare(f"{label} over {value_name(other)}", first, swept(method, option, other), **limits)
        ]

    counts, grids, probs, taus = study.mask_counts, study.grid_shapes, study.keep_probs, study.thresholds
    below = [value for value in taus if value < 0][:1]  # one map for all of them
    taus = (*below, *(value for value in taus if value >= 0))
    cam, joint, alone = main("gradcam"), *([c for m in METHODS for c in main(m, flag)] for flag in (True, False))
    little, near, much = dict(least=-MARGIN, most=MARGIN), dict(least=-MARGIN), dict(least=MARGIN)
    best = [part for other in ("rise", "sidu") for part in compare(f"over {METHODS[other]}", cam, main(other))]
    raises = [part for part in compare("IRTV over own", joint, alone) if part.measure == "insertion"]
    tau = study.options("icpr2022").threshold
    statements: list[tuple[str, list[Comparison]]] = [
        ("Grad-CAM is the best method", best),
        ("Training on IRTV raises insertion", raises),
        ("More masks help RISE", against("rise", "num_masks", counts[-1], counts[:1])),
        ("A coarser grid in time is better", against("rise", "grid_shape", grids[0], grids[-1:])),
        (f"p matters little (by less than {MARGIN})", against("rise", "keep_prob", probs[0], probs[1:], **little)),
        (
            f"tau = {tau} is near the best (within {MARGIN})",
            against("sidu", "threshold", tau, [value for value in taus if value != tau], **near),
        ),
        (f"tau < 0 is much worse (by over {MARGIN})", against("sidu", "threshold", tau, below, **much)),
    ]
    return [Conclusion(text, arch, tuple(parts)) for text, parts in statements]


def advantages(comparison: Comparison, results: Results) -> Float[np.ndarray, " n"]:
    """By how much the first cells are better, scene by scene; positive is better for deletion too.

    Both spectra of a scene, and all cells of a comparison, count as one value, their mean: they are not independent.
    """
    found: dict[str, list[float]] = {}
    for first, second in comparison.pairs:
        others = {result.clip: result for result in results[second]}
        for result in results[first]:
            difference = getattr(result, comparison.measure) - getattr(others[result.clip], comparison.measure)
            found.setdefault(_scene(result), []).append(_SIGNS[comparison.measure] * difference)
    return np.array([np.mean(values) for values in found.values()])


def _scene(result: ClipResult) -> str:
    return result.clip.removesuffix(f"-{result.spectrum}")


def verdict(values: Float[np.ndarray, " n"], *, least: float = 0.0, most: float = float("inf")) -> tuple[str, float]:
    """Whether values lie between two limits in mean: "holds", "does not" or "undecided", and the p-value.

    By sign-flip tests of the distance to each limit at the level 0.05; the larger p-value is told.
    """
    verdicts, p_values = [], []
    for distances in (values - least, most - values):
        if np.isinf(distances).any():
            continue
        mean, p_value = paired_test(distances, np.zeros_like(distances))
        verdicts.append("undecided" if p_value > _LEVEL else "holds" if mean > 0 else "does not")
        p_values.append(p_value)
    return _together(verdicts), max(p_values)


def _together(verdicts: Sequence[str]) -> str:
    if "does not" in verdicts:
        return "does not"
    return "undecided" if "undecided" in verdicts else "holds"


def conclusion_sheets(study: Study, recipe: str, results: Results) -> tuple[Sheet, Sheet] | None:
    """The verdict on every conclusion whose cells are there, and the comparisons behind them; None if none is."""
    summary: list[tuple[Value, ...]] = []
    evidence: list[tuple[Value, ...]] = []
    for text, arch, parts in conclusions(study, recipe):
        if not all(cell in results for part in parts for pair in part.pairs for cell in pair):
            continue
        verdicts = []
        for part in parts:
            values = advantages(part, results)
            found, p_value = verdict(values, least=part.least, most=part.most)
            verdicts.append(found)
            numbers = (len(values), measure(values, seed=study.seed), effect_size(values), p_value)
            evidence.append((text, ARCHITECTURES[arch], part.text, part.measure, *numbers, found))
        share = f"{verdicts.count('holds')} of {len(verdicts)}"
        summary.append((text, ARCHITECTURES[arch], _together(verdicts), share))
    if not summary:
        return None
    note = (
        "A conclusion holds if all its comparisons do, does not if one is significantly the other way, and is "
        "undecided else; p ≤ 0.05, two-sided, not corrected for the number of conclusions. A scene counts once, with "
        "both spectra."
    )
    return (
        Sheet(
            "conclusions", "The study's conclusions", note, ("conclusion", "network", "verdict", "hold"), tuple(summary)
        ),
        Sheet(
            "conclusions-evidence",
            "The comparisons behind them",
            "Advantage: positive where the first is better; d: its mean over its standard deviation (ddof 1).",
            ("conclusion", "network", "comparison", "measure", "scenes", "advantage", "d", "p", "verdict"),
            tuple(evidence),
        ),
    )


def effect_size(values: Float[np.ndarray, " n"]) -> float | None:
    """Cohen's d of paired values: mean over standard deviation (ddof 1); None where they do not vary."""
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return float(values.mean() / spread) if spread > 0 else None
