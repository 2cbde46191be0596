"""How well a measure's ranking of the maps of a clip agrees with the ranking by the truth, clip by clip."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from maps import BLIND, OF_ANOTHER, SETTINGS
from scipy.stats import kendalltau
from truth import agreement

from jaxsal.metrics.intervals import mean_interval

MEASURES = ("deletion", "insertion", "difference")
"""Areas; low is good of deletion, high of insertion and of insertion minus deletion."""
CONTROLS = (*(f"{setting} of another clip" for setting in OF_ANOTHER), *BLIND)


class ClipResult(NamedTuple):
    """What is kept of one clip, of kinds that JSON has.

    Attributes:
      name: Of the clip.
      spectrum: "IR" or "TV".
      actor: Who is seen.
      label: The true class.
      target: The class that is explained, the predicted one.
      cells: By map, its mean over every cell.
      truths: By swap, the fields of `Truth`.
      areas: By baseline, measure and map.
      floors: By baseline, the target's probability for the baseline itself.
    """

    name: str
    spectrum: str
    actor: str
    label: int
    target: int
    cells: dict[str, list[float]]
    truths: dict[str, dict[str, Any]]
    areas: dict[str, dict[str, dict[str, float]]]
    floors: dict[str, float]


class Variant(NamedTuple):
    """One way to say what the true ranking is.

    Attributes:
      swap: What the cells are swapped for.
      game: The worth of a coalition, "probability" or "log-odds".
      maps: Whether all maps are ranked, or those of the methods alone.
    """

    swap: str
    game: Literal["probability", "log-odds"] = "probability"
    maps: Literal["all", "methods"] = "all"


class Mean(NamedTuple):
    """A mean over clips with its 95 % interval over actors."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def names_of(result: ClipResult, variant: Variant) -> list[str]:
    """The maps that are ranked."""
    return list(SETTINGS) if variant.maps == "methods" else list(result.cells)


def true_scores(result: ClipResult, variant: Variant) -> Float[np.ndarray, " maps"]:
    """The rank correlation of every map with the truth."""
    return _scores(result, variant, result.truths[variant.swap]["values"][variant.game])


def _scores(result: ClipResult, variant: Variant, values: Sequence[float]) -> Float[np.ndarray, " maps"]:
    cells = (np.asarray(result.cells[name]) for name in names_of(result, variant))
    return np.array([agreement(of_map, np.asarray(values)) for of_map in cells])


def measured_scores(result: ClipResult, variant: Variant, baseline: str, measure: str) -> Float[np.ndarray, " maps"]:
    """What a measure says of every map, high is good."""
    names = names_of(result, variant)
    found = result.areas[baseline]
    deletion, insertion = (np.array([found[part][name] for name in names]) for part in ("deletion", "insertion"))
    return {"deletion": -deletion, "insertion": insertion, "difference": insertion - deletion}[measure]


def tau(first: Float[np.ndarray, " maps"], second: Float[np.ndarray, " maps"]) -> float:
    """Kendall's tau-b of two scores of the same maps; 0 where one of them does not tell maps apart."""
    found = float(kendalltau(first, second).statistic)
    return 0.0 if np.isnan(found) else found


def taus(results: Sequence[ClipResult], variant: Variant, baseline: str, measure: str) -> Float[np.ndarray, " clips"]:
    """Kendall's tau between the ranking of a measure and the true one, clip by clip."""
    return np.array([tau(true_scores(r, variant), measured_scores(r, variant, baseline, measure)) for r in results])


def taus_of_halves(results: Sequence[ClipResult], variant: Variant) -> Float[np.ndarray, " clips"]:
    """Kendall's tau between the true rankings by either half of the orders: with more orders it would be higher."""
    halves = (result.truths[variant.swap]["halves"][variant.game] for result in results)
    pairs = ([_scores(r, variant, half) for half in both] for r, both in zip(results, halves, strict=True))
    return np.array([tau(*pair) for pair in pairs])


def tau_of_means(results: Sequence[ClipResult], variant: Variant, baseline: str, measure: str) -> float:
    """The same of the means over clips: does a table of methods rank them as the truth does?"""
    truth = np.mean([true_scores(r, variant) for r in results], axis=0)
    measured = np.mean([measured_scores(r, variant, baseline, measure) for r in results], axis=0)
    return tau(truth, measured)


def actors_of(results: Sequence[ClipResult]) -> list[str]:
    """The actor of every clip: clips of one are not independent."""
    return [result.actor for result in results]


def mean_over(results: Sequence[ClipResult], values: Float[np.ndarray, " clips"]) -> Mean:
    """The mean over clips with an interval over their actors; NaN where there is one actor."""
    interval = mean_interval(values, actors_of(results), num_resamples=2_000)
    return Mean(float(values.mean()), *((np.nan, np.nan) if interval is None else interval))
