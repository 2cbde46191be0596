"""The study's conclusions, one by one, as paired tests over clips."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.datasets.records import SPECTRA, scene_of
from jaxsal.options import METHODS
from jaxsal.paper.cells import Cell, make_cell, value_name
from jaxsal.paper.config import ARCHITECTURES, Study
from jaxsal.paper.sheets import Sheet, Value, measure
from jaxsal.paper.tables import MEASURES, Results
from jaxsal.report.statistics import paired_test

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
    cam, joint, alone = main("gradcam"), *([c for m in METHODS for c in main(m, flag)] for flag in (True, False))
    little, near, much = dict(least=-MARGIN, most=MARGIN), dict(least=-MARGIN), dict(least=MARGIN)
    best = [part for other in ("rise", "sidu") for part in compare(f"over {METHODS[other]}", cam, main(other))]
    raises = [part for part in compare("IRTV over own", joint, alone) if part.measure == "insertion"]
    tau, below = study.options("icpr2022").threshold, [value for value in taus if value < 0]
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
    Clips where a measure is not a number are left out.
    """
    found: dict[str, list[float]] = {}
    for first, second in comparison.pairs:
        others = {result.clip: result for result in results[second]}
        for result in results[first]:
            difference = getattr(result, comparison.measure) - getattr(others[result.clip], comparison.measure)
            if np.isfinite(difference):
                scene = scene_of(result.clip, result.spectrum)
                found.setdefault(scene, []).append(_SIGNS[comparison.measure] * difference)
    return np.array([np.mean(values) for values in found.values()])


class Verdict(NamedTuple):
    """Whether values lie between two limits in mean.

    Attributes:
      word: "holds", "does not" or "undecided".
      p_value: The larger one of the tests against the limits; None without values.
      distance: From the mean to the nearer limit, positive inside.
    """

    word: str
    p_value: float | None
    distance: float


def verdict(
    values: Float[np.ndarray, " n"], *, least: float = 0.0, most: float = float("inf"), num_parts: int = 1
) -> Verdict:
    """Whether values lie between two limits in mean, by sign-flip tests of the distance to each at the level 0.05.

    Args:
      values: One per scene.
      least: The lower limit.
      most: The upper limit.
      num_parts: In how many tests "does not" could have come out by chance; its p-value is multiplied by it
        (Bonferroni). "holds" needs no such factor where all parts have to hold (an intersection-union test).
    """
    if not len(values):
        return Verdict("undecided", None, float("nan"))
    tests = [paired_test(values - limit, np.zeros_like(values)) for limit in (least, most) if np.isfinite(limit)]
    inside = [sign * test.mean_difference for sign, test in zip((1, -1), tests, strict=False)]
    p_values = [test.p_value for test in tests]
    outside = [p for p, distance in zip(p_values, inside, strict=True) if distance < 0]
    word = "undecided"
    if outside and min(outside) * num_parts <= _LEVEL:
        word = "does not"
    elif not outside and max(p_values) <= _LEVEL:
        word = "holds"
    return Verdict(word, max(p_values), min(inside))


def _together(words: Sequence[str]) -> str:
    if "does not" in words:
        return "does not"
    return "undecided" if "undecided" in words else "holds"


class Evidence(NamedTuple):
    """One part of a conclusion with its numbers."""

    part: Comparison
    values: Float[np.ndarray, " n"]
    alone: Verdict
    among_all: Verdict

    @classmethod
    def of(cls, part: Comparison, results: Results, num_parts: int) -> "Evidence":
        """The numbers of one of `num_parts` parts."""
        values = advantages(part, results)
        alone, among_all = (
            verdict(values, least=part.least, most=part.most, num_parts=count) for count in (1, num_parts)
        )
        return cls(part, values, alone, among_all)


def conclusion_sheets(study: Study, recipe: str, results: Results) -> tuple[Sheet, Sheet] | None:
    """The verdict on every conclusion whose cells are there, and the comparisons behind them; None if none is."""
    summary: list[tuple[Value, ...]] = []
    evidence: list[tuple[Value, ...]] = []
    for text, arch, parts in conclusions(study, recipe):
        if not all(cell in results for part in parts for pair in part.pairs for cell in pair):
            continue
        found = [Evidence.of(part, results, len(parts)) for part in parts]
        weakest = min(found, key=lambda one: np.nan_to_num(one.alone.distance, nan=-np.inf))
        share = f"{sum(one.alone.word == 'holds' for one in found)} of {len(found)}"
        effect = (_text(weakest.part), measure(weakest.values, seed=study.seed), effect_size(weakest.values))
        word = _together([one.among_all.word for one in found])
        summary.append((text, ARCHITECTURES[arch], word, share, *effect))
        for one in found:
            numbers = (len(one.values), measure(one.values, seed=study.seed), effect_size(one.values))
            place = (text, ARCHITECTURES[arch], one.part.text, one.part.measure)
            evidence.append((*place, *numbers, _p_text(one.alone.p_value), one.alone.word))
    if not summary:
        return None
    return (
        Sheet(
            "conclusions",
            "The study's conclusions",
            _SUMMARY_NOTE,
            ("conclusion", "network", "verdict", "hold", "weakest comparison", "its advantage", "d"),
            tuple(summary),
        ),
        Sheet(
            "conclusions-evidence",
            "The comparisons behind them",
            _EVIDENCE_NOTE,
            ("conclusion", "network", "comparison", "measure", "scenes", "advantage", "d", "p", "verdict"),
            tuple(evidence),
        ),
    )


_SUMMARY_NOTE = (
    "By sign-flip tests over scenes, two-sided, at the level 0.05; a scene counts once, with both spectra. A "
    "conclusion holds if each of its comparisons does; it does not if one is significantly the other way after "
    "Bonferroni's correction for the number of its comparisons; else it is undecided. The conclusions are not "
    "corrected for their own number. One network of each kind was trained, from one seed: what is tested is these "
    "networks on other scenes, not other trainings; the IRTV networks see twice the clips in twice the steps."
)
_EVIDENCE_NOTE = (
    "Advantage: positive where the first is better; d: its mean over its standard deviation (ddof 1); verdicts of "
    "comparisons by themselves, not corrected."
)


def _text(part: Comparison) -> str:
    return f"{part.text}, {part.measure}"


def _p_text(p_value: float | None) -> str:
    if p_value is None:
        return ""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def effect_size(values: Float[np.ndarray, " n"]) -> float | None:
    """Cohen's d of paired values: mean over standard deviation (ddof 1); None where they do not vary."""
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return float(values.mean() / spread) if spread > 0 else None
