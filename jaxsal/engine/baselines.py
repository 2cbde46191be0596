"""What stands in for removed voxels, all in the clip's own [0, 1] space."""

from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.ndimage import gaussian_filter

from jaxsal.core.checks import check_choice
from jaxsal.core.types import AnyArray, ScoreFn
from jaxsal.engine.inputs import value_range
from jaxsal.engine.resample import degrade

BaselineName = Literal["zero", "mean", "blur", "gaussian"]
BASELINES: tuple[str, ...] = get_args(BaselineName)


def make_baseline(
    baseline: str | AnyArray,
    clip: Float[Array, "T H W C"],
    score_fn: ScoreFn,
    *,
    blur_factor: int = 4,
    blur_time: bool = True,
) -> Float[Array, "..."]:
    """The baseline of a clip, by name or as given.

    Args:
      baseline: An array that broadcasts to the clip, or
        "zero": black, the study's choice (it masks before normalising);
        "mean": the colour that the classifier's normalisation takes to zero, the choice of the official RISE
        and SIDU code (they mask after normalising); black where the classifier has no mean;
        "blur": the clip, degraded linearly to 1 / `blur_factor` and back, the start of the study's insertion;
        "gaussian": the clip, blurred per frame, the start of the official insertion.
      clip: The clip.
      score_fn: Asked for its `mean` (C,), if it has one.
      blur_factor: For "blur".
      blur_time: For "blur": whether the time axis is degraded too.

    Raises:
      ValueError: If the name is unknown, or the array does not broadcast to the clip.
    """
    if not isinstance(baseline, str):
        baseline = jnp.asarray(baseline, clip.dtype)
        try:
            broadcast = np.broadcast_shapes(baseline.shape, clip.shape)
        except ValueError:
            broadcast = None
        if broadcast != clip.shape:
            raise ValueError(
                f"`baseline` must broadcast to the clip's shape {clip.shape}; got {tuple(baseline.shape)}."
            )
        if isinstance(baseline, jax.core.Tracer):
            return baseline
        low, high = value_range(baseline)
        if not (low >= 0 and high <= 1):
            raise ValueError(f"`baseline` must have values in [0, 1]; got {baseline}.")
        return baseline
    check_choice("baseline", baseline, BASELINES)
    if baseline == "blur":
        return degrade(clip, blur_factor, time=blur_time)
    mean: Any = None if baseline == "zero" else getattr(score_fn, "mean", None)
    mean = jax.device_put(np.zeros(clip.shape[-1], np.float32) if mean is None else mean)
    return gaussian_blur(clip, mean) if baseline == "gaussian" else mean


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
