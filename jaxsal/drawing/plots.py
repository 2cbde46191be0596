"""Deletion and insertion curves as figures: the mean over clips with its uncertainty, one line per method."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.core.controls import control_title, is_control
from jaxsal.core.extras import check_installed
from jaxsal.core.files import write_atomically
from jaxsal.core.types import AnyArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 0.8)))
_GREY, _CONTROL_LINES = (
    "#777777",
    ((0, (4, 2)), (0, (1, 1.5)), (0, (6, 1, 1, 1)), (0, (2, 3)), (0, (8, 1.5, 1, 1.5, 1, 1.5))),
)
_DOTTED = (0, (1, 1.5))


class CurvePanel(NamedTuple):
    """The curves of one panel.

    Attributes:
      fractions: Share of the clip that is changed at each step, from 0 to 1, (S,).
      curves: Scores of every clip under each method, (n, S).
      floor: The target's mean score for the fully replaced clip; a thin line where given.
      unit: What the scores are, as a word.
    """

    fractions: Float[AnyArray, " S"]
    curves: Mapping[str, Float[AnyArray, "n S"]]
    floor: float | None = None
    unit: str = "probability"


def save_figure(path: Path, figure: "Figure") -> None:
    """Writes a figure as PNG, whole or not at all."""
    with write_atomically(path) as file:
        figure.savefig(file, format="png", dpi=150)


def draw_curves(panels: Mapping[str, CurvePanel], *, title: str = "") -> "Figure":
    """Draws the mean curve of each method, with its 95 % band over clips and its AUC in the legend.

    The band is Student's t interval of the mean at each step; one clip has none. A method has the same colour and the
    same kind of line in every panel, and colour-blind readers can tell the colours apart. Controls are thin: dotted
    in a method's colour where they are its map of another clip, else grey.

    Args:
      panels: Side by side under their names, "deletion" and "insertion".
      title: Above all panels.

    References:
      Okabe, Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/
    """
    check_installed("matplotlib")
    from matplotlib.figure import Figure  # not pyplot, which would open windows and keep figures

    num_lines = max(len(panel.curves) + (panel.floor is not None) for panel in panels.values())
    figure = Figure(figsize=(1 + 4.2 * len(panels), 3.9 + 0.2 * num_lines), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    styles = _styles(dict.fromkeys(method for panel in panels.values() for method in panel.curves))
    for axis, (name, panel) in zip(axes, panels.items(), strict=True):
        _draw_panel(axis, panel, styles)
        axis.set(title=name, xlabel="share of the clip that is changed")
    axes[0].set_ylabel(f"{next(iter(panels.values())).unit} of the target")
    figure.supxlabel(_meaning_of_bands(panels), fontsize=9)
    figure.suptitle(title)
    return figure


def _styles(methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The look of each method's line."""
    names = list(methods)
    own = [name for name in names if not is_control(name)]
    found: dict[str, dict[str, Any]] = {}
    for number, method in enumerate(own):
        colour = COLOURS[number % len(COLOURS)]
        found[method] = {"color": colour, "linestyle": _LINES[number % len(_LINES)], "linewidth": 1.9}
        found[control_title("other", method)] = {"color": colour, "linestyle": _DOTTED, "linewidth": 1.0}
    grey = [name for name in names if name not in found]
    for number, control in enumerate(grey):
        line = _CONTROL_LINES[number % len(_CONTROL_LINES)]
        found[control] = {"color": _GREY, "linestyle": line, "linewidth": 1.0}
    return found


def _meaning_of_bands(panels: Mapping[str, CurvePanel]) -> str:
    counts = sorted({len(scores) for panel in panels.values() for scores in panel.curves.values()})
    clips = f"{counts[0]} clips" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} clips"
    return (
        "one clip, no bands"
        if counts == [1]
        else f"lines: mean over {clips}; bands: a method's 95 % interval (Student's t)"
    )


def _draw_panel(axis: "Axes", panel: CurvePanel, styles: Mapping[str, dict[str, Any]]) -> None:
    fractions = np.asarray(panel.fractions, np.float64)
    for method, scores in panel.curves.items():
        mean, half = _mean_and_half_width(np.asarray(scores, np.float64))
        label = f"{method}, AUC {np.trapezoid(mean, fractions):.3f}"
        axis.plot(fractions, mean, label=label, **styles[method])
        if not is_control(method):
            colour = styles[method]["color"]
            axis.fill_between(fractions, mean - half, mean + half, color=colour, alpha=0.18, linewidth=0)
    if panel.floor is not None:
        axis.axhline(panel.floor, color=_GREY, linestyle="-", linewidth=0.8, label=f"floor, {panel.floor:.3f}")
    axis.set(xlim=(0, 1), ylim=(-0.02, 1.02) if panel.unit == "probability" else None)
    axis.grid(color="#DDDDDD", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=9, frameon=False, handlelength=3.2, loc="upper left", bbox_to_anchor=(0, -0.17))


def _mean_and_half_width(
    scores: Float[np.ndarray, "n S"],
) -> tuple[Float[np.ndarray, " S"], Float[np.ndarray, " S"]]:
    """The mean over clips and half the width of its 95 % interval, 0 for one clip."""
    from scipy.special import stdtrit

    n = len(scores)
    if n == 1:
        return scores[0], np.zeros(scores.shape[1])
    return scores.mean(axis=0), stdtrit(n - 1, 0.975) * scores.std(axis=0, ddof=1) / np.sqrt(n)
