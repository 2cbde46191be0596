"""What a player shows: scenes of one or two spectra, each with its clip, maps and curves."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxsal.core.types import AnyArray
from jaxsal.datasets.records import SPECTRA
from jaxsal.evaluation.explain import curve_options
from jaxsal.evaluation.explanation import Explanation
from jaxsal.metrics.steps import ranks_and_counts
from jaxsal.options import MEASURES, METHODS
from jaxsal.recipes import CurveOptions
from jaxsal.saliency.ledger import RiseLedger

SCALES = ("steps", "limits", "clip", "map")
"""Colour scales. Maps of one method and class in both spectra are compared, as are those of `jaxsal.view` whose names
are alike up to the first comma. "steps": a step of colour is the same amount in all of them, and each starts at its
least value; "limits": they have the same limits; "clip": so have all methods' maps of a clip; "map": each its own."""

_MAX_CLASSES = 8
_UNITS = {METHODS["gradcam"]: "logits", METHODS["sidu"]: "similarity x uniqueness"}


class PanelMap(NamedTuple):
    """One saliency map.

    Attributes:
      method: Its name.
      target: The class it explains; None where that is not known.
      values: (T', H, W), raw units.
      profile_error: Standard error of each frame's mean, (T',), where it is known.
      unit: Of the values, as words; empty where it is not known.
    """

    method: str
    target: str | None
    values: Float[AnyArray, "Tm H W"]
    profile_error: Float[AnyArray, " Tm"] | None = None
    unit: str = ""


class PanelCurve(NamedTuple):
    """One deletion or insertion curve.

    Attributes:
      method: Whose map was measured.
      measure: "deletion" or "insertion".
      fractions: Share of the clip that is changed at each step, (S,).
      scores: The target's probability, (S,).
      auc: The area under it.
      changed_at: The step at which an element is changed, 1 to S - 1, (T', H, W) or (T, H, W, C); None where that is
        not known.
    """

    method: str
    measure: str
    fractions: Float[AnyArray, " S"]
    scores: Float[AnyArray, " S"]
    auc: float
    changed_at: Int[AnyArray, "..."] | None = None


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
    """

    caption: str
    clip: Float[AnyArray, "T H W 3"]
    maps: Sequence[PanelMap]
    curves: Sequence[PanelCurve] = ()
    probabilities: Mapping[str, float] = {}
    target: str | None = None
    label: str | None = None
    baselines: Mapping[str, Float[AnyArray, "..."]] = {}


class Scene(NamedTuple):
    """Panels of one scene, of equally many frames; a pair where it was recorded in both spectra.

    Attributes:
      name: Its heading.
      panels: One for each spectrum.
      scale: The colour scale that the player starts with, one of `SCALES`.
    """

    name: str
    panels: Sequence[Panel]
    scale: str = "steps"


def changing_steps(
    saliency: Float[AnyArray, "Tm H W"], clip_shape: tuple[int, ...], options: CurveOptions
) -> Int[np.ndarray, "..."]:
    """The step of a curve at which each element is changed, from 1 on."""
    ranks, counts = ranks_and_counts(jnp.asarray(saliency), clip_shape, options)
    return np.searchsorted(counts, np.asarray(ranks), side="right")


def panel_of(explanation: Explanation, classes: Sequence[str]) -> Panel:
    """The panel of an explanation: RISE for the most probable classes, other methods for the explained class.

    Args:
      explanation: What was found.
      classes: Names of the classes.
    """
    e, target = explanation, classes[explanation.target]
    maps: list[PanelMap] = []
    for method, values in e.maps.items():
        if method == METHODS["rise"] and e.ledger is not None:
            others = [k for k in np.argsort(-e.probabilities)[:_MAX_CLASSES].tolist() if k != e.target]
            maps += ledger_maps(method, e.ledger, {k: classes[k] for k in [e.target, *others]})
        elif method not in e.options.references:
            maps.append(PanelMap(method, target, values, unit=map_unit(method, e.ledger)))
    curves = [
        PanelCurve(
            method,
            measure,
            np.asarray(curve.fractions),
            np.asarray(curve.scores),
            float(curve.auc),
            changing_steps(e.maps[method], np.shape(e.clip), curve_options(e.options, measure)),
        )
        for method, both in e.curves.items()
        for measure, curve in zip(MEASURES, both, strict=True)
    ]
    probabilities = {classes[k]: float(p) for k, p in enumerate(e.probabilities)}
    label = classes[e.label] if e.label >= 0 else None
    return Panel(e.spectrum, e.clip, maps, curves, probabilities, target, label, e.baselines)


def ledger_maps(method: str, ledger: RiseLedger, targets: Mapping[int, str]) -> list[PanelMap]:
    """RISE's maps of some classes, with the errors of their profiles, read out of the scores."""
    maps = []
    for number, name in targets.items():
        known = ledger.options.sampling == "independent"
        found = np.asarray(ledger.stderr(number, per_frame=True) if known else np.nan)
        error = found if np.isfinite(found).all() else None
        maps.append(PanelMap(method, name, np.asarray(ledger.map(number)), error, map_unit(method, ledger)))
    return maps


def map_unit(method: str, ledger: RiseLedger | None = None) -> str:
    """The unit of a method's map, as words; empty where it is not known."""
    if ledger is not None and method not in _UNITS:
        return "mean probability" if ledger.options.scores == "probabilities" else "mean logit"
    return _UNITS.get(method, "")


def scenes_of(explanations: Iterable[Explanation], classes: Sequence[str], *, num_scenes: int) -> list[Scene]:
    """Some scenes, evenly spread over all; the infrared and the visible clip of one scene side by side.

    Clips are of one scene if their names differ in the spectrum alone, or if there are but two, one of each spectrum.

    Args:
      explanations: Of any number of clips.
      classes: Names of the classes.
      num_scenes: How many to show at most.
    """
    chosen = group_by_scene(explanations)
    places = np.linspace(0, len(chosen) - 1, min(num_scenes, len(chosen))).round().astype(int)
    return [_scene(chosen[place], classes) for place in places]


def group_by_scene(explanations: Iterable[Explanation]) -> list[list[Explanation]]:
    """Explanations of one scene together, as `scenes_of` says."""
    groups: dict[Any, list[Explanation]] = {}
    explanations = list(explanations)
    only_pair = len(explanations) == 2
    for explanation in explanations:
        key = "" if only_pair else scene_name(explanation)
        groups.setdefault((key, len(explanation.clip)), []).append(explanation)
    found = []
    for group in groups.values():
        spectra = [explanation.spectrum for explanation in group]
        found += [group] if len(set(spectra)) == len(spectra) else [[explanation] for explanation in group]
    return found


def _scene(group: list[Explanation], classes: Sequence[str]) -> Scene:
    ordered = sorted(group, key=lambda explanation: SPECTRA.index(explanation.spectrum))
    name = " and ".join(dict.fromkeys(scene_name(explanation) for explanation in ordered))
    return Scene(name, [panel_of(explanation, classes) for explanation in ordered])


def scene_name(explanation: Explanation) -> str:
    """A clip's name without its spectrum."""
    spectrum = rf"(?<![A-Za-z0-9]){explanation.spectrum}(?![A-Za-z0-9])"
    return re.sub(spectrum, "", explanation.name).strip("-_./ ") or explanation.name
