"""RISE's read-outs: a map and its standard error from the scores of the masks."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxsal.core.types import AnyArray, Target
from jaxsal.engine.class_scores import class_scores, num_targets, predicted_class, target_scores
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.requests import Scores
from jaxsal.engine.rise_masks import SUM_CHUNK, RiseMasks
from jaxsal.recipes import Estimator, ScoreKind
from jaxsal.saliency.regression import ridge_map

_CHUNK = 32
_BLOCK = 65_536  # masks whose scores are computed at once, so that no copy of all logits is made


def explained_scores(
    scores: Scores, target: Target, kind: ScoreKind
) -> tuple[Float[np.ndarray, " C"], Float[np.ndarray, "N C"]]:
    """What is explained, of the untouched clip and under every mask.

    C is 1 for a class, the predicted one if None, and for a function of the logits; "all" gives every class.
    """
    rows = np.concatenate([np.asarray(scores.clip_logits)[None], np.asarray(scores.logits)])
    if isinstance(target, str):
        values = np.asarray(class_scores(rows, kind))
    else:
        explained = predicted_class(rows[0], kind) if target is None else target
        values = np.asarray(target_scores(rows, explained, kind))[:, None]
    return values[0], values[1:]


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
      target: The class, or a function of the logits; the predicted class if None; "all" for every class, as a leading
        axis.
      estimator: "mean" or "centered".
      scores: What to make of the logits, see `class_scores`.
    """
    logits = np.asarray(held.logits)
    of_one_class = not isinstance(target, str)
    length = SUM_CHUNK
    while length < num_used:
        length *= 2
    explained = predicted_class(np.asarray(held.clip_logits), scores) if target is None else target
    weighed = np.zeros((length, 1 if of_one_class else num_targets(logits.shape[1])), np.float32)
    for first in range(0, num_used, _BLOCK):
        rows = slice(first, min(first + _BLOCK, num_used))
        if isinstance(explained, str):
            weighed[rows] = class_scores(logits[rows], scores)
        else:
            weighed[rows, 0] = target_scores(logits[rows], explained, scores)
    ids = np.pad(held.ids[:num_used], (0, length - num_used))
    return _read(held.family, ids, weighed, num_used, read_out, estimator, of_one_class)


@partial(jax.jit, static_argnums=(4, 5, 6))
def _read(
    masks: MaskFamily,
    ids: Int[AnyArray, " N"],
    scores: Float[AnyArray, "N K"],
    num_used: int | Int[Array, ""],
    read_out: Callable[..., Array],
    estimator: Estimator,
    of_one_class: bool,
) -> Float[Array, "..."]:
    used = jnp.arange(len(ids), dtype=jnp.int32) < num_used
    maps = read_out(masks, ids, scores, used, estimator)
    return maps[0] if of_one_class else maps


def rise_map(
    masks: RiseMasks,
    ids: Int[Array, " N"],
    scores: Float[Array, "N K"],
    used: Bool[Array, " N"],
    estimator: Estimator,
) -> Float[Array, "K *S Tm H W"]:
    """The RISE maps of all classes; of a scene those of every spectrum.

    "mean": S_c = 1 / (N p) sum_n w_nc M_n. "centered": S_c = m_c + 1 / ((N - 1) p) sum_n (w_nc - m_c) M_n with m_c
    the mean score. Both have expectation E[w_c | a voxel is kept] for binary masks; "centered" leaves out the
    noise m_c (mean M - p) / p, which is most of it where scores vary little. "ridge": see `ridge_map`.

    Args:
      masks: The masks' family, with p = `keep_prob`.
      ids: The numbers of the scored masks.
      scores: w, the masks' scores.
      used: Which of them to use.
      estimator: "mean", "centered" or "ridge".
    """
    if estimator == "ridge":
        return ridge_map(masks, ids, scores, used)
    num_used = used.sum().astype(scores.dtype)
    weights, mean = _weights(scores, used, estimator)
    divisor = num_used if estimator == "mean" else jnp.maximum(num_used - 1, 1)
    sums = masks.weighted_sum(weights, ids)
    return mean.reshape(-1, *(1,) * (sums.ndim - 1)) + sums / (divisor * masks.keep_prob)


def rise_stderr(
    masks: RiseMasks,
    ids: Int[Array, " N"],
    scores: Float[Array, "N K"],
    used: Bool[Array, " N"],
    estimator: Estimator,
    reduce: Callable[[Array], Array] = lambda mask: mask,
) -> Float[Array, "K ..."]:
    """The standard error, over draws of the masks, of `rise_map`, or of what `reduce` makes of it; both are linear.

    std_n(w_nc x_n) / (p sqrt(N)) with x_n = reduce(M_n), and w_nc - m_c in the place of w_nc for "centered"; NaN for a
    single mask. Masks are made again, one chunk at a time, up to the last one that is used.
    """
    weights, _ = _weights(scores, used, estimator)
    padding = -len(ids) % _CHUNK
    ids = jnp.pad(ids, (0, padding)).reshape(-1, _CHUNK)
    weights = jnp.pad(weights, ((0, padding), (0, 0))).reshape(-1, _CHUNK, weights.shape[1])
    last = jnp.where(used, jnp.arange(len(used), dtype=jnp.int32), -1).max()

    def add_chunk(chunk, sums):
        made = jax.vmap(lambda mask_id: reduce(masks(mask_id)))(ids[chunk])
        first = jnp.einsum("nk,n...->k...", weights[chunk], made, precision="highest")
        second = jnp.einsum("nk,n...->k...", weights[chunk] ** 2, made**2, precision="highest")
        return sums[0] + first, sums[1] + second

    shape = jax.eval_shape(lambda mask_id: reduce(masks(mask_id)), ids[0, 0]).shape
    zeros = jnp.zeros((scores.shape[1], *shape), scores.dtype)
    first, second = jax.lax.fori_loop(0, last // _CHUNK + 1, add_chunk, (zeros, zeros))
    num_used = used.sum().astype(first.dtype)
    mean = first / num_used
    variance = jnp.maximum(second / num_used - mean**2, 0) * num_used / (num_used - 1)
    return jnp.sqrt(variance / num_used) / masks.keep_prob


rise_profile_stderr = partial(rise_stderr, reduce=lambda mask: mask.mean(axis=(-2, -1)))
"""That of each frame's mean: voxels of a frame share masks, so their errors do not average out as independent ones."""
rise_contrast_stderr = partial(
    rise_stderr, reduce=lambda mask: mask.mean(axis=(-2, -1)) - mask.mean(axis=(-3, -2, -1))[..., None]
)
"""That of each frame's mean minus the mean over frames: what all frames share, most of their error, drops out."""


def _weights(
    scores: Float[Array, "N K"], used: Bool[Array, " N"], estimator: Estimator
) -> tuple[Float[Array, "N K"], Float[Array, " K"]]:
    """What weighs each mask, 0 for those left out, and what is added to the map."""
    kept = used[:, None]
    mean = jnp.where(kept, scores, 0).sum(axis=0) / used.sum().astype(scores.dtype)
    if estimator == "mean":
        mean = jnp.zeros_like(mean)
    return jnp.where(kept, scores - mean, 0), mean
