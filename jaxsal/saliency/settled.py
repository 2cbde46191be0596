"""When to stop: whether a ledger's masks settle the order of the most salient cells, and masks until they do."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from jaxsal.core.checks import check_number, check_positive
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import ClipTree, ScoreFn, Target
from jaxsal.engine.requests import Scores
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.spectra import by_spectrum, in_a_row
from jaxsal.engine.targets import check_target
from jaxsal.recipes import ChunkSize, RiseOptions
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.saliency.order import (
    Explained,
    Settled as Settled,
    cell_samples,
    grid_axes,
    looks,
    order_after,
    order_of_looks,
    settled_order as settled_order,
)


@check_kinds
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
    _check_level(level)
    explained = _single(ledger, target)
    return order_after(_held(ledger), len(ledger.ids), explained, ledger.options.scores, top, level)


@check_kinds
def undecided(
    ledger: RiseLedger, target: Target = None, *, level: float = 0.05
) -> Bool[np.ndarray, "Tm H W"] | dict[str, Bool[np.ndarray, "Tm H W"]]:
    """Where a ledger's masks do not tell whether the map is above or below its own mean.

    Each cell p of RISE's grid is tested for x_p - mean_q x_q = 0, by Bonferroni's correction over all cells.

    Args:
      ledger: The scores; its masks must be drawn independently.
      target: What the map explains, as for `RiseLedger.map`, a single class.
      level: The share of runs in which any cell may be decided wrongly, above 0 and below 1.

    Returns:
      True at the voxels of undecided cells, (T', H, W); of a scene one for each spectrum by name.

    Raises:
      ValueError: As `ledger_order`.
    """
    from scipy.stats import norm

    _check_level(level)
    held = _held(ledger)
    samples, shape = cell_samples(held, len(ledger.ids), _single(ledger, target), ledger.options.scores)
    relative = samples - samples.mean(axis=1, keepdims=True)
    means, errors = np.abs(relative.mean(axis=0)), relative.std(axis=0, ddof=1) / np.sqrt(len(relative))
    t = np.divide(means, errors, out=np.where(means > 0, np.inf, 0.0), where=errors > 0)
    unsure = (2 * norm.sf(t) * len(t) > level).reshape(shape).astype(np.float32)
    assert isinstance(held.family, RiseMasks)
    covered = np.einsum("...abc,at,bh,cw->...thw", unsure, *grid_axes(held.family), optimize=True)
    return by_spectrum(covered > 0, ledger.spectra)


@check_kinds
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

    All looks together are wrong in at most the share 1 - confidence of runs, see `order_of_looks`. `num_settled` below
    K says that `most` masks did not suffice.

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
    check_positive("top", top)
    check_positive("most", most)
    options = dataclasses.replace(ledger.options, settled_cells=top, confidence=confidence)

    def extend(begun: RiseLedger, count: int) -> RiseLedger:
        return begun.extend(score_fn, clip, count, path=path, chunk_size=chunk_size)

    begun = len(ledger.ids)
    return grow_until_settled(ledger, target, options, looks(begun, max(most, begun)), extend)


def grow_until_settled(
    ledger: RiseLedger,
    target: Target,
    options: RiseOptions,
    counts: Iterable[int],
    extend: Callable[[RiseLedger, int], RiseLedger],
) -> tuple[RiseLedger, Settled]:
    """A ledger with the first number of masks that settles the order, or the last number, and how far it is settled.

    Args:
      ledger: The scores to begin with.
      target: What the map explains, a single class.
      options: With `settled_cells` and `confidence`.
      counts: Numbers of masks, ascending.
      extend: Gives a ledger at least that many masks.

    Raises:
      ValueError: If `target` is not a single class, or the masks depend on each other.
    """
    explained, grown = _single(ledger, target), [ledger]

    def read(count: int) -> Scores:
        if len(grown[0].ids) < count:
            grown[0] = extend(grown[0], count)
        return _held(grown[0])

    found = order_of_looks(read, counts, explained, options.scores, options)
    return grown[0], found


def _check_level(level: float) -> None:
    if not 0 < check_number("level", level) < 1:
        raise ValueError(f"`level` must be above 0 and below 1; got {level}.")


def _held(ledger: RiseLedger) -> Scores:
    """The scores of a ledger whose masks are independent."""
    if ledger.options.sampling != "independent":
        raise ValueError(f"`sampling` must be 'independent' for an order; got {ledger.options.sampling!r}.")
    return ledger.scores


def _single(ledger: RiseLedger, target: Target) -> Explained:
    """What a map of a single class explains."""
    explained = check_target(target, ledger.logits.shape[1], classes=ledger.classes, all_classes=False)
    assert not isinstance(explained, str)
    return explained


def split_half_reliability(ledger: RiseLedger, target: Target = None) -> float:
    """How well the two halves of a ledger's masks agree on the map: Pearson's r over voxels, for the whole ledger.

    r of the maps of the even and the odd masks, stepped up to all masks by Spearman and Brown: 2 r / (1 + r). 1 where
    more masks would change nothing, about 0 where the map is noise, 0 where the halves contradict each other.

    Raises:
      ValueError: If the ledger holds fewer than four masks, or the target is not allowed.
    """
    if len(ledger.ids) < 4:
        raise ValueError(f"`ledger` must hold at least 4 masks; got {len(ledger.ids)}.")
    parts = [(ledger.ids[start::2], ledger.logits[start::2]) for start in (0, 1)]
    halves = [
        dataclasses.replace(ledger, ids=ids, logits=logits).map(target, estimator="centered") for ids, logits in parts
    ]
    flat = [in_a_row(half) for half in halves]
    return stepped_up(float(np.corrcoef(flat[0], flat[1])[0, 1]))


def stepped_up(correlation: float) -> float:
    """The reliability of a whole by the correlation r of its halves, 2 r / (1 + r) (Spearman and Brown); 0 if r < 0."""
    correlation = max(0.0, correlation)
    return 2 * correlation / (1 + correlation)
