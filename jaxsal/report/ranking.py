"""The table of real differences: every method by every measure, as sheets and as one figure."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxsal.core.controls import CONTROLS, control_title, is_control
from jaxsal.core.extras import check_installed
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.scenes import of_each_spectrum
from jaxsal.metrics.agreement import kendall, krippendorff_alpha, split_half
from jaxsal.metrics.localization import Mask, localize_across
from jaxsal.metrics.ranking import Difference, Standing, Values, against_controls, differences, standings
from jaxsal.metrics.relevance import relevance_mass_accuracy, relevance_rank_accuracy
from jaxsal.recipes import measure_sign
from jaxsal.report.sheet import PValue, Sheet, Value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PLACES: dict[str, Callable[..., Any]] = {
    "AUC": lambda saliency, mask: localize_across(saliency[None], mask[None]).space[0, 0],
    "pointing": lambda saliency, mask: localize_across(saliency[None], mask[None]).pointing[0, 0],
    "relevance_mass": relevance_mass_accuracy,
    "relevance_rank": relevance_rank_accuracy,
}
"""By name: measures of a map and the actor's pixels; high is good."""


class ClipScores(NamedTuple):
    """What all measures say of all maps of one clip.

    Attributes:
      clip: Its name.
      actor: Who is seen; the clip itself if that is not known.
      values: By title of a method or a control, and by measure.
    """

    clip: str
    actor: str
    values: Mapping[str, Mapping[str, float]]


class Ranking(NamedTuple):
    """The table of real differences.

    Attributes:
      methods: In the order of their mean rank over measures.
      good: By measure, whether low (-1) or high (1) is good.
      standings: By method and measure.
      pairs: Every pair of methods by every measure.
      controlled: Every method against its controls.
      sheets: The ranking, the differences, and how far measures agree.
      num_clips: Clips that were measured.
    """

    methods: tuple[str, ...]
    good: Mapping[str, int]
    standings: Mapping[tuple[str, str], Standing]
    pairs: Sequence[Difference]
    controlled: Sequence[Difference]
    sheets: Sequence[Sheet]
    num_clips: int


def clip_scores(explanation: Explanation, mask: Mask | None) -> ClipScores:
    """What the measures say of the maps of a clip, with those of the actor's pixels where they are known."""
    values: dict[str, dict[str, float]] = {}
    for row in explanation.results():
        values[row.method] = dict(deletion=row.deletion, insertion=row.insertion) | dict(row.measures)
    for part in of_each_spectrum(explanation) if mask is not None else []:
        for title, saliency in part.maps.items():
            found = {name: float(of(np.asarray(saliency), np.asarray(mask))) for name, of in _PLACES.items()}
            values[title] |= found
    return ClipScores(explanation.name, explanation.actor or explanation.name, values)


def rank(scores: Sequence[ClipScores]) -> Ranking:
    """The table of real differences of some clips, all of which have the same maps and measures.

    Raises:
      ValueError: If there are fewer than two methods or two clips.
    """
    titles = [title for title in scores[0].values if all(title in one.values for one in scores)]
    methods = [title for title in titles if not is_control(title)]
    if len(methods) < 2 or len(scores) < 2:
        raise ValueError(
            f"`scores` must be of two methods and two clips at least; got {len(methods)} and {len(scores)}."
        )
    measures = [name for name in scores[0].values[methods[0]] if all(name in one.values[methods[0]] for one in scores)]
    good = {name: measure_sign(name) for name in measures}
    actors = [one.actor for one in scores]
    values = {
        name: {title: np.array([one.values[title].get(name, np.nan) for one in scores]) for title in titles}
        for name in measures
    }
    controls = {
        method: [title for name in CONTROLS if (title := control_title(name, method)) in titles] for method in methods
    }
    pairs = differences(values, methods, actors, good)
    controlled = against_controls(values, controls, actors, good)
    found = standings(values, methods, actors, good, pairs, controlled)
    order = tuple(sorted(methods, key=lambda method: np.nanmean([found[method, name].rank for name in measures])))
    sheets = [
        _ranking_sheet(order, good, found),
        _pairs_sheet(pairs, controlled),
        _agreement_sheet(values, methods, actors, good),
    ]
    return Ranking(order, good, found, pairs, controlled, sheets, len(scores))


def _ranking_sheet(methods: Sequence[str], good: Mapping[str, int], found: Mapping[tuple[str, str], Standing]) -> Sheet:
    columns = ["method", "mean rank"]
    for name, sign in good.items():
        columns += [f"{name} {'↑' if sign > 0 else '↓'} mean ± std [95 %]", f"{name} better, worse"]
    lines: list[tuple[Value, ...]] = []
    for method in methods:
        own = [found[method, name] for name in good]
        cells: list[Value] = [method, float(np.nanmean([one.rank for one in own]))]
        for one in own:
            mark = " †" if one.lost_to else ""
            cells += [one.mean, f"{one.better_than}, {one.worse_than}{mark}"]
        lines.append(tuple(cells))
    note = (
        "Better, worse: how many methods it is really better than, and how many are really better: sign-flip tests "
        "paired over actors, p ≤ 0.05 after Holm's correction over all pairs of methods by that measure."
    )
    footnote = "† Not shown to be better than every control by that measure."
    return Sheet("ranking", "Every method by every measure", note, tuple(columns), tuple(lines), footnote)


def _pairs_sheet(pairs: Sequence[Difference], controlled: Sequence[Difference]) -> Sheet:
    lines: list[tuple[Value, ...]] = [
        (
            one.measure,
            one.first,
            one.second,
            one.contrast.difference,
            one.contrast.low,
            one.contrast.high,
            PValue(one.contrast.p_value),
            PValue(one.contrast.p_holm),
            one.winner or "open",
        )
        for one in (*pairs, *controlled)
    ]
    columns = ("measure", "first", "second", "difference", "low", "high", "p", "Holm", "better")
    note = "The first one's mean minus the second one's on the same clips, with its 95 % interval."
    return Sheet("differences", "Every difference", note, columns, tuple(lines))


def _agreement_sheet(values: Values, methods: Sequence[str], actors: Sequence[str], good: Mapping[str, int]) -> Sheet:
    from scipy.stats import rankdata

    tables = {name: good[name] * np.stack([own[m] for m in methods], axis=1) for name, own in values.items()}
    lines: list[tuple[Value, ...]] = []
    for name, table in tables.items():
        ranks = rankdata(table, axis=1, nan_policy="omit")
        taus: list[Value] = []
        for other in tables.values():
            found = kendall(table, other, actors)
            interval = "" if found.low is None or other is table else f" [{found.low:.2f}, {found.high:.2f}]"
            taus.append(f"{found.tau:.2f}{interval}")
        lines.append((name, krippendorff_alpha(ranks), split_half(ranks, actors), *taus))
    note = (
        "Alpha: whether a measure ranks the methods alike in every clip (Krippendorff, ordinal). Split half: whether "
        "either half of the actors gives the same mean ranks, stepped up to all of them. Then Kendall's tau of "
        "the two measures' orders of the methods, mean over clips with its 95 % interval."
    )
    return Sheet("agreement", "Whether measures agree", note, ("measure", "alpha", "split half", *tables), tuple(lines))


def draw_ranking(ranking: Ranking) -> "Figure":
    """Draws methods against measures, in colours of how many methods each really beats minus how many beat it.

    Each cell has the mean; a dagger marks a method that is not shown to be better than every control by that measure.
    """
    check_installed("matplotlib")
    from matplotlib.figure import Figure

    measures, methods = list(ranking.good), ranking.methods
    found = [[ranking.standings[method, name] for name in measures] for method in methods]
    net = np.array([[one.better_than - one.worse_than for one in row] for row in found], float)
    figure = Figure(figsize=(1.9 + 0.95 * len(measures), 1.6 + 0.34 * len(methods)), layout="constrained")
    axis = figure.subplots()
    most = len(methods) - 1
    image = axis.imshow(net, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    for row, own in enumerate(found):
        for column, one in enumerate(own):
            text = f"{one.mean.mean:.3g}{' †' if one.lost_to else ''}"
            colour = "white" if abs(net[row, column]) > 0.7 * most else "black"
            axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    signs = ["↑" if ranking.good[name] > 0 else "↓" for name in measures]
    axis.set_xticks(range(len(measures)), [f"{n.replace('_', ' ')} {s}" for n, s in zip(measures, signs, strict=True)])
    axis.tick_params(axis="x", rotation=40, labelsize=8)
    axis.set_yticks(range(len(methods)), methods, fontsize=8)
    bar = figure.colorbar(image, ax=axis)
    bar.set_label("methods it really beats, minus methods that beat it", fontsize=8)
    axis.set_title(f"{ranking.num_clips} clips; † not better than every control", fontsize=9)
    return figure
