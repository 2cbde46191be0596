"""The tables of the experiment, made from the results of all clips: Markdown for people, CSV with every variant."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from clips import SWAPS
from ranking import (
    CONTROLS,
    MEASURES,
    ClipResult,
    Variant,
    actors_of,
    mean_over,
    tau_of_means,
    taus,
    taus_of_halves,
    true_scores,
)

from jaxsal.core.files import csv_text, write_text
from jaxsal.metrics.statistics import holm, paired_test

MAIN = {swap: Variant(swap) for swap in SWAPS}
VARIANTS = [Variant(*values) for values in product(SWAPS, ("probability", "log-odds"), ("all", "methods"))]
REFERENCE = "mean"
"""The baseline that all others are tested against."""


def write_tables(results: Sequence[ClipResult], folder: Path) -> str:
    """Writes baselines.md, baselines.csv and maps.csv into a folder; the Markdown."""
    text = "\n\n".join([about(results), baselines_table(results), maps_table(results), variants_table(results)]) + "\n"
    write_text(folder / "baselines.md", text)
    write_text(folder / "baselines.csv", csv_text(baseline_lines(results)))
    write_text(folder / "maps.csv", csv_text(map_lines(results)))
    return text


def about(results: Sequence[ClipResult]) -> str:
    """How many clips there are, and how sure their truth is."""
    actors = len(set(actors_of(results)))
    right = np.mean([result.label == result.target for result in results])
    lines = [f"{len(results)} clips of {actors} actors; the network names {right:.2f} of them rightly."]
    for swap in SWAPS:
        truths = [result.truths[swap] for result in results]
        whole, swapped, sure = (
            np.mean([truth[part]["probability"] for truth in truths]) for part in ("clip", "partner", "reliability")
        )
        lines.append(
            f"{swap.capitalize()}: probability of the class {whole:.2f} in the clip, {swapped:.2f} in the clip that is "
            f"swapped in; reliability of the Shapley values {sure:.2f}, tau between the "
            f"rankings by either half of the orders {mean_over(results, taus_of_halves(results, MAIN[swap]))}."
        )
    return "  \n".join(lines)


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table whose first column is text."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def baselines_table(results: Sequence[ClipResult]) -> str:
    """Per baseline its floor, and tau of each measure under each truth."""
    head = ["baseline", "floor", *(f"{measure}, {swap}" for swap in SWAPS for measure in MEASURES)]
    rows = []
    for baseline in results[0].areas:
        floor = np.mean([result.floors[baseline] for result in results])
        found = [
            mean_over(results, taus(results, MAIN[swap], baseline, measure)) for swap in SWAPS for measure in MEASURES
        ]
        rows.append([baseline, f"{floor:.2f}", *found])
    return "Kendall's tau with the true ranking of the maps:\n\n" + markdown(head, rows)


def maps_table(results: Sequence[ClipResult]) -> str:
    """Per map its mean rank correlation with the truth, best first."""
    scores = {swap: np.stack([true_scores(result, MAIN[swap]) for result in results]) for swap in SWAPS}
    names = list(results[0].cells)
    order = np.argsort(-scores[SWAPS[0]].mean(axis=0), kind="stable")
    rows = [
        [
            names[place] + (" (control)" if names[place] in CONTROLS else ""),
            *(mean_over(results, scores[swap][:, place]) for swap in SWAPS),
        ]
        for place in order
    ]
    return "Rank correlation of the maps with the truth:\n\n" + markdown(["map", *SWAPS], rows)


def variants_table(results: Sequence[ClipResult]) -> str:
    """Per variant of the truth the baseline with the highest tau, of each measure."""
    rows = []
    for variant in VARIANTS:
        best = []
        for measure in MEASURES:
            means = {
                baseline: taus(results, variant, baseline, measure).mean()
                for baseline in results[0].areas
                if baseline not in SWAPS
            }
            ranked = sorted(means, key=lambda baseline: -means[baseline])
            best.append(", ".join(f"{baseline} {means[baseline]:.2f}" for baseline in ranked[:3]))
        rows.append([f"{variant.swap}, {variant.game}, {variant.maps}", *best])
    return "The three best baselines by other readings of the truth:\n\n" + markdown(["truth", *MEASURES], rows)


def baseline_lines(results: Sequence[ClipResult]) -> Iterable[Sequence[object]]:
    """Lines of baselines.csv: every variant, baseline and measure."""
    yield (
        *("swap", "game", "maps", "measure", "baseline", "floor", "tau", "low", "high", "tau_of_means"),
        *(f"minus_{REFERENCE}", "p", "p_holm", "clips", "actors"),
    )
    for variant, measure in product(VARIANTS, MEASURES):
        found = {baseline: taus(results, variant, baseline, measure) for baseline in results[0].areas}
        others = [baseline for baseline in found if baseline != REFERENCE]
        tests = {
            baseline: paired_test(found[baseline], found[REFERENCE], clusters=actors_of(results)) for baseline in others
        }
        adjusted = dict(zip(others, holm([tests[baseline].p_value for baseline in others]), strict=True))
        for baseline, values in found.items():
            floor = np.mean([result.floors[baseline] for result in results])
            test = tests.get(baseline)
            yield (
                *(*variant, measure, baseline, f"{floor:.4f}"),
                *(f"{value:.4f}" for value in mean_over(results, values)),
                f"{tau_of_means(results, variant, baseline, measure):.4f}",
                *((None, None) if test is None else (f"{test.mean_difference:.4f}", f"{test.p_value:.5f}")),
                None if test is None else f"{adjusted[baseline]:.5f}",
                *(len(results), len(set(actors_of(results)))),
            )


def map_lines(results: Sequence[ClipResult]) -> Iterable[Sequence[object]]:
    """Lines of maps.csv: the rank correlation of every map with the truth under every variant."""
    yield "swap", "game", "map", "control", "correlation", "low", "high"
    for variant in VARIANTS:
        if variant.maps == "all":
            scores = np.stack([true_scores(result, variant) for result in results])
            for place, name in enumerate(results[0].cells):
                means = (f"{value:.4f}" for value in mean_over(results, scores[:, place]))
                yield (variant.swap, variant.game, name, int(name in CONTROLS), *means)
