"""When to stop: whether a ledger's masks settle the order of the most salient cells, and masks until they do."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.checks import check_number, check_positive
from jaxsal.core.types import AnyArray, ClipTree, ScoreFn, Target
from jaxsal.engine.class_scores import predicted_class, target_scores
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.targets import check_target
from jaxsal.recipes import ChunkSize
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.saliency.occlusion import block_axis

_CHUNK = 64


class Settled(NamedTuple):
    """How far the order of the most salient cells is settled.

    Attributes:
      cells: The K most salient cells of the map, best first, each (time, row, column); of a scene (spectrum, ...).
      p_values: Of each of them, how surely it is above all cells that follow, (K,).
      num_settled: How many of the first ones are in an order that holds with the wanted confidence.
      num_masks: Masks that were used.
    """

    cells: Int[np.ndarray, "K axes"]
    p_values: Float[np.ndarray, " K"]
    num_settled: int
    num_masks: int


def settled_order(samples: Float[np.ndarray, "N P"], top: int, level: float) -> tuple[np.ndarray, np.ndarray, int]:
    """The order of the K greatest means of P quantities, the p-value of each rank, and how many ranks are settled.

    Rank k is compared with every rank j behind it: t_kj = mean(d) sqrt(N) / std(d), d = x_k - x_j sample by sample, and
    p_k = max_j 2 (1 - Phi(t_kj)). Ranks are settled from the first on while p_k <= level. That the compared ranks were
    chosen from the same samples is allowed for: whatever the means, an order is settled wrongly in at most the share
    `level` of all runs, for many samples.

    References:
      Hung and Fithian, "Rank verification for exponential families", 2019, https://arxiv.org/abs/1610.03944; Goldwasser
      and Hooker, "Statistical Significance of Feature Importance Rankings", UAI 2025, https://arxiv.org/abs/2401.15800
    """
    from scipy.stats import norm  # half a second, which `import jaxsal` need not wait for

    means = samples.mean(axis=0)
    order = np.argsort(-means, kind="stable")
    p_values = []
    for rank, cell in enumerate(order[:top]):
        behind = order[rank + 1 :]
        errors = (samples[:, [cell]] - samples[:, behind]).std(axis=0, ddof=1) / np.sqrt(len(samples))
        differences = means[cell] - means[behind]
        t = np.divide(differences, errors, out=np.where(differences > 0, np.inf, 0.0), where=errors > 0)
        p_values.append(2 * norm.sf(t.min(initial=np.inf)))
    settled = np.cumprod(np.array(p_values) <= level).sum()
    return order[:top], np.array(p_values), int(settled)


def ledger_order(ledger: RiseLedger, target: Target = None, *, top: int = 5, level: float = 0.05) -> Settled:
    """How far the order of the most salient cells of RISE's grid is settled by a ledger's masks.

    The map's value in a cell is its mean there, by the estimator "centered".

    Args:
      ledger: The scores; its masks must be drawn independently.
      target: What the map explains, as for `RiseLedger.map`, a single class.
      top: K.
      level: The share of runs in which a settled order may be wrong, above 0 and below 1.

    Raises:
      TypeError: If an argument is of the wrong kind.
      ValueError: If one is not allowed, or the masks depend on each other.
    """
    check_positive("top", top)
    if not 0 < check_number("level", level) < 1:
        raise ValueError(f"`level` must be above 0 and below 1; got {level}.")
    if ledger.options.sampling != "independent":
        raise ValueError(f"`sampling` must be 'independent' for an order; got {ledger.options.sampling!r}.")
    logits = np.asarray(ledger.logits)
    explained = check_target(target, logits.shape[1], classes=ledger.classes, all_classes=False)
    if explained is None:
        explained = predicted_class(np.asarray(ledger.clip_logits), ledger.options.scores)
    assert not isinstance(explained, str)
    scores = np.asarray(target_scores(logits, explained, ledger.options.scores), np.float64)
    grid = ledger.options.grid_shape
    axes = [block_axis(size, count, None) for size, count in zip(ledger.shape[-3:], grid, strict=True)]
    means = [axis / axis.sum(axis=1, keepdims=True) for axis in axes]
    shape = (*ledger.shape[:-3], *(len(axis) for axis in axes))
    kept = np.concatenate([np.asarray(_cell_means(ledger.masks, part, means)) for part in _chunks(ledger.ids)])
    samples = (scores - scores.mean())[:, None] * kept[: len(scores)].reshape(len(scores), -1)
    order, p_values, settled = settled_order(samples / ledger.options.keep_prob, top, level)
    return Settled(np.stack(np.unravel_index(order, shape), axis=1), p_values, settled, len(scores))


def _chunks(ids: Int[np.ndarray, " N"]) -> list[Int[np.ndarray, " chunk"]]:
    """Ids a chunk at a time, the last one filled up."""
    return list(np.pad(ids, (0, -len(ids) % _CHUNK), mode="edge").reshape(-1, _CHUNK))


@jax.jit
def _cell_means(
    masks: MaskFamily, ids: Int[AnyArray, " chunk"], means: list[Float[AnyArray, "_ _"]]
) -> Float[Array, "chunk *S a b c"]:
    """The mean of each mask over each cell."""
    return jnp.einsum("n...thw,at,bh,cw->n...abc", jax.vmap(masks)(jnp.asarray(ids)), *means, precision="highest")


def settle(
    ledger: RiseLedger,
    score_fn: ScoreFn,
    clip: ClipTree,
    target: Target = None,
    *,
    top: int = 5,
    confidence: float = 0.95,
    most: int = 64_000,
    path: str | Path | None = None,
    chunk_size: ChunkSize = "auto",
) -> tuple[RiseLedger, Settled]:
    """Extends a ledger, twice as many masks at a time, until the order of the K most salient cells is settled.

    Look l takes the level (1 - confidence) / (l (l + 1)), so that all looks together are wrong in at most the share
    1 - confidence of runs. `num_settled` below K says that `most` masks did not suffice.

    Args:
      ledger: The scores to begin with.
      score_fn: The function that scored them.
      clip: The clip that they are of.
      target: What the map explains, as for `RiseLedger.map`, a single class.
      top: K.
      confidence: How sure the order must be, above 0 and below 1.
      most: Masks at most.
      path: Where to save the ledger as it grows, if anywhere.
      chunk_size: As for `jaxsal.rise_ledger`.

    Returns:
      The ledger, and how far the order is settled.

    Raises:
      TypeError: If an argument is of the wrong kind.
      ValueError: If one is not allowed, or the clip or the classifier is another one.
    """
    if not 0 < check_number("confidence", confidence) < 1:
        raise ValueError(f"`confidence` must be above 0 and below 1; got {confidence}.")
    check_positive("most", most)
    look = 1
    while True:
        found = ledger_order(ledger, target, top=top, level=(1 - confidence) / (look * (look + 1)))
        if found.num_settled == len(found.p_values) or len(ledger.ids) >= most:
            return ledger, found
        count, look = min(2 * len(ledger.ids), most), look + 1
        ledger = ledger.extend(score_fn, clip, count, path=path, chunk_size=chunk_size)


def split_half_reliability(ledger: RiseLedger, target: Target = None) -> float:
    """How well the two halves of a ledger's masks agree on the map: Pearson's r over voxels, for the whole ledger.

    r of the maps of the even and the odd masks, stepped up to all masks by Spearman and Brown: 2 r / (1 + r). 1 where
    more masks would change nothing, about 0 where the map is noise.

    Raises:
      ValueError: If the ledger holds fewer than four masks, or the target is not allowed.
    """
    if len(ledger.ids) < 4:
        raise ValueError(f"`ledger` must hold at least 4 masks; got {len(ledger.ids)}.")
    parts = [(ledger.ids[start::2], ledger.logits[start::2]) for start in (0, 1)]
    halves = [
        dataclasses.replace(ledger, ids=ids, logits=logits).map(target, estimator="centered") for ids, logits in parts
    ]
    flat = [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(half)]) for half in halves]
    correlation = float(np.corrcoef(flat[0], flat[1])[0, 1])
    return 2 * correlation / (1 + correlation)
