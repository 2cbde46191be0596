"""The result as a figure: Kendall's tau of every baseline, a panel for each measure, a colour for each truth."""

from collections.abc import Sequence
from pathlib import Path

from clips import SWAPS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from ranking import MEASURES, ClipResult, mean_over, taus
from tables import MAIN

from jaxsal.drawing.plots import save_figure

_COLOURS = dict(zip(SWAPS, ("#0072B2", "#D55E00"), strict=True))
_TITLES = {
    "deletion": "deletion",
    "insertion": "insertion",
    "difference": "insertion minus deletion",
}
_APART = 0.16


def draw(results: Sequence[ClipResult], path: Path) -> None:
    """Writes the figure as PNG."""
    baselines = list(results[0].areas)
    figure = Figure(figsize=(10.5, 1.6 + 0.42 * len(baselines)), layout="constrained", facecolor="white")
    axes = figure.subplots(1, len(MEASURES), sharex=True, sharey=True)
    for axis, measure in zip(axes, MEASURES, strict=True):
        for swap, shift in zip(SWAPS, (-_APART, _APART), strict=True):
            for place, baseline in enumerate(baselines):
                found = mean_over(results, taus(results, MAIN[swap], baseline, measure))
                _draw_mean(axis, found, place + shift, swap, label=place == 0)
        axis.set_title(_TITLES[measure], loc="left", fontsize=11)
        _tidy(axis, baselines)
    axes[0].set_yticks(range(len(baselines)), [_label(baseline) for baseline in baselines])
    axes[1].set_xlabel(
        "Kendall's tau between the measure's ranking of the maps and the true one, mean and 95 % interval"
    )
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    save_figure(path, figure)


def _draw_mean(axis: Axes, found, place: float, swap: str, *, label: bool) -> None:
    colour = _COLOURS[swap]
    axis.plot([found.low, found.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
    name = f"truth: cells swapped with the {swap}" if label else None
    axis.plot([found.mean], [place], "o", color=colour, markersize=6, label=name)


def _label(baseline: str) -> str:
    return f"({baseline})" if baseline in SWAPS else baseline


def _tidy(axis: Axes, baselines: Sequence[str]) -> None:
    axis.axvline(0, color="#888888", linewidth=0.8)
    axis.set_ylim(len(baselines) - 0.5, -0.5)
    axis.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
