"""Where a saliency map puts its credit, against the known pixels of the actor."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import AnyArray, SaliencyMap
from jaxsal.engine.inputs import check_frames, check_unmasked
from jaxsal.engine.maps import check_map

Mask = Bool[AnyArray, "T H W"]
"""The actor's pixels, frame by frame."""


class Localization(NamedTuple):
    """How well a map finds the actor; in brackets, the value of a map without evidence.

    Attributes:
      pointing: 1 if the most salient voxel lies on the actor, else 0 (the actor's share of the clip).
      energy: Share of the credit that lies on the actor (the actor's share of the clip).
      space: AUC of telling the actor's pixels from the others of the same frame, mean over frames (0.5).
      time: AUC of telling the frames in which the actor covers a pixel from the others, mean over pixels (0.5).
    """

    pointing: Float[Array, ""]
    energy: Float[Array, ""]
    space: Float[Array, ""]
    time: Float[Array, ""]


class Crossed(NamedTuple):
    """How well each of N maps finds the actor of each of M clips, see `Localization`."""

    pointing: Float[np.ndarray, "N M"]
    space: Float[np.ndarray, "N M"]


def localize_across(saliency: Float[AnyArray, "N Tm H W"], masks: Bool[AnyArray, "M T H W"]) -> Crossed:
    """Every map against the actor of every clip: own maps on the diagonal, those of other clips beside it.

    A map is ranked once, and its AUC in a frame follows from the ranks R of the n1 pixels inside and the number n0 of
    those outside, as Mann and Whitney have it: (sum R - n1 (n1 + 1) / 2) / (n1 n0).

    Args:
      saliency: The maps, T' divides T.
      masks: The actors' pixels.

    Raises:
      ValueError: If the shapes do not fit.
    """
    from scipy.stats import rankdata  # half a second, which `jaxsal --help` need not wait for

    saliency, masks = np.asarray(saliency), np.asarray(masks)
    num_frames, num_slices = masks.shape[1], saliency.shape[1]
    if saliency.shape[2:] != masks.shape[2:]:
        raise ValueError(f"`masks` must have frames of shape {saliency.shape[2:]}; got {masks.shape[2:]}.")
    check_frames(num_frames, num_slices, "saliency")
    maps = saliency.reshape(len(saliency), num_slices, -1)
    inside = masks.reshape(len(masks), num_frames, -1).astype(float)

    def sums(voxels: Float[np.ndarray, "N Tm P"]) -> Float[np.ndarray, "T N M"]:
        by_frame = np.repeat(voxels, num_frames // num_slices, axis=1)
        return by_frame.swapaxes(0, 1) @ np.moveaxis(inside, 0, 2)

    highest = (maps == maps.max(axis=(1, 2), keepdims=True)).astype(float)
    pointing = sums(highest).sum(axis=0) / (highest.sum(axis=(1, 2)) * num_frames / num_slices)[:, None]
    pointing[:, ~masks.any(axis=(1, 2, 3))] = np.nan
    covered = inside.sum(axis=2).T[:, None]
    pairs = covered * (maps.shape[2] - covered)
    wins = sums(rankdata(maps, axis=2)) - covered * (covered + 1) / 2
    aucs = np.divide(wins, pairs, out=np.full(wins.shape, np.nan), where=np.broadcast_to(pairs > 0, wins.shape))
    known = np.isfinite(aucs).sum(axis=0)
    return Crossed(pointing, np.nansum(aucs, axis=0) / np.where(known, known, np.nan))


@check_kinds
def localize(saliency: SaliencyMap, mask: Mask) -> Localization:
    """All measures of one map.

    Args:
      saliency: The map, (T', H, W), T' divides T; a slice stands for all frames of its segment.
      mask: The actor's pixels, (T, H, W).

    Raises:
      TypeError: If the map holds no floats, or the mask no pixels that are True or False.
      ValueError: If the shapes do not fit, or the map holds NaN.
    """
    return _localize(*aligned(saliency, mask))


@jax.jit
def _localize(voxels: Float[Array, "T H W"], mask: Bool[Array, "T H W"]) -> Localization:
    pixels = voxels.reshape(len(voxels), -1), mask.reshape(len(mask), -1)
    return Localization(
        pointing_game(voxels, mask),
        energy_inside(voxels, mask),
        frame_auc(*pixels),
        _mean_where_known(jax.vmap(localization_auc, in_axes=1)(*pixels)),
    )


@check_kinds
def pointing_game(saliency: SaliencyMap, mask: Mask) -> Float[Array, ""]:
    """1 if the most salient voxel lies on the actor, else 0; of several most salient ones the share that does.

    NaN if the mask is empty.

    Args:
      saliency: The map, (T', H, W).
      mask: The actor's pixels, (T, H, W).

    Raises:
      TypeError: As `localize`.
      ValueError: As `localize`.

    References:
      Zhang et al., "Top-down Neural Attention by Excitation Backprop", 2016, https://arxiv.org/abs/1608.00507
    """
    voxels, mask = aligned(saliency, mask)
    highest = voxels == voxels.max()
    return _where_any(mask, (highest & mask).sum(dtype=jnp.float32) / highest.sum(dtype=jnp.float32))


@check_kinds
def energy_inside(saliency: SaliencyMap, mask: Mask) -> Float[Array, ""]:
    """Share of the credit above the map's least value that lies on the actor; the actor's own share if there is none.

    NaN if the mask is empty.

    The energy-based pointing game on S - min S, since the zero of a RISE map has no meaning.

    Args:
      saliency: The map, (T', H, W).
      mask: The actor's pixels, (T, H, W).

    Raises:
      TypeError: As `localize`.
      ValueError: As `localize`.

    References:
      Wang et al., "Score-CAM", 2020, https://arxiv.org/abs/1910.01279
    """
    voxels, mask = aligned(saliency, mask)
    credit = voxels - voxels.min()
    credit = jnp.where(credit.max() > 0, credit, jnp.ones_like(credit))
    return _where_any(mask, jnp.where(mask, credit, 0).sum() / credit.sum())


def localization_auc(saliency: Float[AnyArray, " n"], inside: Bool[AnyArray, " n"]) -> Float[Array, ""]:
    """The chance that an element inside is more salient than one outside, an equal one counting half (ROC AUC).

    Args:
      saliency: Values, (n,).
      inside: Which elements are inside, (n,).

    Returns:
      In [0, 1]; NaN where all elements are inside, or none.
    """
    outside = jnp.sort(jnp.where(inside, jnp.inf, saliency))
    below = jnp.searchsorted(outside, saliency, side="left")
    up_to = jnp.searchsorted(outside, saliency, side="right")
    num_inside = inside.sum(dtype=jnp.float32)
    wins = jnp.where(inside, (below + up_to).astype(jnp.float32) / 2, 0)
    return wins.sum() / num_inside / (inside.size - num_inside)


@jax.jit
def frame_auc(saliency: Float[AnyArray, "T n"], inside: Bool[AnyArray, "T n"]) -> Float[Array, ""]:
    """`localization_auc` within each frame, mean over the frames in which it is known."""
    return _mean_where_known(jax.lax.map(lambda frame: localization_auc(*frame), (saliency, inside)))


def aligned(saliency: SaliencyMap, mask: Mask) -> tuple[Float[Array, "T H W"], Bool[Array, "T H W"]]:
    """The map with one slice a frame, after checking both."""
    check_unmasked("mask", mask)
    if not hasattr(mask, "ndim") or mask.dtype != bool:
        found = getattr(mask, "dtype", type(mask).__name__)
        raise TypeError(f"`mask` must be an array of True and False; got {found}.")
    if mask.ndim != 3 or 0 in mask.shape:
        raise ValueError(f"`mask` must have shape (T, H, W); got {mask.shape}.")
    if getattr(saliency, "ndim", 0) == 3 and saliency.shape[1:] != mask.shape[1:]:
        wanted = ", ".join(map(str, saliency.shape[1:]))
        raise ValueError(f"`mask` must have shape (T, {wanted}), as `saliency`; got {mask.shape}.")
    saliency = check_map(saliency, mask.shape)
    return jnp.repeat(jnp.asarray(saliency), mask.shape[0] // saliency.shape[0], axis=0), jnp.asarray(mask)


def _where_any(mask: Bool[Array, "T H W"], value: Float[Array, ""]) -> Float[Array, ""]:
    """The value; NaN if the mask is empty, for there is nothing to find."""
    return jnp.where(mask.any(), value, jnp.nan)


def _mean_where_known(values: Float[Array, " n"]) -> Float[Array, ""]:
    """The mean of the values that are not NaN; NaN if all are."""
    known = ~jnp.isnan(values)
    return jnp.where(known, values, 0).sum() / known.sum(dtype=jnp.float32)
