"""The order of the most salient cells of RISE's grid, and whether the scored masks settle it."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.types import AnyArray, Contrast, LogitFn
from jaxsal.engine.grids import block_axis
from jaxsal.engine.requests import Scores
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.recipes import SETTLED, RiseOptions, ScoreKind
from jaxsal.saliency.readout import explained_scores

FIRST_LOOK = 250
_CHUNK = 64

Explained = int | Int[AnyArray, ""] | LogitFn | Contrast | None
"""A single class, or a function of the logits; the predicted class if None."""


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

    @property
    def all_settled(self) -> bool:
        """Whether the order of all K cells is settled."""
        return self.num_settled == len(self.p_values)

    def record(self) -> dict[str, object]:
        """The fields, of kinds that JSON has."""
        lists = dict(cells=self.cells.tolist(), p_values=self.p_values.tolist())
        return self._asdict() | lists

    def __str__(self) -> str:
        return f"{self.num_settled} of the {len(self.p_values)} most salient cells settled by {self.num_masks:,} masks"


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


def looks(first: int, most: int) -> Iterator[int]:
    """Numbers of masks after which a run asks whether it has enough: each twice the last one, up to `most`."""
    count = min(first, most)
    while count < most:
        yield count
        count = min(2 * count, most)
    yield most


def order_of_looks(
    read: Callable[[int], Scores], counts: Iterable[int], explained: Explained, kind: ScoreKind, options: RiseOptions
) -> Settled:
    """The order after the first number of masks that settles it, or after the last number.

    Look l takes the level (1 - confidence) / (l (l + 1)), so that all looks together are wrong in at most the share
    1 - confidence of runs.

    Args:
      read: The scores of at least that many masks.
      counts: Numbers of masks, ascending.
      explained: What the map explains.
      kind: Of the scores.
      options: With `settled_cells` and `confidence`.
    """
    found = None
    for look, count in enumerate(counts, start=1):
        level = (1 - options.confidence) / (look * (look + 1))
        found = order_after(read(count), count, explained, kind, options.settled_cells, level)
        if found.all_settled:
            break
    assert found is not None
    return found


def order_after(
    scores: Scores, num_masks: int, explained: Explained, kind: ScoreKind, top: int, level: float
) -> Settled:
    """The order of the K most salient cells after a number of masks, see `settled_order`."""
    samples, shape = cell_samples(scores, num_masks, explained, kind)
    order, p_values, settled = settled_order(samples, top, level)
    return Settled(np.stack(np.unravel_index(order, shape), axis=1), p_values, settled, num_masks)


def settled_so_far(scores: Scores, explained: Explained | str, options: RiseOptions) -> Settled | None:
    """The order that the looks at some scores of a run with `num_masks="settled"` settle; None for a given number.

    Raises:
      ValueError: If every class is explained at once, whose orders are settled by different masks.
    """
    if options.num_masks != SETTLED:
        return None
    if isinstance(explained, str):
        raise ValueError(f"`target` must be a single class with num_masks 'settled'; got {explained!r}.")
    counts = [count for count in looks(FIRST_LOOK, options.most_masks) if count <= len(scores.ids)]
    return order_of_looks(lambda count: scores, counts, explained, options.scores, options)


def cell_samples(
    scores: Scores, num_masks: int, explained: Explained, kind: ScoreKind
) -> tuple[Float[np.ndarray, "N P"], tuple[int, ...]]:
    """What each mask adds to RISE's map in each cell of its grid, x_np = (w_n - mean w) mean of M_n in p / keep_prob.

    Its mean over masks is the map's mean in the cell, by the estimator "centered" and but for a constant.

    Returns:
      The samples, and the shape of the cells; of a scene with the spectra first.
    """
    family = scores.family
    assert isinstance(family, RiseMasks)
    held = scores._replace(ids=scores.ids[:num_masks], logits=scores.logits[:num_masks])
    weights = explained_scores(held, explained, kind)[1][:, 0].astype(np.float64)
    axes = grid_axes(family)
    pools = [axis / axis.sum(axis=1, keepdims=True) for axis in axes]
    ids = np.pad(held.ids, (0, -num_masks % _CHUNK), mode="edge").reshape(-1, _CHUNK)
    kept = np.concatenate([np.asarray(_cell_means(family, part, pools)) for part in ids])[:num_masks]
    samples = (weights - weights.mean())[:, None] * kept.reshape(num_masks, -1)
    return samples / float(family.keep_prob), kept.shape[1:]


def grid_axes(family: RiseMasks) -> list[Float[np.ndarray, "_ _"]]:
    """By axis, which voxels each cell of RISE's grid covers."""
    counts = np.asarray(family.grid_shape).tolist()
    return [block_axis(size, count, None) for size, count in zip(family.shape, counts, strict=True)]


@jax.jit
def _cell_means(
    masks: RiseMasks, ids: Int[AnyArray, " chunk"], pools: list[Float[AnyArray, "_ _"]]
) -> Float[Array, "chunk *S a b c"]:
    """The mean of each mask over each cell."""
    return jax.vmap(partial(masks.pooled, pools=pools))(jnp.asarray(ids))
