"""Checks of the clips, masks and keys that users pass in, made before anything is computed.

Shapes are checked always; values only where they are known, that is outside of a caller's `jax.jit`.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from jaxsal.core.finite import on_host
from jaxsal.core.types import AnyArray, Clip, ClipTree, ScoreFn


def check_clip(clip: Clip, score_fn: ScoreFn | None = None, *, channels: int | None = None) -> AnyArray:
    """The clip in float32, where it was, after checking its rank, channels, size and values.

    Args:
      clip: The clip.
      score_fn: The function it is for; a `mean` of the function must have one value for each channel.
      channels: How many channels it must have; as many as `score_fn` says if None.

    Raises:
      TypeError: If the clip does not hold floating-point numbers.
      ValueError: If it is not (T, H, W, C) with the expected channels, is empty, or has values outside [0, 1].
    """
    checked = _check_shape(clip, _num_channels(score_fn) if channels is None else channels)
    check_unit_range("clip", checked)
    return checked


def check_clip_shape(clip: ClipTree, score_fn: ScoreFn | None = None) -> ClipTree:
    """`check_clip` without a look at the values; of a scene in several spectra, each of them."""
    return _check_scene(clip) if isinstance(clip, Mapping) else _check_shape(clip, _num_channels(score_fn))


def _check_shape(clip: Clip, channels: int | None) -> AnyArray:
    if not hasattr(clip, "ndim"):
        raise TypeError(f"`clip` must be an array; got {type(clip).__name__}.")
    check_unmasked("clip", clip)
    if clip.ndim != 4:
        raise ValueError(f"`clip` must have shape (T, H, W, C); got {tuple(clip.shape)}.")
    if 0 in clip.shape:
        raise ValueError(f"`clip` must not be empty; got shape {tuple(clip.shape)}.")
    if channels is not None and clip.shape[-1] != channels:
        raise ValueError(f"`clip` must have {channels} channels; got shape {tuple(clip.shape)}.")
    if not jnp.issubdtype(clip.dtype, jnp.floating):
        raise TypeError(f"`clip` must hold floats in [0, 1]; got {clip.dtype} (divide bytes by 255).")
    return clip.astype(np.float32, copy=False) if isinstance(clip, np.ndarray) else jnp.asarray(clip, jnp.float32)


def check_unmasked(name: str, array: object) -> None:
    """Raises TypeError for NumPy's masked arrays, whose masks JAX would not see."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"`{name}` must be an array without a mask; got a masked array: `{name}.filled(0)` makes one.")


def _check_scene(clip: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    scene = {name: _check_shape(part, None) for name, part in clip.items()}
    sizes = {name: part.shape[:3] for name, part in scene.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"`clip` must have spectra of the same frames and pixels; got {sizes}.")
    return scene


def _num_channels(score_fn: ScoreFn | None) -> int | None:
    """As many as the mean colour of what scores has; None where it has none, or parts with means of their own."""
    try:
        size = getattr(getattr(score_fn, "mean", None), "size", 1)
    except ValueError:
        return None
    return size if size > 1 else None


def check_unit_range(name: str, array: AnyArray) -> None:
    """Raises ValueError unless all values are in [0, 1]."""
    low, high = value_range(array)
    if not (low >= 0 and high <= 1):
        raise ValueError(f"`{name}` must have values in [0, 1]; got values from {low:g} to {high:g}.")


def value_range(array: AnyArray) -> tuple[float, float]:
    """The least and the greatest value, NaN where one is, waiting once for the device; 0 and 1 while not known."""
    if isinstance(array, jax.core.Tracer):
        return 0.0, 1.0
    if on_host(array):
        values = np.asarray(array)  # no copy, and no program to wait for
        return float(values.min()), float(values.max())
    with jax.ensure_compile_time_eval():  # the array may be a constant in a program of the caller's
        low, high = np.asarray(_range(array)).tolist()
    return low, high


@jax.jit
def _range(array: jax.Array) -> jax.Array:
    return jnp.stack([array.min(), array.max()])


def check_frames(num_frames: int, num_slices: int, name: str) -> None:
    """Raises ValueError unless the slices of a mask or map divide the frames of the clip."""
    if num_slices < 1 or num_frames % num_slices:
        raise ValueError(f"`{name}` must divide the clip's {num_frames} frames; got {num_slices} along time.")


def check_masks(masks: object) -> None:
    """Checks that masks are a family, or an array of values in [0, 1].

    Raises:
      TypeError: If they are neither numbered masks nor an array of numbers.
      ValueError: If a value is outside [0, 1] or no number.
    """
    check_unmasked("masks", masks)
    if isinstance(masks, jax.Array | np.ndarray):
        if masks.dtype.kind not in "biuf" and not jnp.issubdtype(masks.dtype, jnp.floating):
            raise TypeError(f"`masks` must hold numbers in [0, 1]; got {masks.dtype}.")
        if masks.size:
            check_unit_range("masks", masks)
    elif not (callable(masks) and hasattr(masks, "num_masks")):
        raise TypeError(f"`masks` must be a family of `jaxsal.engine.masks` or an array; got {type(masks).__name__}.")


def check_ids(
    ids: Sequence[int] | Int[AnyArray, " N"] | None, num_masks: int | Int[AnyArray, ""], *, endless: bool = False
) -> Int[np.ndarray, " N"]:
    """The numbers of the masks to score as an array, all `num_masks` for None, after checking them.

    Args:
      ids: The numbers.
      num_masks: N.
      endless: Whether there are masks beyond N.

    Raises:
      TypeError: If they are not integers.
      ValueError: If they are no list, or name a mask that is not there.
    """
    if ids is None:
        return np.arange(int(num_masks), dtype=np.int32)
    ids = np.asarray(ids)
    if ids.ndim != 1 or ids.size == 0:
        raise ValueError(f"`ids` must be a list of mask numbers; got shape {ids.shape}.")
    if ids.dtype.kind not in "iu":
        raise TypeError(f"`ids` must be integers; got {ids.dtype}.")
    limit = np.iinfo(np.int32).max if endless or isinstance(num_masks, jax.core.Tracer) else int(num_masks) - 1
    if ids.min() < 0 or ids.max() > limit:
        raise ValueError(f"`ids` must be from 0 to {limit}; got numbers from {ids.min()} to {ids.max()}.")
    return ids.astype(np.int32)


def check_key(key: object) -> jax.Array:
    """A typed threefry key, after checking its kind.

    Raises:
      TypeError: If it is no scalar JAX key.
      ValueError: If its generator draws numbers that depend on the batch.
    """
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ()):
        raise TypeError(f"`key` must be one key made by `jax.random.key`; got {key!r}.")
    if "threefry" not in str(jax.random.key_impl(key)):
        raise ValueError(
            f"`key` must be a threefry key, since others draw numbers that depend on the batch; "
            f"got {jax.random.key_impl(key)}."
        )
    return key
