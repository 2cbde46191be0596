"""Which spectrum decided, in the report: a table over the scenes of a run, and a bar for each."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from jaxsal.drawing.shares import INFRARED, VISIBLE
from jaxsal.evaluation.explanation import Explanation
from jaxsal.metrics.intervals import mean_interval
from jaxsal.metrics.summary import Measure
from jaxsal.report.page import fill
from jaxsal.report.sheet import Sheet, Value, to_html
from jaxsal.saliency.spectrum_shares import SpectrumShares

PARTS = ("infrared", "visible", "interaction")
NAME = "shares"
_NOTE = (
    "Infrared: the score of the infrared clip alone less that of the replaced scene; visible: the same of the visible "
    "clip. Interaction: what both add together beyond that; above 0 the score needs both, below 0 either is enough, "
    "or one takes something from the other. The three sum to total, the score of the scene less that of the replaced "
    "one."
)


def shares_sheet(explanations: Sequence[Explanation]) -> Sheet | None:
    """The split of every scene, and the mean over scenes with its interval; None where no scene was split."""
    found = [(e, e.shares) for e in explanations if e.shares is not None]
    if not found:
        return None
    columns = ("scene", "class", *PARTS, "total", *(f"{part} %" for part in PARTS))
    lines: list[tuple[Value, ...]] = [
        (e.name, e.target_name, *map(Measure, _amounts(shares)), *map(_rounded, shares.percent.values()))
        for e, shares in found
    ]
    if len(found) == 1:
        return Sheet(NAME, "Which spectrum", _NOTE, columns, tuple(lines))
    actors = [e.actor or e.name for e, _ in found]
    means = [_mean(column, actors) for column in np.array([_amounts(shares) for _, shares in found]).T]
    *parts, total = means
    percent = [100 * part.mean / total.mean if total.mean else math.nan for part in parts]
    lines.append(("mean", "", *means, *map(_rounded, percent)))
    text = (
        f"Of {len(found)} scenes: {', '.join(map(_share_text, PARTS, parts, percent))}; ±: 95 % interval of the mean."
    )
    return Sheet(NAME, "Which spectrum", _NOTE, columns, tuple(lines), text)


def _share_text(name: str, part: Measure, percent: float) -> str:
    """A part as a percentage, with half the width of its interval."""
    if part.low is None or part.high is None or not part.mean:
        return f"{name} {percent:.0f} %"
    return f"{name} {percent:.0f} % ± {abs(percent / part.mean) * (part.high - part.low) / 2:.0f}"


def _rounded(percent: float) -> int | None:
    return None if math.isnan(percent) else round(percent)


def _amounts(shares: SpectrumShares) -> tuple[float, ...]:
    return shares.infrared, shares.visible, shares.interaction, shares.worths["both"] - shares.worths["nothing"]


def _mean(values: np.ndarray, actors: Sequence[str]) -> Measure:
    low, high = mean_interval(values, actors) or (None, None)
    return Measure(float(values.mean()), float(values.std()), low, high)


def fill_shares(explanations: Sequence[Explanation], sheet: Sheet) -> str:
    """The section of the report as HTML.

    Args:
      explanations: Of the run.
      sheet: Of `shares_sheet`.
    """
    bars = [_bar(e.name, e.target_name, e.shares) for e in explanations if e.shares is not None]
    html = dict(bars="\n".join(bars), table=to_html(sheet))
    return fill("shares.html", title=sheet.title, mean=sheet.footnote, note=sheet.note, html=html)


def _bar(name: str, target: str, shares: SpectrumShares) -> str:
    """One scene as a line of SVG: infrared from the left, visible from the right, overlap or gap the interaction."""
    infrared, visible = (0.0 if np.isnan(shares.percent[part]) else shares.percent[part] for part in PARTS[:2])
    ends = sorted((infrared, 100 - visible))
    left, width = min(0.0, *ends), max(100.0, *ends) - min(0.0, *ends)
    text = escape(f"{name}, {target}: {shares.text}")
    rects = "".join(
        f'<rect x="{min(a, b):.2f}" y="0" width="{abs(b - a):.2f}" height="10" fill="{colour}" fill-opacity="0.75"/>'
        for a, b, colour in ((0.0, infrared, INFRARED), (100 - visible, 100.0, VISIBLE))
    )
    return (
        f'<figure class="share"><svg viewBox="{left:.2f} 0 {width:.2f} 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{text}">{rects}</svg><figcaption>{text}</figcaption></figure>'
    )
