"""RISE's masks read by a regression: what keeping a cell adds to the score, all other cells being as they are."""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxsal.engine.resample import stretch
from jaxsal.engine.rise_masks import SUM_CHUNK, RiseMasks

_PENALTIES = (-5.0, 2.0, 57)
"""Of lambda in units of the largest eigenvalue: exponents of the least and the greatest, and how many are tried."""


class Moments(NamedTuple):
    """Sums over the used masks of the features z - p and the scores minus their mean.

    Attributes:
      features: Their sum, (P,).
      squares: Of the products of features, (P, P).
      products: Of features and scores, (P, K).
      scores: Of the squared scores, (K,).
    """

    features: Float[Array, " P"]
    squares: Float[Array, "P P"]
    products: Float[Array, "P K"]
    scores: Float[Array, " K"]


def ridge_map(
    masks: RiseMasks, ids: Int[Array, " N"], scores: Float[Array, "N K"], used: Bool[Array, " N"]
) -> Float[Array, "K *S Tm H W"]:
    """The maps of a surrogate that is linear in the masks, fitted by ridge regression to the scores of all classes.

    w_n = b + sum_p beta_p z_np + error, with z_np = sum_v phi_p(v) M_n(v) / sum_v phi_p(v), phi_p the hat function of
    cell p of RISE's grid, laid over the clip; S(v) = sum_p beta_p phi_p(v). beta_p is what the score gains where cell p
    is kept rather than replaced. beta minimizes the squared errors plus lambda |beta|^2; lambda is, for each class, the
    one whose generalized cross-validation error N RSS / (N - 1 - tr H)^2 is least. LIME weighs masks by their distance
    to the clip, too; RISE's masks are all about as far.

    Args:
      masks: The masks' family.
      ids: The numbers of the scored masks.
      scores: w, the masks' scores.
      used: Which of them to use.

    References:
      Ribeiro et al., "Why Should I Trust You?", 2016, https://arxiv.org/abs/1602.04938; Garreau and Mardaoui, "What
      does LIME really see in images?", 2021, https://arxiv.org/abs/2102.06307; Golub, Heath, Wahba, "Generalized
      Cross-Validation", 1979
    """
    hats = [_hats(masks, axis) for axis in range(3)]
    moments = _moments(masks, hats, ids, scores, used)
    weights = _solve(moments, used.sum().astype(scores.dtype))
    cells = weights.T.reshape(-1, *masks.key.shape, *masks.padding.cells)
    return jnp.moveaxis(stretch(jnp.moveaxis(cells, (-3, -2, -1), (0, 1, 2)), hats), (0, 1, 2), (-3, -2, -1))


def _hats(masks: RiseMasks, axis: int) -> Float[Array, "size cells"]:
    """Phi along an axis, a column for each cell; 0 for cells that pad the family."""
    size, count = masks.shape[axis], jnp.asarray(masks.grid_shape)[axis].astype(jnp.float32)
    places = jnp.clip((np.arange(size, dtype=np.float32) + 0.5) * (count / size) - 0.5, 0, count - 1)
    cells = np.arange(masks.padding.cells[axis], dtype=np.float32)
    return jnp.where(cells < count, jnp.maximum(1 - jnp.abs(places[:, None] - cells), 0), 0)


def _moments(
    masks: RiseMasks, hats: list[Array], ids: Int[Array, " N"], scores: Float[Array, "N K"], used: Bool[Array, " N"]
) -> Moments:
    """Summed chunk by chunk; z is made in grid space, so that its cost does not depend on the clip's size."""
    means = [hat.T / jnp.maximum(hat.sum(axis=0), 1e-6)[:, None] for hat in hats]
    count, kept = used.sum().astype(scores.dtype), used[:, None]
    centred = jnp.where(kept, scores - jnp.where(kept, scores, 0).sum(axis=0) / count, 0)

    def features(mask_id: Int[Array, ""]) -> Float[Array, " P"]:
        def of_key(key: Array) -> Array:
            grid, offset = dataclasses.replace(masks, key=key).grid_and_offset(mask_id)
            windows = [
                mean @ jax.lax.dynamic_slice_in_dim(jnp.asarray(matrix), offset[axis], masks.shape[axis])
                for axis, (mean, matrix) in enumerate(zip(means, masks.matrices, strict=True))
            ]
            return stretch(grid.astype(jnp.float32), windows).ravel()

        return of_key(masks.key) if not masks.key.ndim else jax.vmap(of_key)(masks.key).ravel()

    def add_chunk(sums: Moments, chunk: tuple[Array, ...]) -> tuple[Moments, None]:
        chunk_ids, chunk_used, chunk_scores = chunk
        z = jnp.where(chunk_used[:, None], jax.vmap(features)(chunk_ids) - masks.keep_prob, 0)
        new = Moments(
            z.sum(axis=0),
            jnp.matmul(z.T, z, precision="highest"),
            jnp.matmul(z.T, chunk_scores, precision="highest"),
            (chunk_scores**2).sum(axis=0),
        )
        return jax.tree.map(jnp.add, sums, new), None

    padding = -len(ids) % SUM_CHUNK
    padded = [jnp.pad(rows, [(0, padding), *[(0, 0)] * (rows.ndim - 1)]) for rows in (ids, used, centred)]
    chunks = tuple(rows.reshape(-1, SUM_CHUNK, *rows.shape[1:]) for rows in padded)
    width = max(masks.key.size, 1) * math.prod(masks.padding.cells)
    zeros = [(width,), (width, width), (width, scores.shape[1]), (scores.shape[1],)]
    sums, _ = jax.lax.scan(add_chunk, Moments(*(jnp.zeros(shape, jnp.float32) for shape in zeros)), chunks)
    return sums._replace(squares=sums.squares - jnp.outer(sums.features, sums.features) / count)


def _solve(moments: Moments, count: Float[Array, ""]) -> Float[Array, "P K"]:
    """Beta of every class, each with the lambda of least generalized cross-validation error."""
    values, vectors = jnp.linalg.eigh(moments.squares)
    values = jnp.maximum(values, 0)
    rotated = jnp.matmul(vectors.T, moments.products, precision="highest")
    lambdas = values[-1] * jnp.logspace(*_PENALTIES)[:, None] + 1e-12
    shrunk = values + lambdas
    explained = (values + 2 * lambdas) / shrunk**2
    residual = moments.scores - jnp.matmul(explained, rotated**2, precision="highest")
    freedom = jnp.maximum(count - 1 - (values / shrunk).sum(axis=1), 1)
    error = jnp.maximum(residual, 1e-7 * moments.scores) / freedom[:, None] ** 2
    best = shrunk[error.argmin(axis=0)]
    return jnp.matmul(vectors, rotated / best.T, precision="highest")
