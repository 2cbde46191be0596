"""Scenes in both spectra within a run: what the store keeps of them, and each spectrum by itself, for pictures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import PyTree

from jaxsal.datasets.records import FUSED
from jaxsal.engine.spectra import spectra_of
from jaxsal.recipes import ALONE

if TYPE_CHECKING:
    from jaxsal.evaluation.explanation import Explanation


def stored_arrays(name: str, tree: PyTree) -> dict[str, np.ndarray]:
    """A clip's array by its name; of a scene those of every spectrum, as "clip.IR"."""
    if not isinstance(tree, Mapping):
        return {name: np.asarray(tree, np.float32)}
    return {f"{name}.{spectrum}": np.asarray(part, np.float32) for spectrum, part in tree.items()}


def stored_tree(arrays: Mapping[str, np.ndarray], name: str) -> PyTree:
    """What `stored_arrays` was given."""
    if name in arrays:
        return arrays[name]
    return {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}


def alone_measures(measures: Mapping[str, Any]) -> dict[str, Any]:
    """Measures of scenes: those over the voxels of all spectra, and over each spectrum alone with the same options."""
    return dict(measures) | {name: measures[measure] for name, (measure, _) in ALONE.items() if measure in measures}


def of_each_spectrum(e: "Explanation") -> "list[Explanation]":
    """An explanation by itself; that of a scene as one for each spectrum, with the clip and the maps of that one.

    They come in the order of the spectra's names, as masks and maps do inside the package. Their curves are
    those over both spectra.
    """
    if not isinstance(e.clip, Mapping):
        return [e]
    return [
        e._replace(
            name=part_name(e.name, spectrum),
            spectrum=spectrum,
            clip=as_colour(e.clip[spectrum]),
            maps={method: own[spectrum] for method, own in e.maps.items()},
            baselines={measure: as_colour(own[spectrum]) for measure, own in e.baselines.items()},
        )
        for spectrum in spectra_of(e.clip)
    ]


def by_part(masks: Mapping[str, Any]) -> dict[str, Any]:
    """Masks by the names that `of_each_spectrum` gives: those of a scene become one of each spectrum."""
    found: dict[str, Any] = {}
    for name, mask in masks.items():
        parts = {part_name(name, spectrum): own for spectrum, own in mask.items()} if isinstance(mask, Mapping) else {}
        found |= parts or {name: mask}
    return found


def part_name(scene: str, spectrum: str) -> str:
    """What one spectrum of a scene is called."""
    return f"{scene.removesuffix(FUSED).rstrip('-')}-{spectrum}"


def as_colour(clip: np.ndarray) -> np.ndarray:
    """A clip whose grey is repeated to three channels, to be shown."""
    return np.repeat(clip, 3, axis=-1) if np.shape(clip)[-1] == 1 else clip
