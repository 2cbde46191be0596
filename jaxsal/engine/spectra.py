"""Scenes in several spectra: how masks and maps of each lie beside each other.

Inside the package a mask or a map of a scene is one array (S, Tm, H, W), the S spectra in the order of their names, so
that everything that holds for the voxels of a clip holds for the voxels of all spectra together.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, Shaped

from jaxsal.core.types import AnyArray

Some = TypeVar("Some", bound=AnyArray)


def spectra_of(clip: object) -> tuple[str, ...]:
    """The spectra of a scene, or of several, in the order of their names; none of a clip that is one array."""
    return tuple(sorted(clip)) if isinstance(clip, Mapping) else ()


def form_of(clip: PyTree) -> tuple[tuple[int, ...], tuple[tuple[str, int], ...]]:
    """(T, H, W, C) of a clip, and the channels of every spectrum of a scene, whose first one it is then of."""
    spectra = spectra_of(clip)
    first = clip[spectra[0]] if spectra else clip
    return tuple(first.shape), tuple((name, clip[name].shape[-1]) for name in spectra)


def by_spectrum(maps: AnyArray, spectra: Sequence[str], axis: int = -4) -> PyTree:
    """Maps (..., S, Tm, H, W) as users get them: of scenes one for each spectrum by name, else as they are."""
    if not spectra:
        return maps
    take = np.take if isinstance(maps, np.ndarray) else jnp.take
    return {name: take(maps, number, axis=axis) for number, name in enumerate(spectra)}


def beside(parts: Mapping[str, Some], axis: int = -4) -> Some:
    """Arrays of each spectrum as one with an axis of spectra, which maps (..., Tm, H, W) get before their own."""
    xp = jnp if any(isinstance(part, jax.Array) for part in parts.values()) else np
    return xp.stack([parts[name] for name in sorted(parts)], axis=axis)


def in_a_row(maps: PyTree) -> Shaped[np.ndarray, " V"]:
    """The values of a map one after the other; of a scene's maps those of every spectrum."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(maps)])


def mask_of_each(mask: Float[Array, "..."], clips: PyTree) -> PyTree:
    """A mask for every spectrum: its own of (S, Tm, H, W), the same for all of (Tm, H, W); of clips as it is."""
    spectra = spectra_of(clips)
    if not spectra:
        return mask
    return {name: mask if mask.ndim == 3 else mask[number] for number, name in enumerate(spectra)}


def in_all_channels(activations: PyTree, spectra: Sequence[str]) -> PyTree:
    """The activations behind the masks of every spectrum, a tuple of S arrays of as many channels.

    Of clips they are as they were. A channel of one spectrum sees nothing of the others, so there it is minus infinity.
    Channels that see all spectra are the same for each.
    """
    if not spectra:
        return activations
    if not isinstance(activations, Mapping):
        return (activations,) * len(spectra)
    parts = [activations[name] for name in spectra]
    sizes = [part.shape[-1] for part in parts]

    def pad(number: int, part: Array) -> Array:
        others = (sum(sizes[:number]), sum(sizes[number + 1 :]))
        return jnp.pad(part, [*[(0, 0)] * (part.ndim - 1), others], constant_values=-np.inf)

    return tuple(pad(number, part) for number, part in enumerate(parts))


def from_rows(
    rows: Shaped[np.ndarray, "d n"], positions: Int[np.ndarray, "S 3"], *, of_scene: bool
) -> Shaped[np.ndarray, "t h w d"] | tuple[Shaped[np.ndarray, "_ _ _ d"], ...]:
    """Activations from a row for each channel, which has the (t, h, w) of one spectrum after the other.

    Args:
      rows: The channels.
      positions: (t, h, w) of every spectrum.
      of_scene: Whether they become a tuple, one for each spectrum.
    """
    columns = np.split(rows.T, np.cumsum(positions.prod(axis=1))[:-1])
    parts = tuple(own.reshape(*at, -1) for own, at in zip(columns, positions.tolist(), strict=True))
    return parts if of_scene else parts[0]
