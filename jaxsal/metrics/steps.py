"""The order in which voxels go, and how many are gone at each step of a curve."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.types import AnyArray
from jaxsal.recipes import CurveOptions, Ties

_TIES_SEED = 20220821


def rank_maps(
    saliency: Float[AnyArray, "F *S Tm H W"], clip_shape: tuple[int, ...], options: CurveOptions
) -> tuple[Int[Array, "F ..."], Int[np.ndarray, " S"]]:
    """Of each map the rank of every element, (T', H, W) or (T, H, W, C); and how many elements each step changes.

    Elements of all spectra of a scene are ranked together, (S, T', H, W).
    """
    scalars = _ranks_scalars(clip_shape, saliency.shape[-3], options)
    ranks = _rank_each(jax.device_put(saliency), clip_shape if scalars else None, options.ties)
    size = math.prod(ranks.shape[1:])
    return ranks, step_counts(size, options, row=size // clip_shape[1])


@partial(jax.jit, static_argnums=(1, 2))
def _rank_each(
    saliency: Float[Array, "F *S Tm H W"], clip_shape: tuple[int, ...] | None, ties: Ties
) -> Int[Array, "F ..."]:
    """One map after the other, since a sort takes several times its memory."""
    spread = (lambda one: one) if clip_shape is None else partial(_each_scalar, clip_shape=clip_shape)
    return jax.lax.map(lambda one: rank(spread(one), ties), saliency)


def _each_scalar(saliency: Float[Array, "Tm H W"], clip_shape: tuple[int, ...]) -> Float[Array, "T H W C"]:
    """The map for every number of a clip."""
    repeats = clip_shape[0] // saliency.shape[0]
    return jnp.broadcast_to(jnp.repeat(saliency, repeats, axis=0)[..., None], clip_shape)


def count_steps(clip_shape: tuple[int, ...], num_slices: int, options: CurveOptions) -> int:
    """S, the scores of a curve of a clip (T, H, W, C) whose map has T' = `num_slices` frames."""
    scalars = _ranks_scalars(clip_shape, num_slices, options)
    num_elements = math.prod(clip_shape) if scalars else num_slices * math.prod(clip_shape[1:3])
    return len(step_counts(num_elements, options, row=num_elements // clip_shape[1]))


def _ranks_scalars(clip_shape: tuple[int, ...], num_slices: int, options: CurveOptions) -> bool:
    return options.unit == "scalar" or (options.unit == "auto" and num_slices < clip_shape[0])


def rank(saliency: Float[Array, "..."], ties: Ties = "random") -> Int[Array, "..."]:
    """The place of every element in descending order of saliency, 0 for the most salient.

    Args:
      saliency: Of any shape.
      ties: Order of equal elements: "random" is one fixed permutation for each size, "first" and "last" are
        raster order and its reverse.
    """
    flat = saliency.ravel()
    index = jnp.arange(flat.size, dtype=jnp.int32)
    second = {"first": index, "last": -index}.get(ties)
    if second is None:
        second = jax.random.bits(jax.random.key(_TIES_SEED, impl="threefry2x32"), flat.shape)
    *_, order = jax.lax.sort((-flat, second, index), num_keys=2, is_stable=True)
    return jnp.zeros_like(index).at[order].set(index, unique_indices=True).reshape(saliency.shape)


def step_counts(num_elements: int, options: CurveOptions, *, row: int) -> Int[np.ndarray, " S"]:
    """How many elements each step changes, from 0 to all of them.

    Args:
      num_elements: n.
      options: `num_steps`, `step_size` and `step_rounding` are read.
      row: Elements of one row of every mask frame, for the step size "row".
    """
    if options.step_size is not None:
        size = row if options.step_size == "row" else options.step_size
        return np.minimum(np.arange(-(-num_elements // size) + 1) * size, num_elements)
    last = options.num_steps - 1
    if options.step_rounding == "exact":
        return np.arange(options.num_steps) * num_elements // last
    # torch.linspace in float32: counted from both ends, each product and sum rounded once, then truncated
    step = float(np.float32(num_elements) / np.float32(last))
    index = np.arange(options.num_steps)
    position = np.where(index < options.num_steps // 2, step * index, num_elements - step * (last - index))
    return position.astype(np.float32).astype(np.int64)
