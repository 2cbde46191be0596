"""Whether maps find the actor: every method beside the map of another clip and the centre of the picture."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from jaxtyping import Float

from jaxsal.core.controls import control_title, is_control
from jaxsal.core.types import AnyArray
from jaxsal.evaluation.explanation import Explanation
from jaxsal.metrics.contrasts import Contrast, contrast, corrected
from jaxsal.metrics.localization import Mask, localize
from jaxsal.metrics.summary import Measure, measure_clips
from jaxsal.report.contrast_sheet import Compared, contrast_sheet
from jaxsal.report.table import Sheet, Value
from jaxsal.saliency.controls import Subjects, centre

MEASURES = {"AUC": "space", "pointing": "pointing"}
"""By name in the tables, the field of `Localization`: AUC of the actor's pixels within a frame, the pointing game."""
BESIDE = ("other", "centre")

Values = Mapping[tuple[str, str, str], Mapping[str, float]]
"""By spectrum, map and measure: the value of each clip."""


def actor_sheets(explanations: Sequence[Explanation], masks: Mapping[str, Mask], *, seed: int = 0) -> list[Sheet]:
    """How well each map finds the actor, and each method against another clip's map and against the centre.

    Args:
      explanations: Of the clips; those without a mask are left out.
      masks: By clip, the actor's pixels, (T, H, W).
      seed: Of the bootstrap and the tests.

    Returns:
      The means, and the contrasts if there are two clips or more.
    """
    known = [one for one in explanations if one.name in masks]
    values: dict[tuple[str, str, str], dict[str, float]] = {}
    for one in known:
        for title, saliency in _maps(one).items():
            located = localize(saliency, masks[one.name])._asdict()
            for name, field in MEASURES.items():
                values.setdefault((one.spectrum, title, name), {})[one.name] = float(located[field])
    actors = {one.name: one.actor or one.name for one in known}
    contrasts = contrast_sheet(
        _compared(values, actors, seed), ("spectrum", "method"), dict.fromkeys(MEASURES, 1), name="actor_contrasts"
    )
    return [_means(values, actors, seed), *([contrasts] if contrasts else [])]


def _maps(one: Explanation) -> dict[str, Float[AnyArray, "Tm H W"]]:
    """The maps of the methods, and the controls beside them."""
    methods = {title: saliency for title, saliency in one.maps.items() if not is_control(title)}
    others = {control_title("other", title) for title in methods} & one.maps.keys()
    num_slices, height, width = next(iter(methods.values())).shape
    blob = centre(Subjects([one.name], [one.clip], (num_slices, height, width), one.options.seed))[0]
    return methods | {title: one.maps[title] for title in sorted(others)} | {"centre": blob}


def _means(values: Values, actors: Mapping[str, str], seed: int) -> Sheet:
    def measure(found: Mapping[str, float]) -> Measure:
        return measure_clips(np.array([*found.values()]), actors=[actors[clip] for clip in found], seed=seed)

    rows = sorted({key[:2]: len(found) for key, found in values.items()}.items(), key=lambda row: row[0][0])
    lines: list[tuple[Value, ...]] = [
        (spectrum, title, count, *(measure(values[spectrum, title, name]) for name in MEASURES))
        for (spectrum, title), count in rows
    ]
    columns = ("spectrum", "map", "n", *(f"{name} ↑ mean ± std [95 %]" for name in MEASURES))
    note = "AUC of the actor's pixels within a frame, and the pointing game: the most salient voxel is on the actor."
    return Sheet("actor", "Where the actor is", note, columns, tuple(lines))


def _compared(values: Values, actors: Mapping[str, str], seed: int) -> list[Compared]:
    """Holm's correction is over all methods, spectra and measures."""
    found: dict[tuple[str, str, str], dict[str, Contrast]] = {}
    for (key, own), control in product(values.items(), BESIDE):
        spectrum, title, name = key
        beside = values.get((spectrum, control_title(control, title), name), {})
        clips = [clip for clip in own if clip in beside]
        if is_control(title) or len(clips) < 2:
            continue
        shown, control_shown = (np.array([measured[clip] for clip in clips]) for measured in (own, beside))
        if (tested := contrast(shown, control_shown, [actors[clip] for clip in clips], seed=seed)) is not None:
            found.setdefault(key, {})[control] = tested
    tests = corrected(found)
    methods = sorted({key[:2]: len(values[key]) for key in tests}.items(), key=lambda row: row[0][0])
    return [
        Compared(labels, count, {name: tests.get((*labels, name), {}) for name in MEASURES})
        for labels, count in methods
    ]
