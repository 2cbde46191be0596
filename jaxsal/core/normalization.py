"""The colours that a classifier's normalisation takes to zero and to one: of clips, or of each spectrum of scenes."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree

from jaxsal.core.checks import shown
from jaxsal.core.types import AnyArray

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Colour = Sequence[float] | AnyArray
"""A value for each channel."""
Colours = Colour | Mapping[str, Colour]
"""Of a clip, or of every spectrum of a scene."""


def check_normalization(mean: Sequence[float] | AnyArray, std: Sequence[float] | AnyArray) -> None:
    """Checks that `mean` and `std` are finite, one value per channel each, and `std` above 0.

    Raises:
      TypeError: If they are no numbers.
      ValueError: If they are others.
    """
    if any(isinstance(value, jax.core.Tracer) for value in (mean, std)):
        return
    means, stds = _numbers("mean", mean), _numbers("std", std)
    if means.ndim > 1 or means.shape != stds.shape:
        raise ValueError(f"`mean` and `std` must have one value for each channel; got {mean} and {std}.")
    if not np.isfinite(means).all():
        raise ValueError(f"`mean` must be finite; got {mean}.")
    if not (np.isfinite(stds).all() and (stds > 0).all()):
        raise ValueError(f"`std` must be finite and above 0; got {std}.")


def _numbers(name: str, values: Colour) -> Float[np.ndarray, "..."]:
    """Values as an array; TypeError if they are no real numbers."""
    found = np.asarray(values)
    if found.dtype.kind not in "iuf":
        raise TypeError(f"`{name}` must have a number for each channel; got {shown(values)}.")
    return found.astype(np.float64)


def as_colours(mean: Colours | None, std: Colours | None) -> tuple[PyTree, PyTree]:
    """Both as float32 arrays, after checking them; by name where they are of each spectrum of scenes.

    Raises:
      ValueError: If only one is given, they are not of the same spectra and channels, or a value is not allowed.
    """
    if (mean is None) != (std is None):
        raise ValueError(f"`mean` and `std` must be given together; got {mean} and {std}.")
    if mean is None or std is None:
        return None, None
    if not isinstance(mean, Mapping) and not isinstance(std, Mapping):
        check_normalization(mean, std)
        return jnp.asarray(mean, jnp.float32), jnp.asarray(std, jnp.float32)
    if not isinstance(mean, Mapping) or not isinstance(std, Mapping) or sorted(mean) != sorted(std):
        raise ValueError(f"`mean` and `std` must be of the same spectra; got {mean} and {std}.")
    pairs = {name: as_colours(mean[name], std[name]) for name in sorted(mean)}
    return {name: own for name, (own, _) in pairs.items()}, {name: own for name, (_, own) in pairs.items()}
