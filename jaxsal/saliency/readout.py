"""RISE's read-outs: a map and its standard error from the scores of the masks."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.special import softmax

from jaxsal.core.types import Target
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.requests import Scores
from jaxsal.engine.rise_masks import SUM_CHUNK, RiseMasks
from jaxsal.recipes import Estimator, ScoreKind

_CHUNK = 32
_BLOCK = 65_536  # masks whose scores are computed at once, so that no copy of all logits is made


def read_ledger(
    read_out: Callable[..., Array],
    held: Scores,
    num_used: int,
    target: Target,
    estimator: Estimator,
    scores: ScoreKind,
) -> Float[Array, "..."]:
    """A read-out of the first `num_used` masks, by one program for all numbers of masks in a power of two.

    Args:
      read_out: `rise_map`, `rise_stderr` or `rise_profile_stderr`.
      held: The scored masks.
      num_used: How many of them to use.
      target: The class; the predicted one if None; "all" for every class, as a leading axis.
      estimator: "mean" or "centered".
      scores: "probabilities" or "logits".
    """
    logits = np.asarray(held.logits)
    label: Any = np.argmax(held.clip_logits) if target is None else target
    of_one_class = not isinstance(target, str)
    length = SUM_CHUNK
    while length < num_used:
        length *= 2
    columns = slice(label, label + 1) if of_one_class else slice(None)
    weighed = np.zeros((length, 1 if of_one_class else logits.shape[1]), np.float32)
    for first in range(0, num_used, _BLOCK):
        rows = slice(first, min(first + _BLOCK, num_used))
        block = softmax(logits[rows], axis=1) if scores == "probabilities" else logits[rows]
        weighed[rows] = block[:, columns]
    ids = np.pad(held.ids[:num_used], (0, length - num_used))
    return _read(held.family, ids, weighed, np.int32(num_used), read_out, estimator, of_one_class)


@partial(jax.jit, static_argnums=(4, 5, 6))
def _read(
    masks: MaskFamily,
    ids: Any,
    scores: Any,
    num_used: Any,
    read_out: Callable[..., Array],
    estimator: Estimator,
    of_one_class: bool,
) -> Float[Array, "..."]:
    used = jnp.arange(len(ids), dtype=jnp.int32) < num_used
    maps = read_out(masks, ids, scores, used, estimator)
    return maps[0] if of_one_class else maps


@partial(jax.jit, static_argnums=(4,))
def rise_map(
    masks: RiseMasks,
    ids: Int[Array, " N"],
    scores: Float[Array, "N K"],
    used: Bool[Array, " N"],
    estimator: Estimator,
) -> Float[Array, "K Tm H W"]:
    """The RISE maps of all classes.

    "mean": S_c = 1 / (N p) sum_n w_nc M_n. "centered": S_c = m_c + 1 / ((N - 1) p) sum_n (w_nc - m_c) M_n with m_c
    the mean score. Both have expectation E[w_c | a voxel is kept] for binary masks; "centered" leaves out the
    noise m_c (mean M - p) / p, which is most of it where scores vary little.

    Args:
      masks: The masks' family, with p = `keep_prob`.
      ids: The numbers of the scored masks.
      scores: w, the masks' scores.
      used: Which of them to use.
      estimator: "mean" or "centered".
    """
    num_used = used.sum().astype(scores.dtype)
    weights, mean = _weights(scores, used, estimator)
    divisor = num_used if estimator == "mean" else jnp.maximum(num_used - 1, 1)
    sums = masks.weighted_sum(weights, ids)
    return mean[:, None, None, None] + sums / (divisor * masks.keep_prob)


@partial(jax.jit, static_argnums=(4,))
def rise_stderr(
    masks: RiseMasks,
    ids: Int[Array, " N"],
    scores: Float[Array, "N K"],
    used: Bool[Array, " N"],
    estimator: Estimator,
) -> Float[Array, "K Tm H W"]:
    """The standard error of `rise_map` at every voxel, over draws of the masks.

    std_n(w_nc M_n) / (p sqrt(N)), with w_nc - m_c in the place of w_nc for "centered"; NaN for a single mask. Masks
    are made again, one chunk at a time.
    """
    sums = _moments(masks, ids, scores, used, estimator, lambda mask: mask)
    return _stderr(*sums, used, masks)


@partial(jax.jit, static_argnums=(4,))
def rise_profile_stderr(
    masks: RiseMasks,
    ids: Int[Array, " N"],
    scores: Float[Array, "N K"],
    used: Bool[Array, " N"],
    estimator: Estimator,
) -> Float[Array, "K Tm"]:
    """The standard error of each frame's mean over `rise_map`, over draws of the masks.

    As `rise_stderr` with the mean of M_n over each frame in the place of M_n: voxels of a frame share masks, so their
    errors do not average out as independent ones would.
    """
    sums = _moments(masks, ids, scores, used, estimator, lambda mask: mask.mean(axis=(1, 2)))
    return _stderr(*sums, used, masks)


def _moments(
    masks: RiseMasks,
    ids: Any,
    scores: Float[Array, "N K"],
    used: Bool[Array, " N"],
    estimator: Estimator,
    reduce: Callable[[Array], Array],
) -> tuple[Float[Array, "K ..."], Float[Array, "K ..."]]:
    """sum_n w_n x_n and sum_n (w_n x_n)^2 of x_n = reduce(M_n), up to the last mask that is used."""
    weights, _ = _weights(scores, used, estimator)
    padding = -len(ids) % _CHUNK
    ids = jnp.pad(jnp.asarray(ids), (0, padding)).reshape(-1, _CHUNK)
    weights = jnp.pad(weights, ((0, padding), (0, 0))).reshape(-1, _CHUNK, weights.shape[1])
    last = jnp.where(used, jnp.arange(len(used), dtype=jnp.int32), -1).max()

    def add_chunk(chunk, sums):
        made = jax.vmap(lambda mask_id: reduce(masks(mask_id)))(ids[chunk])
        first = jnp.einsum("nk,n...->k...", weights[chunk], made, precision="highest")
        second = jnp.einsum("nk,n...->k...", weights[chunk] ** 2, made**2, precision="highest")
        return sums[0] + first, sums[1] + second

    shape = jax.eval_shape(lambda mask_id: reduce(masks(mask_id)), ids[0, 0]).shape
    zeros = jnp.zeros((scores.shape[1], *shape), scores.dtype)
    return jax.lax.fori_loop(0, last // _CHUNK + 1, add_chunk, (zeros, zeros))


def _stderr(
    first: Float[Array, "K ..."], second: Float[Array, "K ..."], used: Bool[Array, " N"], masks: RiseMasks
) -> Float[Array, "K ..."]:
    num_used = used.sum().astype(first.dtype)
    mean = first / num_used
    variance = jnp.maximum(second / num_used - mean**2, 0) * num_used / (num_used - 1)
    return jnp.sqrt(variance / num_used) / masks.keep_prob


def _weights(
    scores: Float[Array, "N K"], used: Bool[Array, " N"], estimator: Estimator
) -> tuple[Float[Array, "N K"], Float[Array, " K"]]:
    """What weighs each mask, 0 for those left out, and what is added to the map."""
    kept = used[:, None]
    mean = jnp.where(kept, scores, 0).sum(axis=0) / used.sum().astype(scores.dtype)
    if estimator == "mean":
        mean = jnp.zeros_like(mean)
    return jnp.where(kept, scores - mean, 0), mean
