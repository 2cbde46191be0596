"""The study's conclusions, one by one, as tests over trainings and actors."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.datasets.records import SPECTRA
from jaxsal.metrics.statistics import holm
from jaxsal.paper.cells import Setting, make_cell, value_name
from jaxsal.paper.config import ARCHITECTURES, Study
from jaxsal.paper.values import Results, Values, actor_of, measure_values, one_sided, two_sided
from jaxsal.recipes import MEASURES, METHODS, STUDY_METHODS, RecipeName
from jaxsal.report.sheet import PValue, Sheet, Value

MARGIN = 0.07
"""What counts as little or much: by this the study's own repetitions of RISE's defaults differ between its tables."""

_LEVEL = 0.05
_SIGNS = {"deletion": -1, "insertion": 1}
_NOTE = (
    "A conclusion holds if each of its comparisons does (p ≤ 0.05), does not if one goes the other way significantly "
    "after Holm's correction over its comparisons, and is undecided else; nothing is corrected for the number of "
    "conclusions. An actor counts once for each training, with all clips and both spectra. Of one training, p is of a "
    "two-sided sign-flip test over actors, and says nothing of other trainings; of several, of a two-sided t test "
    "whose error is of trainings and actors. A limit other than 0 is tested on one side, both limits of a statement "
    "of likeness (TOST). The weakest distance is the smallest mean distance of a comparison from its limit, positive "
    "where the study is right, and d that over its standard deviation."
)


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
    pairs: tuple[tuple[Setting, Setting], ...]
    least: float = 0.0
    most: float = float("inf")


class Conclusion(NamedTuple):
    """A statement of the study for one architecture; it holds if all of its parts do."""

    text: str
    arch: str
    parts: tuple[Comparison, ...]


def conclusions(study: Study, recipe: RecipeName) -> tuple[Conclusion, ...]:
    """All that are tested."""
    return tuple(conclusion for arch in ARCHITECTURES for conclusion in _of_network(study, recipe, arch))


def _of_network(study: Study, recipe: RecipeName, arch: str) -> Iterable[Conclusion]:
    def main(method: str, joint: bool | None = None) -> list[Setting]:
        return [
            make_cell(study, recipe, arch, spectra, spectrum, method)
            for spectrum in SPECTRA
            for spectra in (spectrum, "IRTV")
            if joint in (None, spectra == "IRTV")
        ]

    def swept(method: str, option: str, value: object) -> list[Setting]:
        return [make_cell(study, recipe, arch, "IRTV", spectrum, method, **{option: value}) for spectrum in SPECTRA]

    def compare(text: str, first: list[Setting], second: list[Setting], **limits: float) -> list[Comparison]:
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
    cam, joint, alone = main("gradcam"), *([c for m in STUDY_METHODS for c in main(m, flag)] for flag in (True, False))
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


def advantages(comparison: Comparison, results: Results) -> Values:
    """By how much the first cells are better, by training and actor; positive is better for deletion too.

    All clips of an actor, in both spectra, and all cells of a comparison count as one value, their mean: they are not
    independent. What could not be measured is left out.
    """
    found: dict[tuple[int, str], list[float]] = {}
    for first, second in comparison.pairs:
        for number, (own, other) in enumerate(zip(results[first], results[second], strict=True)):
            others = {result.clip: result for result in other}
            for result in own:
                difference = getattr(result, comparison.measure) - getattr(others[result.clip], comparison.measure)
                if np.isfinite(difference):
                    signed = _SIGNS[comparison.measure] * difference
                    found.setdefault((number, actor_of(result)), []).append(signed)
    return Values.of((float(np.mean(values)), *place) for place, values in found.items())


class LimitTest(NamedTuple):
    """One limit of a comparison, tested.

    Attributes:
      mean: Distance of the advantage to the limit, positive on the side of the statement; NaN without scenes.
      effect: That distance over its standard deviation (ddof 1); None where it does not vary.
      p_value: Two-sided against a limit of 0, else one-sided on the side of the mean.
    """

    mean: float
    effect: float | None
    p_value: float


def limit_tests(values: Values, *, least: float = 0.0, most: float = float("inf")) -> list[LimitTest]:
    """Tests of the distances of values to the limits that their mean should lie between."""
    numbers = values.numbers
    distances = [d for limit, d in ((least, numbers - least), (most, most - numbers)) if np.isfinite(limit)]
    if not len(numbers):
        return [LimitTest(float("nan"), None, 1.0) for _ in distances]
    margin = (least, most) != (0.0, float("inf"))
    return [_limit_test(values._replace(numbers=own), margin=margin) for own in distances]


def _limit_test(distances: Values, *, margin: bool) -> LimitTest:
    mean = float(distances.numbers.mean())
    p_value = one_sided(distances, positive=mean > 0) if margin else two_sided(distances)
    return LimitTest(mean, effect_size(distances.numbers), p_value)


def verdict(tests: Sequence[LimitTest]) -> str:
    """What several tests say of the statement that all distances are positive, at the level 0.05.

    It "holds" if each test says so, which needs no correction: the statement is false where a single part is
    (intersection-union test). It "does not" if any test says the opposite after Holm's correction over all of them.
    """
    if all(test.mean > 0 and test.p_value <= _LEVEL for test in tests):
        return "holds"
    opposite = [p for test, p in zip(tests, holm([test.p_value for test in tests]), strict=True) if test.mean < 0]
    return "does not" if opposite and min(opposite) <= _LEVEL else "undecided"


def conclusion_sheets(study: Study, recipe: RecipeName, results: Results) -> tuple[Sheet, Sheet] | None:
    """The verdict on every conclusion whose cells are there, and the comparisons behind them; None if none is."""
    summary: list[tuple[Value, ...]] = []
    evidence: list[tuple[Value, ...]] = []
    for text, arch, parts in conclusions(study, recipe):
        if not all(cell in results for part in parts for pair in part.pairs for cell in pair):
            continue
        place, tests, trainings = (text, ARCHITECTURES[arch]), [], 0
        for part in parts:
            values = advantages(part, results)
            found = limit_tests(values, least=part.least, most=part.most)
            numbers = (values.num_actors, measure_values(values, seed=study.seed), effect_size(values.numbers))
            trainings = max(trainings, values.num_trainings)
            worst = PValue(max(test.p_value for test in found))
            evidence.append((*place, part.text, part.measure, *numbers, worst, verdict(found)))
            tests.append(found)
        share = sum(verdict(found) == "holds" for found in tests)
        every = [test for found in tests for test in found]
        weakest = min(every, key=lambda test: test.mean)
        held = f"{share} of {len(tests)}"
        summary.append((*place, verdict(every), held, weakest.mean, weakest.effect, trainings))
    if not summary:
        return None
    columns = ("conclusion", "network", "verdict", "hold", "weakest distance", "its d", "trainings")
    return (
        Sheet("conclusions", "The study's conclusions", _NOTE, columns, tuple(summary)),
        Sheet(
            "conclusions-evidence",
            "The comparisons behind them",
            "Advantage: positive where the first is better; d: its mean over its standard deviation (ddof 1); p: the "
            "larger one where there are two limits.",
            ("conclusion", "network", "comparison", "measure", "actors", "advantage", "d", "p", "verdict"),
            tuple(evidence),
        ),
    )


def effect_size(values: Float[np.ndarray, " n"]) -> float | None:
    """Cohen's d of paired values: mean over standard deviation (ddof 1); None where they do not vary."""
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return float(values.mean() / spread) if spread > 0 else None
