"""What a player shows of one clip: its frames, maps, curves and probabilities."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from jaxsal.core.controls import is_control
from jaxsal.core.types import AnyArray
from jaxsal.datasets.recordings.excerpt import Excerpt
from jaxsal.drawing.recording import Excerpts, Ground, ground_of
from jaxsal.engine.class_scores import score_unit
from jaxsal.engine.spectra import beside
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.scenes import of_each_spectrum
from jaxsal.evaluation.views import hatched_voxels, map_unit
from jaxsal.metrics.curve import Curve
from jaxsal.metrics.steps import rank_maps
from jaxsal.recipes import MEASURES, METHODS, CurveOptions
from jaxsal.saliency.ledger import RiseLedger

SCALES = ("steps", "limits", "clip", "map")
"""Colour scales. Maps of one method and class in both spectra are compared, as are those of `jaxsal.view` whose names
are alike up to the first comma. "steps": a step of colour is the same amount in all of them, and each starts at its
median; "limits": they have the same limits; "clip": so have all methods' maps of a clip; "map": each its own."""

_MAX_CLASSES = 8


class PanelMap(NamedTuple):
    """One saliency map.

    Attributes:
      method: Its name.
      target: The class it explains; None where that is not known.
      values: (T', H, W), raw units.
      profile_error: Standard error of each frame's mean minus the mean over frames, (T',), where it is known.
      unit: Of the values, as words; empty where it is not known.
      undecided: Where the masks do not tell whether the map is above or below its mean, (T', H, W); None where that is
        not to be shown.
    """

    method: str
    target: str | None
    values: Float[AnyArray, "Tm H W"]
    profile_error: Float[AnyArray, " Tm"] | None = None
    unit: str = ""
    undecided: Bool[AnyArray, "Tm H W"] | None = None


class PanelCurve(NamedTuple):
    """One deletion or insertion curve.

    Attributes:
      method: Whose map was measured.
      measure: "deletion" or "insertion".
      curve: Of the target's score, S steps.
      changed_at: The step at which an element is changed, 1 to S - 1, (T', H, W) or (T, H, W, C).
    """

    method: str
    measure: str
    curve: Curve
    changed_at: Int[AnyArray, "..."]


class Panel(NamedTuple):
    """One clip in one spectrum, and what was found.

    Attributes:
      caption: The spectrum, or any other caption.
      clip: (T, H, W, 3), in [0, 1].
      maps: At least one.
      curves: Those that were measured, all of the class `target`.
      probabilities: By class.
      target: The explained class.
      label: The true class.
      baselines: By measure, what replaced removed voxels; broadcasts to the clip.
      unit: What the scores of the curves are, "probability" or "logit".
      ground: What the maps are drawn on at first: the recording's frames, with their numbers and rate; None where no
        recording is known.
    """

    caption: str
    clip: Float[AnyArray, "T H W 3"]
    maps: Sequence[PanelMap]
    curves: Sequence[PanelCurve] = ()
    probabilities: Mapping[str, float] = {}
    target: str | None = None
    label: str | None = None
    baselines: Mapping[str, Float[AnyArray, "..."]] = {}
    unit: str = "probability"
    ground: Ground | None = None


def panel_curves(
    method: str,
    curves: tuple[Curve, Curve],
    saliency: Float[AnyArray, "*S Tm H W"],
    clip_shape: tuple[int, ...],
    options: Mapping[str, CurveOptions],
) -> list[PanelCurve]:
    """Deletion and insertion of a map, with the order in which its elements are changed.

    Args:
      method: Whose map it is.
      curves: (deletion, insertion).
      saliency: The map.
      clip_shape: (T, H, W, C).
      options: By measure, the options of its curves.
    """
    return [
        PanelCurve(method, measure, curve, changing_steps(saliency, clip_shape, options[measure]))
        for measure, curve in zip(MEASURES, curves, strict=True)
    ]


def changing_steps(
    saliency: Float[AnyArray, "*S Tm H W"], clip_shape: tuple[int, ...], options: CurveOptions
) -> Int[np.ndarray, "..."]:
    """The step of a curve at which each element is changed, from 1 on; of a scene those of all spectra together."""
    ranks, counts = rank_maps(np.asarray(saliency)[None], clip_shape, options)
    return np.searchsorted(counts, np.asarray(ranks[0]), side="right")


def panels_of(
    explanation: Explanation, classes: Sequence[str], excerpts: Excerpts = MappingProxyType({})
) -> list[Panel]:
    """The panel of an explanation; of a scene in both spectra one for each, whose curves are over both.

    Args:
      explanation: What was found.
      classes: Names of the classes.
      excerpts: By clip, where its frames come from, where that is known; of a scene by the names of its spectra.
    """
    e = explanation
    if not isinstance(e.clip, Mapping):
        return [panel_of(e, classes, excerpts.get(e.name))]
    options = {name: dataclasses.replace(e.options.resolve(name), unit="voxel") for name in MEASURES}
    panels = []
    for number, part in enumerate(of_each_spectrum(e)):
        shape = np.shape(part.clip)
        curves = [
            curve._replace(changed_at=curve.changed_at[number])
            for method, both in e.curves.items()
            for curve in panel_curves(method, both, beside(e.maps[method]), shape, options)
        ]
        panels.append(panel_of(part, classes, excerpts.get(part.name))._replace(curves=curves))
    return panels


def panel_of(explanation: Explanation, classes: Sequence[str], excerpt: Excerpt | None = None) -> Panel:
    """The panel of an explanation: RISE for the most probable classes, other methods for the explained class.

    Args:
      explanation: What was found.
      classes: Names of the classes.
      excerpt: Where the clip's frames come from, if that is known and the explanation does not say; they are read
        again.
    """
    e, of_class = explanation, explanation.against is None and not explanation.score
    target = classes[e.target] if of_class else e.target_name
    maps: list[PanelMap] = []
    for method, values in e.maps.items():
        if method == METHODS["rise"] and e.ledger is not None and e.against is None:
            unsure = hatched_voxels(e).get(e.name)
            others = [k for k in np.argsort(-e.probabilities)[:_MAX_CLASSES].tolist() if k != e.target]
            maps += ledger_maps(method, e.ledger, {k: classes[k] for k in [e.target, *others]}, e.spectrum)
            if unsure is not None:
                place = len(maps) - 1 - len(others)
                maps[place] = maps[place]._replace(undecided=unsure[:: len(unsure) // len(values)])
        elif not is_control(method):
            maps.append(PanelMap(method, target, values, unit=map_unit(method, e.ledger)))
    options = {measure: e.options.resolve(measure) for measure in MEASURES}
    curves = [
        curve
        for method, both in e.curves.items()
        for curve in panel_curves(method, both, e.maps[method], np.shape(e.clip), options)
    ]
    probabilities = {classes[k]: float(p) for k, p in enumerate(e.probabilities)}
    label = classes[e.label] if e.label >= 0 else None
    unit = score_unit(options[MEASURES[0]].scores)
    excerpt = e.excerpts.get(e.spectrum, excerpt)
    ground = None if excerpt is None else ground_of(e.clip, excerpt)
    return Panel(e.spectrum, e.clip, maps, curves, probabilities, target, label, e.baselines, unit, ground)


def ledger_maps(method: str, ledger: RiseLedger, targets: Mapping[int, str], spectrum: str = "") -> list[PanelMap]:
    """RISE's maps of some classes, with the errors of differences between frames, read out of the scores.

    Of a scene they are those of one spectrum.
    """

    def own(found: PyTree) -> PyTree:
        return found[spectrum] if isinstance(found, Mapping) else found

    maps = []
    for number, name in targets.items():
        found = np.asarray(own(ledger.stderr(number, contrast=True)) if ledger.has_stderr else np.nan)
        error = found if np.isfinite(found).all() else None
        maps.append(PanelMap(method, name, np.asarray(own(ledger.map(number))), error, map_unit(method, ledger)))
    return maps
