"""What stands in for removed voxels, all in the clip's own [0, 1] space."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree
from scipy.ndimage import gaussian_filter

from jaxsal.core.checks import check_choice
from jaxsal.core.types import AnyArray, ScoreFn
from jaxsal.engine.inputs import check_unmasked, value_range
from jaxsal.engine.resample import degrade
from jaxsal.recipes import BaselineName

Mean = Float[AnyArray, " C"] | None
"""The mean colour of a callable that has one."""


@dataclass(frozen=True, eq=False)
class Given:
    """An array that was given as a baseline; two are equal if they are the same object."""

    array: PyTree

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and self.array is other.array

    def __hash__(self) -> int:
        return id(self.array)


@dataclass(frozen=True)
class Baseline:
    """One of the baselines, comparable.

    Attributes:
      name: An array that broadcasts to the clip, or
        "zero": black, the study's choice (it masks before normalising);
        "mean": the colour that the classifier's normalisation takes to zero, the choice of the official RISE
        and SIDU code (they mask after normalising); black where the classifier has no mean;
        "blur": the clip, degraded linearly to 1 / `blur_factor` and back, the start of the study's insertion;
        "gaussian": the clip, blurred per frame, the start of the official insertion;
        "time_mean": every frame the mean of all frames, so that what stands still stays and motion goes;
        "first_frame": every frame the first one, a sharp picture without motion;
        "reverse": the clip's frames in reverse order, a clip as real as the first, whose motion runs backwards.
      blur_factor: For "blur".
      blur_time: For "blur": whether the time axis is degraded too.
      only: The one spectrum of a scene that is replaced, while the others stay as they are; all if empty.
    """

    name: str | Given
    blur_factor: int = 4
    blur_time: bool = True
    only: str = field(default="", repr=False)

    @classmethod
    def of(cls, baseline: object, *, blur_factor: int = 4, blur_time: bool = True, only: str = "") -> "Baseline":
        """The baseline of that name, or an array as it was given; of a scene one for all spectra, or one by name.

        Raises:
          TypeError: If it is neither.
          ValueError: If the name is unknown.
        """
        if baseline is None or isinstance(baseline, bool):
            raise TypeError(f"`baseline` must be a name or an array; got {baseline}.")
        if not isinstance(baseline, str):
            return cls(Given(baseline), only=only)
        check_choice("baseline", baseline, get_args(BaselineName))
        return cls(baseline, blur_factor, blur_time, only) if baseline == "blur" else cls(baseline, only=only)


def make_baseline(baseline: Baseline, clip: Float[AnyArray, "T H W C"], score_fn: ScoreFn) -> Float[AnyArray, "..."]:
    """The baseline of one clip; broadcasts to it.

    Args:
      baseline: Which one.
      clip: The clip.
      score_fn: Asked for its `mean` (C,), if it has one.

    Raises:
      ValueError: If an array does not broadcast to the clip, or has values outside [0, 1].
    """
    if isinstance(baseline.name, Given):
        return _check_given(baseline.name.array, clip.shape)
    return _named(jnp.asarray(clip), _mean(_colour(baseline, score_fn), clip), baseline)


def stand_ins(baseline: Baseline, clips: PyTree, score_fn: ScoreFn) -> PyTree:
    """The fully replaced clips, one for each of several clips; of scenes, for every spectrum. Errors as above."""
    mean = _colour(baseline, score_fn)
    if not isinstance(clips, Mapping):
        return _stand_ins(baseline, clips, mean)
    means = mean if isinstance(mean, Mapping) else dict.fromkeys(clips, mean)
    found = {}
    for name, part in clips.items():
        own = baseline
        if isinstance(baseline.name, Given) and isinstance(baseline.name.array, Mapping):
            own = dataclasses.replace(baseline, name=Given(_given_for(name, baseline.name.array)))
        found[name] = _stand_ins(own, part, means[name]) if baseline.only in ("", name) else part
    return found


def _given_for(spectrum: str, arrays: Mapping[str, AnyArray]) -> AnyArray:
    if spectrum not in arrays:
        raise ValueError(f"`baseline` must have an array for each spectrum; got none for {spectrum}.")
    return arrays[spectrum]


def _stand_ins(baseline: Baseline, clips: Float[AnyArray, "B T H W C"], mean: Mean) -> Float[AnyArray, "B T H W C"]:
    if not isinstance(baseline.name, Given):
        colour = _mean(mean, clips)
        if not isinstance(clips, jax.core.Tracer | np.ndarray):
            colour = jax.device_put(colour, clips.sharding)
        return _named_each(clips, colour, baseline)
    given = _check_given(baseline.name.array, clips.shape[1:])
    if not isinstance(clips, jax.core.Tracer | np.ndarray):
        given = jax.device_put(given, clips.sharding)
    return jnp.broadcast_to(given, clips.shape)


def _check_given(baseline: AnyArray, shape: tuple[int, ...]) -> AnyArray:
    check_unmasked("baseline", baseline)
    array = baseline if isinstance(baseline, jax.Array) else np.asarray(baseline)
    try:
        broadcast = np.broadcast_shapes(array.shape, shape)
    except ValueError:
        broadcast = None
    if broadcast != shape:
        raise ValueError(f"`baseline` must broadcast to the clip's shape {shape}; got {tuple(array.shape)}.")
    if array.dtype.kind not in "biuf" and not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"`baseline` must hold numbers in [0, 1]; got {array.dtype}.")
    low, high = value_range(array)
    if not (low >= 0 and high <= 1):
        raise ValueError(f"`baseline` must have values in [0, 1]; got {baseline}.")
    return array.astype(np.float32)


def _colour(baseline: Baseline, score_fn: ScoreFn) -> PyTree:
    """What a callable has as its mean, one for each spectrum or for all; None where the baseline needs none."""
    return getattr(score_fn, "mean", None) if baseline.name in ("mean", "gaussian") else None


def _mean(mean: Mean, clip: AnyArray) -> Float[AnyArray, " C"]:
    return np.zeros(clip.shape[-1], np.float32) if mean is None else mean


@partial(jax.jit, static_argnums=(2,))
def _named_each(
    clips: Float[Array, "B T H W C"], mean: Float[Array, " C"], baseline: Baseline
) -> Float[Array, "B T H W C"]:
    return jax.vmap(lambda clip: jnp.broadcast_to(_named(clip, mean, baseline), clip.shape))(clips)


def _named(clip: Float[Array, "T H W C"], mean: Float[AnyArray, " C"], baseline: Baseline) -> Float[AnyArray, "..."]:
    if baseline.name == "blur":
        return degrade(clip, baseline.blur_factor, time=baseline.blur_time)
    if baseline.name == "gaussian":
        return gaussian_blur(clip, mean)
    if baseline.name in _OF_FRAMES:
        return _OF_FRAMES[baseline.name](clip)
    return mean if baseline.name == "mean" else jnp.zeros(clip.shape[-1], jnp.float32)


_OF_FRAMES: dict[str | Given, Callable[[Float[Array, "T H W C"]], Float[Array, "..."]]] = {
    "time_mean": lambda clip: clip.mean(axis=0, keepdims=True),
    "first_frame": lambda clip: clip[:1],
    "reverse": lambda clip: clip[::-1],
}


def gaussian_kernel(size: int = 11, sigma: float = 5.0) -> Float[np.ndarray, "size size"]:
    """The kernel of the official insertion: a Gaussian filter's answer to a delta in a `size` x `size` image.

    The image mirrors at its border, so the tails fold back: the kernel sums to 1 and is nearly flat.
    """
    delta = np.zeros((size, size))
    delta[size // 2, size // 2] = 1
    return gaussian_filter(delta, sigma)


@partial(jax.jit, static_argnames=("size", "sigma"))
def gaussian_blur(
    clip: Float[Array, "T H W C"], mean: Float[Array, " C"], size: int = 11, sigma: float = 5.0
) -> Float[Array, "T H W C"]:
    """Each frame convolved with `gaussian_kernel`, padded with the mean colour.

    The official code pads the normalised frame with zeros; the mean colour is what they stand for.
    """
    kernel = jnp.asarray(gaussian_kernel(size, sigma), jnp.float32)[:, :, None, None]
    images = jnp.moveaxis(clip - mean, -1, 1).reshape(-1, *clip.shape[1:3], 1)
    pad = (size // 2, size // 2)
    blurred = jax.lax.conv_general_dilated(
        images,
        kernel,
        (1, 1),
        (pad, pad),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=jax.lax.Precision.HIGHEST,
    )
    channels_first = blurred.reshape(clip.shape[0], clip.shape[3], *clip.shape[1:3])
    return jnp.moveaxis(channels_first, 1, -1) + mean
