"""Checks of the saliency maps that users pass in, of clips and of scenes."""

import math
from collections.abc import Mapping, Sequence

import jax.numpy as jnp

from jaxsal.core.types import AnyArray, SaliencyMap, SaliencyTree
from jaxsal.engine.inputs import check_frames, check_unmasked, value_range
from jaxsal.engine.spectra import beside, spectra_of


def check_saliency(
    saliency: SaliencyTree, clip_shape: tuple[int, ...], spectra: Sequence[str] = ()
) -> tuple[AnyArray, str]:
    """The saliency map, where it was, after checking its shape against the clip and its values.

    Args:
      saliency: The map; of a scene one for every spectrum, for one of them, or one that all share.
      clip_shape: (T, H, W, C).
      spectra: Of the scene.

    Returns:
      The map (Tm, H, W), or (S, Tm, H, W) where every spectrum has its own; and the spectrum that alone has one, empty
      where all are concerned.

    Raises:
      TypeError: If it does not hold floating-point numbers.
      ValueError: If it is not (Tm, H, W) with Tm dividing T, holds NaN, or is of other spectra.
    """
    if not isinstance(saliency, Mapping):
        return check_map(saliency, clip_shape), ""
    named = spectra_of(saliency)
    if not named or (named != tuple(spectra) and not (len(named) == 1 and named[0] in spectra)):
        wanted = f"every spectrum of {tuple(spectra)}, or for one of them" if spectra else "one clip, as an array"
        raise ValueError(f"`saliency` must have a map for {wanted}; got maps for {named}.")
    maps = {name: check_map(saliency[name], clip_shape) for name in named}
    lengths = {name: len(one) for name, one in maps.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"`saliency` must have maps of the same frames; got {lengths}.")
    return (maps[named[0]], named[0]) if named != tuple(spectra) else (beside(maps), "")


def check_map(saliency: SaliencyMap, clip_shape: tuple[int, ...]) -> AnyArray:
    """One map (Tm, H, W), where it was; errors as `check_saliency`."""
    if not hasattr(saliency, "ndim") or not jnp.issubdtype(saliency.dtype, jnp.floating):
        raise TypeError(f"`saliency` must be an array of floats; got {getattr(saliency, 'dtype', type(saliency))}.")
    check_unmasked("saliency", saliency)
    num_frames, height, width = clip_shape[:3]
    if saliency.ndim != 3 or saliency.shape[1:] != (height, width):
        raise ValueError(f"`saliency` must have shape (T', {height}, {width}); got {tuple(saliency.shape)}.")
    check_frames(num_frames, saliency.shape[0], "saliency")
    low, high = value_range(saliency)
    if math.isnan(low):
        raise ValueError("`saliency` must be free of NaN; got NaN.")
    if math.isinf(low) or math.isinf(high):
        raise ValueError(f"`saliency` must be finite; got values from {low:g} to {high:g}.")
    return saliency
