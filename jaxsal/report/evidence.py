"""What methods show against controls on the same clips: one line a cell, with its p-value before and after Holm."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from jaxsal.core.controls import control_title, is_control
from jaxsal.evaluation.explanation import Explanation
from jaxsal.metrics.contrasts import Contrast, contrast, corrected
from jaxsal.metrics.localization import Mask, localize
from jaxsal.report.table import PValue, Sheet, Value
from jaxsal.saliency.controls import Subjects, centre

Values = Mapping[tuple[str, str], Mapping[str, float]]
"""By (spectrum, method) and clip, the value of one measure."""


def curve_values(explanations: Iterable[Explanation]) -> dict[str, Values]:
    """The areas of deletion and insertion of every map."""
    found: dict[str, dict[tuple[str, str], dict[str, float]]] = {"deletion": {}, "insertion": {}}
    for one in explanations:
        for method, curves in one.curves.items():
            for measure, curve in zip(found, curves, strict=True):
                found[measure].setdefault((one.spectrum, method), {})[one.name] = float(curve.auc)
    return dict(found)


def actor_values(explanations: Iterable[Explanation], masks: Mapping[str, Mask]) -> dict[str, Values]:
    """How well every map, and the control `centre`, finds the actor: AUC of his pixels within a frame, pointing game.

    Args:
      explanations: Of the clips.
      masks: By clip, the actor's pixels, (T, H, W).
    """
    found: dict[str, dict[tuple[str, str], dict[str, float]]] = {"AUC": {}, "pointing": {}}
    for one in explanations:
        slices, height, width = next(iter(one.maps.values())).shape
        subjects = Subjects([one.name], [one.clip], (slices, height, width), one.options.seed)
        maps = {**one.maps, "centre": centre(subjects)[0]}
        for method, saliency in maps.items():
            located = localize(np.asarray(saliency), masks[one.name])
            for measure, value in zip(found, (located.space, located.pointing), strict=True):
                found[measure].setdefault((one.spectrum, method), {})[one.name] = float(value)
    return dict(found)


def floor_line(explanations: Iterable[Explanation]) -> str:
    """The mean floor of each spectrum, as a sentence: what a baseline leaves of the explained class."""
    by_spectrum: dict[str, list[float]] = {}
    for one in explanations:
        removed, _ = next(iter(one.curves.values()))
        by_spectrum.setdefault(one.spectrum, []).append(float(removed.scores[-1]))
    return f"Mean floor: {', '.join(f'{name} {np.mean(floors):.2f}' for name, floors in by_spectrum.items())}."


def evidence_sheet(
    name: str,
    title: str,
    values: Mapping[str, Values],
    controls: Sequence[str],
    good_signs: Mapping[str, int],
    *,
    actors: Mapping[str, str] = MappingProxyType({}),
    note: str = "",
) -> Sheet:
    """Every method against controls, each measure in each spectrum a cell; Holm over the cells of a control.

    Args:
      name: Of the sheet.
      title: Its heading.
      values: By measure.
      controls: Such as "smooth" and "other".
      good_signs: By measure, 1 if higher is better, -1 if lower is.
      actors: By clip, who is seen: clips of one actor are one cluster of a test.
      note: A sentence to begin the footnote with.
    """

    def beside(control: str, key: tuple[str, str]) -> tuple[str, str]:
        return key[0], control_title(control, key[1])

    cells = [(key, measure) for measure in values for key in values[measure] if not is_control(key[1])]
    cells.sort(key=lambda cell: (cell[0][0], list(values).index(cell[1])))  # stable: methods stay in their order
    lines: list[list[Value]] = [
        [spectrum, f"{measure} {'↑' if good_signs[measure] > 0 else '↓'}", method, _mean(values[measure], key)]
        for (key, measure) in cells
        for spectrum, method in [key]
    ]
    footnotes = [note] if note else []
    found = corrected(
        {
            (key, measure): {
                control: _contrast(values[measure][key], values[measure][beside(control, key)], actors)
                for control in controls
            }
            for key, measure in cells
        }
    )
    for control in controls:
        for line, (key, measure) in zip(lines, cells, strict=True):
            own = found[key, measure][control]
            line += [_mean(values[measure], beside(control, key)), PValue(own.p_value), PValue(own.p_holm)]
        better = sum(found[key, measure][control].better(good_signs[measure]) for key, measure in cells)
        footnotes.append(f"Better than {control} after Holm's correction: {better} of {len(cells)} cells.")
    beside_columns = [column for control in controls for column in (control, f"p vs {control}", "p, Holm")]
    columns = ("spectrum", "measure", "method", "mean", *beside_columns)
    return Sheet(name, title, "", columns, tuple(map(tuple, lines)), " ".join(footnotes))


def _mean(measured: Values, key: tuple[str, str]) -> float:
    return float(np.mean(list(measured[key].values())))


def _contrast(own: Mapping[str, float], beside: Mapping[str, float], actors: Mapping[str, str]) -> Contrast:
    """Of the clips that have both values; without a test where that is a single one."""
    clips = [clip for clip in own if clip in beside]
    first, second = (np.array([measured[clip] for clip in clips]) for measured in (own, beside))
    found = contrast(first, second, [actors.get(clip) or clip for clip in clips])
    return found or Contrast(float(np.mean(first - second)), None, None, 1.0, 1.0)
