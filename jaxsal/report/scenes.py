"""Scenes of a player: the infrared and the visible clip of one moment side by side."""

import re
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jax

from jaxsal.core.spread import spread
from jaxsal.datasets.records import FUSED, SPECTRA
from jaxsal.drawing.recording import Excerpts
from jaxsal.evaluation.explanation import Explanation
from jaxsal.report.panels import Panel, panels_of


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


def scenes_of(
    explanations: Iterable[Explanation],
    classes: Sequence[str],
    *,
    num_scenes: int,
    excerpts: Excerpts = MappingProxyType({}),
) -> list[Scene]:
    """Some scenes, evenly spread over all; the infrared and the visible clip of one scene side by side.

    Clips are of one scene if their names differ in the spectrum alone, or if there are but two, one of each spectrum.

    Args:
      explanations: Of any number of clips.
      classes: Names of the classes.
      num_scenes: How many to show at most.
      excerpts: As of `panels_of`.
    """
    chosen = group_by_scene(explanations)
    return [_scene(chosen[place], classes, excerpts) for place in spread(len(chosen), num_scenes)]


def group_by_scene(explanations: Iterable[Explanation]) -> list[list[Explanation]]:
    """Explanations of one scene together, as `scenes_of` says."""
    explanations = list(explanations)
    groups: dict[tuple[str, int], list[Explanation]] = {}
    for explanation in explanations:
        name = scene_name(explanation) if len(explanations) != 2 else ""
        groups.setdefault((name, len(jax.tree.leaves(explanation.clip)[0])), []).append(explanation)
    scenes = []
    for group in groups.values():
        spectra = {explanation.spectrum for explanation in group}
        scenes += [group] if len(spectra) == len(group) else [[explanation] for explanation in group]
    return scenes


def _scene(group: list[Explanation], classes: Sequence[str], excerpts: Excerpts) -> Scene:
    ordered = sorted(group, key=lambda explanation: (*SPECTRA, FUSED).index(explanation.spectrum))
    name = " and ".join(dict.fromkeys(scene_name(explanation) for explanation in ordered))
    scale = "limits" if ordered[0].spectrum == FUSED else "steps"
    panels = [panel for explanation in ordered for panel in panels_of(explanation, classes, excerpts)]
    return Scene(name, panels, scale)


def scene_name(explanation: Explanation) -> str:
    """A clip's name without its spectrum."""
    spectrum = rf"(?<![A-Za-z0-9]){explanation.spectrum}(?![A-Za-z0-9])"
    return re.sub(spectrum, "", explanation.name).strip("-_./ ") or explanation.name
