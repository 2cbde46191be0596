"""RISE's read-outs: a map and its standard error from the scores of the masks."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxsal.masks import RiseMasks
from jaxsal.recipes import Estimator

_CHUNK = 32


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
    num_used = used.sum().astype(scores.dtype)
    weights, _ = _weights(scores, used, estimator)
    padding = -len(ids) % _CHUNK
    ids = jnp.pad(ids, (0, padding)).reshape(-1, _CHUNK)
    weights = jnp.pad(weights, ((0, padding), (0, 0))).reshape(-1, _CHUNK, weights.shape[1])

    def add_chunk(sums, chunk):
        chunk_ids, chunk_weights = chunk
        made = jax.vmap(masks)(chunk_ids)
        first = jnp.einsum("nk,nthw->kthw", chunk_weights, made, precision="highest")
        second = jnp.einsum("nk,nthw->kthw", chunk_weights**2, made**2, precision="highest")
        return (sums[0] + first, sums[1] + second), None

    zeros = jnp.zeros((scores.shape[1], *masks.shape), scores.dtype)
    (first, second), _ = jax.lax.scan(add_chunk, (zeros, zeros), (ids, weights))
    mean = first / num_used
    variance = jnp.maximum(second / num_used - mean**2, 0) * num_used / (num_used - 1)
    return jnp.sqrt(variance / num_used) / masks.keep_prob


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
    num_used = used.sum().astype(scores.dtype)
    weights, _ = _weights(scores, used, estimator)
    frame_means = jax.lax.map(lambda mask_id: masks(mask_id).mean(axis=(1, 2)), ids, batch_size=_CHUNK)
    mean = jnp.einsum("nk,nt->kt", weights, frame_means, precision="highest") / num_used
    square = jnp.einsum("nk,nt->kt", weights**2, frame_means**2, precision="highest") / num_used
    variance = jnp.maximum(square - mean**2, 0) * num_used / (num_used - 1)
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
