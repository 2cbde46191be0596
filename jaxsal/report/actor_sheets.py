"""Whether maps find the actor: every method beside the maps of other clips and the centre of the picture."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.core.controls import control_title, is_control
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.scenes import of_each_spectrum
from jaxsal.metrics.contrasts import Contrast, contrast, corrected
from jaxsal.metrics.localization import Mask, localize_across
from jaxsal.metrics.summary import Measure, measure_clips
from jaxsal.report.contrast_sheet import Compared, contrast_sheet
from jaxsal.report.sheet import Sheet, Value
from jaxsal.saliency.controls import Subjects, centre

MEASURES = {"AUC": "space", "pointing": "pointing"}
"""By name in the tables, the field of `Crossed`: AUC of the actor's pixels within a frame, the pointing game."""
BESIDE = ("other", "centre")

Values = Mapping[tuple[str, str, str], Mapping[str, float]]
"""By spectrum, map and measure: the value of each clip."""


def actor_sheets(networks: Sequence[Sequence[Explanation]], masks: Mapping[str, Mask], *, seed: int = 0) -> list[Sheet]:
    """How well each map finds the actor, and each method against the maps of other clips and against the centre.

    What another clip's map is worth is the mean over the maps that the same network has of all clips of the same
    spectrum and another class.

    Args:
      networks: By network, explanations of clips; those without a mask are left out. No two have the same name.
      masks: By clip, the actor's pixels, (T, H, W).
      seed: Of the bootstrap and the tests.

    Returns:
      The means, and the contrasts if there are two clips or more.
    """
    values: dict[tuple[str, str, str], dict[str, float]] = {}
    parts = [[part for scene in explanations for part in of_each_spectrum(scene)] for explanations in networks]
    known = [[one for one in explanations if one.name in masks] for explanations in parts]
    for clips in (clips for part in known for clips in _by_spectrum(part)):
        for title, located in _located(clips, [masks[one.name] for one in clips]).items():
            for name, field in MEASURES.items():
                found = zip(clips, getattr(located, field).tolist(), strict=True)
                own = values.setdefault((clips[0].spectrum, title, name), {})
                own |= {one.name: value for one, value in found if np.isfinite(value)}
    values = {key: found for key, found in values.items() if found}
    actors = {one.name: one.actor or one.name for part in known for one in part}
    contrasts = contrast_sheet(
        _compared(values, actors, seed), ("spectrum", "method"), dict.fromkeys(MEASURES, 1), name="actor_contrasts"
    )
    return [_means(values, actors, seed), *([contrasts] if contrasts else [])]


def _by_spectrum(explanations: Sequence[Explanation]) -> list[list[Explanation]]:
    spectra = sorted({one.spectrum for one in explanations})
    return [[one for one in explanations if one.spectrum == spectrum] for spectrum in spectra]


class _PerClip(NamedTuple):
    """Fields of `Crossed`, one value for each clip."""

    pointing: Float[np.ndarray, " M"]
    space: Float[np.ndarray, " M"]


def _located(clips: Sequence[Explanation], masks: Sequence[Mask]) -> dict[str, _PerClip]:
    """By map, the measures of each clip of a spectrum: its own map, the mean of other clips' maps, and the centre."""
    methods = [title for title in clips[0].maps if not is_control(title)]
    labels = np.array([one.label for one in clips])
    apart = labels[:, None] != labels
    found, others = {}, {}
    for title in methods:
        crossed = localize_across(np.stack([one.maps[title] for one in clips]), np.stack(masks))
        found[title] = _PerClip(*(np.diagonal(values) for values in crossed))
        weights = apart / np.where(apart.any(axis=0), apart.sum(axis=0), np.nan)
        others[control_title("other", title)] = _PerClip(*((weights * values).sum(axis=0) for values in crossed))
    num_slices, height, width = clips[0].maps[methods[0]].shape
    blob = centre(Subjects(["centre"], [clips[0].clip], (num_slices, height, width), clips[0].options.seed))
    beside = _PerClip(*(values[0] for values in localize_across(blob, np.stack(masks))))
    return found | others | {"centre": beside}


def _means(values: Values, actors: Mapping[str, str], seed: int) -> Sheet:
    def measure(found: Mapping[str, float]) -> Measure:
        return measure_clips(np.array([*found.values()]), actors=[actors[clip] for clip in found], seed=seed)

    rows = sorted({key[:2]: len(found) for key, found in values.items()}.items(), key=lambda row: row[0][0])
    lines: list[tuple[Value, ...]] = [
        (spectrum, title, count, *(measure(values[spectrum, title, name]) for name in MEASURES))
        for (spectrum, title), count in rows
    ]
    columns = ("spectrum", "map", "n", *(f"{name} ↑ mean ± std [95 %]" for name in MEASURES))
    note = (
        "AUC of the actor's pixels within a frame, and the pointing game: the most salient voxel is on the actor. Of "
        "another clip: the mean over the maps of all clips of another class."
    )
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
