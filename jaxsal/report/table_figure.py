"""The results table as a figure: every mean over clips with its interval, spectrum by spectrum."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxsal.core.controls import is_control
from jaxsal.core.extras import check_installed
from jaxsal.metrics.summary import FLOOR, Measure, SummaryRow
from jaxsal.report.table import count_clips

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MEASURES = {"deletion": "deletion, low is good", "insertion": "insertion, high is good"}
_INK, _REFERENCE = "#0072B2", "#777777"
_KEY = (
    (_INK, _INK, "better than every control, p ≤ 0.05 after Holm"),
    (_INK, "white", "not better, or not tested"),
    (_REFERENCE, _REFERENCE, "to compare with"),
)
_GAP = 0.04


def draw_table(rows: Sequence[SummaryRow]) -> "Figure":
    """Draws the table: a point for each mean, a line for its 95 % bootstrap interval, the numbers beside them.

    All panels have the axis from 0 to 1. Filled points are better than every control on the same clips, p <= 0.05 after
    Holm's correction; hollow ones are not, or are not tested; the controls and the floor are grey.

    Args:
      rows: Of `jaxsal.metrics.summary.summarise`; at least one.
    """
    check_installed("matplotlib")
    from matplotlib.figure import Figure

    spectra = {row.spectrum: [r for r in rows if r.spectrum == row.spectrum] for row in rows}
    heights = [len(chosen) for chosen in spectra.values()]
    figure = Figure(figsize=(10, 1.4 + 0.32 * sum(heights) + 0.5 * len(heights)), layout="constrained")
    axes = figure.subplots(len(spectra), 2, squeeze=False, height_ratios=heights)
    for line, (spectrum, chosen) in zip(axes, spectra.items(), strict=True):
        for axis, (name, title) in zip(line, _MEASURES.items(), strict=True):
            _draw_rows(axis, chosen, name)
            axis.set_title(f"{spectrum}, {count_clips(chosen[0].num_clips)}: {title}", loc="left", fontsize=10)
        line[1].set_yticklabels([])
    interval = ", mean and 95 % interval" if any(row.num_clips > 1 for row in rows) else ""
    for axis in axes[-1]:
        axis.set_xlabel(f"area under the curve{interval}", loc="left")
    _draw_key(figure)
    return figure


def _draw_key(figure: "Figure") -> None:
    """Says what filled, hollow and grey points are, in a line below the panels."""
    from matplotlib.lines import Line2D

    points = [
        Line2D([], [], color=colour, marker="o", linestyle="", markerfacecolor=face, markersize=7, label=meaning)
        for colour, face, meaning in _KEY
    ]
    figure.legend(handles=points, loc="outside lower left", ncols=len(points), frameon=False, fontsize=9)


def _draw_rows(axis: "Axes", rows: Sequence[SummaryRow], name: str) -> None:
    for place, row in enumerate(rows):
        measure: Measure | None = getattr(row, name)
        if measure is None:
            continue
        reference = is_control(row.method) or row.method == FLOOR
        colour = _REFERENCE if reference else _INK
        filled = reference or measure.better(1 if name == "insertion" else -1)
        text = f"{measure.mean:.3f}"
        if measure.low is not None and measure.high is not None:
            axis.plot([measure.low, measure.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
            text += f" [{measure.low:.3f}, {measure.high:.3f}]"
        face = colour if filled else "white"
        axis.plot([measure.mean], [place], "o", color=colour, markerfacecolor=face, markersize=7, markeredgewidth=1.6)
        axis.text(1 + _GAP, place, text, va="center", fontsize=9, color="#222222", transform=axis.get_yaxis_transform())
    axis.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.5, -0.5), xticks=[0, 0.25, 0.5, 0.75, 1])
    axis.set_yticks(range(len(rows)), [row.method for row in rows])
    axis.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
