"""Shapley values of players that are regions of a clip: what each region adds to a score, averaged over all orders.

The worth of a coalition is a score of the clip whose other voxels are replaced; see `jaxsal.engine.coalitions`. The
cells of a scene are players of two groups, its spectra, see `spectra_values`.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln

from jaxsal.core.types import Target
from jaxsal.engine.batch import REPLACED, UNTOUCHED, Batch
from jaxsal.engine.coalitions import (
    MAX_EXACT,
    Coalitions,
    along_orders,
    along_pairs,
    cells_of,
    draw_orders,
    every_coalition,
    half_places,
)
from jaxsal.engine.requests import Request, Scores
from jaxsal.recipes import METHODS
from jaxsal.recipes.further import ShapleyOptions
from jaxsal.saliency.method import Method
from jaxsal.saliency.readout import explained_scores


class ShapleyValues(NamedTuple):
    """Shapley values of P players, in the unit of the worth.

    Attributes:
      values: The mean of `samples`, (P,).
      stderr: Its standard error; 0 for exact values, (P,).
      samples: Independent unbiased estimates, (n, P).
    """

    values: Float[np.ndarray, " P"]
    stderr: Float[np.ndarray, " P"]
    samples: Float[np.ndarray, "n P"]

    @classmethod
    def of(cls, samples: Float[np.ndarray, "n P"]) -> "ShapleyValues":
        """The mean of some estimates; a single one is taken as exact."""
        num = len(samples)
        stderr = samples.std(axis=0, ddof=1) / np.sqrt(num) if num > 1 else np.zeros(samples.shape[1])
        return cls(samples.mean(axis=0), stderr, samples)


class SpectraValues(NamedTuple):
    """What the cells of two spectra add to a score; the cells of the first one come first.

    Attributes:
      alone: Beside nothing of the other spectrum.
      beside: Beside all of it.
      interactions: Of every cell of the first spectrum with every cell of the second, in raster order, as n^2 values;
        None where they were not sampled.
    """

    alone: ShapleyValues
    beside: ShapleyValues
    interactions: ShapleyValues | None

    @property
    def shared(self) -> ShapleyValues:
        """What each adds more, or less, for the other spectrum being there."""
        return ShapleyValues.of(self.beside.samples - self.alone.samples)

    @property
    def values(self) -> ShapleyValues:
        """The Owen values, the mean of both."""
        return ShapleyValues.of((self.alone.samples + self.beside.samples) / 2)


def exact_values(worths: Float[np.ndarray, " N"]) -> ShapleyValues:
    """phi_i = sum over S without i of |S|! (P - |S| - 1)! / P! (v(S + i) - v(S)).

    Args:
      worths: v of every coalition, in the order of `every_coalition`.
    """
    num_players = len(worths).bit_length() - 1
    sizes = every_coalition(num_players).sum(axis=1)
    numbers = np.arange(len(worths))
    values = []
    for player in range(num_players):
        without = numbers[numbers >> player & 1 == 0]
        size = sizes[without]
        weights = np.exp(gammaln(size + 1) + gammaln(num_players - size) - gammaln(num_players + 1))
        values.append(weights @ (worths[without | 1 << player] - worths[without]))
    return ShapleyValues.of(np.array([values]))


def sampled_values(orders: Int[np.ndarray, "R P"], worths: Float[np.ndarray, " N"]) -> ShapleyValues:
    """The mean over orders of what each player adds when it joins; the error from the spread of pairs of orders.

    The mean is unbiased, and its values sum to v(everybody) - v(nobody).

    Args:
      orders: Of `draw_orders`.
      worths: v of the coalitions of `along_orders`.

    References:
      Castro, Gómez, Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009,
      https://doi.org/10.1016/j.cor.2008.04.004; Mitchell et al., "Sampling Permutations for Shapley Value Estimation",
      2022, https://arxiv.org/abs/2104.12199 (reversed orders)
    """
    return ShapleyValues.of(added_values(orders, worths).reshape(-1, 2, orders.shape[1]).mean(axis=1))


def added_values(orders: Int[np.ndarray, "R P"], worths: Float[np.ndarray, " N"]) -> Float[np.ndarray, "R P"]:
    """What each player adds when it joins, order by order; arguments as of `sampled_values`."""
    num_orders, num_players = orders.shape
    nobody, everybody = (np.full((num_orders, 1), worth) for worth in worths[:2])
    passed = worths[2:].reshape(num_orders, num_players - 1)
    added = np.diff(np.concatenate([nobody, passed, everybody], axis=1))
    return np.take_along_axis(added, np.argsort(orders, axis=1), axis=1)


def spectra_values(worths: Float[np.ndarray, " N"], orders: Int[np.ndarray, "R P"] | None) -> SpectraValues:
    """The values of the cells of two spectra, each within its own.

    alone_i is the Shapley value of cell i in the game of its spectrum's cells, all of the other spectrum replaced;
    beside_i the same with all of the other spectrum there. So alone_i sums to v(IR) - v(nothing) over the infrared
    cells, and beside_i - alone_i over the cells of either spectrum to v(both) - v(IR) - v(TV) + v(nothing). Their mean
    is the Owen value, the Shapley value over orders in which the spectra come one after the other.

    interaction_ij is the mean of v(S + i, T + j) - v(S + i, T) - v(S, T + j) + v(S, T) over coalitions S of the first
    spectrum and T of the second, each weighed as for a Shapley value: what i and j add together beyond what each adds.
    Over j it sums to beside_i - alone_i.

    Args:
      worths: v of every coalition, or of those of `along_orders` or `along_pairs`.
      orders: Of `draw_orders` in two groups; None where every coalition was scored.

    References:
      Owen, "Values of Games with a Priori Unions", 1977, https://doi.org/10.1007/978-3-642-45494-3_7
    """
    if orders is None:
        return _exact_spectra(worths)
    size = orders.shape[1] // 2
    if len(worths) == len(orders) * (size + 1) ** 2:
        return _sampled_pairs(worths, orders)
    first = orders[:, :1] // size == np.arange(2 * size) // size  # of an order and its reverse one has it so
    added = added_values(orders, worths)
    samples = (np.where(chosen, added, 0).reshape(-1, 2, 2 * size).sum(axis=1) for chosen in (first, ~first))
    alone, beside = map(ShapleyValues.of, samples)
    return SpectraValues(alone, beside, None)


def _exact_spectra(worths: Float[np.ndarray, " N"]) -> SpectraValues:
    table = by_spectrum_pair(worths)
    sides = ((table[0], table[:, 0]), (table[-1], table[:, -1]))
    exact = [np.concatenate([exact_values(own).values for own in side])[None] for side in sides]
    rows = np.stack([exact_values(row).values for row in table])
    interactions = np.concatenate([exact_values(column).values for column in rows.T])[None]
    return SpectraValues(*map(ShapleyValues.of, (*exact, interactions)))


def _sampled_pairs(worths: Float[np.ndarray, " N"], orders: Int[np.ndarray, "R P"]) -> SpectraValues:
    """From the worths of `along_pairs`: differences along the sides of each order's table, and across it."""
    first, second = half_places(orders)
    num, size = first.shape
    table = worths.reshape(num, size + 1, size + 1)

    def side(end: int) -> Float[np.ndarray, "R P"]:
        along = ((np.diff(table[:, end]), first), (np.diff(table[:, :, end]), second))
        return np.concatenate([np.take_along_axis(added, places, axis=1) for added, places in along], axis=1)

    across = np.diff(np.diff(table, axis=1), axis=2)  # (order, when j joins, when i joins)
    of_cells = across[np.arange(num)[:, None, None], second[:, None, :], first[:, :, None]].reshape(num, -1)
    pairs = [own.reshape(num // 2, 2, -1).mean(axis=1) for own in (side(0), side(-1), of_cells)]
    return SpectraValues(*map(ShapleyValues.of, pairs))


def by_spectrum_pair(worths: Float[np.ndarray, " N"]) -> Float[np.ndarray, "n2 n1"]:
    """The worths of all coalitions, by the coalition of the second spectrum's cells and that of the first one's."""
    return worths.reshape(math.isqrt(len(worths)), -1)


def orders_of(options: ShapleyOptions, shape: tuple[int, ...], seed: int) -> Int[np.ndarray, "R P"] | None:
    """The orders that players join in; None where every coalition is scored."""
    num_players, num_groups = _num_players(options, shape), _num_groups(shape)
    if num_players <= MAX_EXACT and 2**num_players <= options.num_masks and num_groups <= 2:
        return None
    of_order = (num_players // 2 + 1) ** 2 if _in_pairs(options, shape) else num_players - 1
    return draw_orders(seed, max(options.num_masks // of_order // 2 * 2, 4), num_players, num_groups)


def _in_pairs(options: ShapleyOptions, shape: tuple[int, ...]) -> bool:
    return options.pairs and _num_groups(shape) == 2


def _num_players(options: ShapleyOptions, shape: tuple[int, ...]) -> int:
    return _num_groups(shape) * math.prod(options.grid_shape)


def _num_groups(shape: tuple[int, ...]) -> int:
    return shape[0] if len(shape) == 4 else 1


def restored(
    arrays: Mapping[str, np.ndarray], options: ShapleyOptions, shape: tuple[int, ...], seed: int
) -> Coalitions:
    """The masks, which options and seed determine: every coalition, or those along the orders."""
    orders = orders_of(options, shape, seed)
    if orders is None:
        members = every_coalition(_num_players(options, shape))
    else:
        members = along_pairs(orders) if _in_pairs(options, shape) else along_orders(orders)
    return Coalitions(cells_of(shape, options.grid_shape), members, orders)


def masks(
    batch: Batch, options: ShapleyOptions, shape: tuple[int, ...], seed: int
) -> tuple[list[Coalitions], list[Request]]:
    """The masks of all clips, the same for each; a coalition that several orders pass through is scored once."""
    family = restored({}, options, shape, seed)
    members = np.asarray(family.members)
    _, ids, places = np.unique(members, axis=0, return_index=True, return_inverse=True)
    kept = members[ids].sum(axis=1)
    ends = np.where(kept == 0, REPLACED, np.where(kept == members.shape[1], UNTOUCHED, 0))
    found = [Request(number, 0, ids.astype(np.int32), ends, places) for number in range(len(batch.originals))]
    return [family], found


def num_masks(options: ShapleyOptions, shape: tuple[int, ...], channels: int) -> int:
    """The coalitions of a clip, at most."""
    orders, num_players = orders_of(options, shape, 0), _num_players(options, shape)
    if orders is None:
        return 2**num_players
    return (
        len(orders) * (num_players // 2 + 1) ** 2 if _in_pairs(options, shape) else len(orders) * (num_players - 1) + 2
    )


def shapley_map(scores: Scores, target: Target, options: ShapleyOptions) -> Float[np.ndarray, "*K_S Tm H W"]:
    """S(v) = phi of the cell of voxel v: its Shapley value; of a scene in two spectra its Owen value.

    References:
      Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", 2017, https://arxiv.org/abs/1705.07874;
      Owen, "Values of Games with a Priori Unions", 1977, https://doi.org/10.1007/978-3-642-45494-3_7
    """
    family = scores.family
    assert isinstance(family, Coalitions)
    worths = explained_scores(scores, target, options.scores)[1].astype(np.float64)
    values = np.stack([cell_values(family, worth).values for worth in worths.T]).astype(np.float32)
    maps = values[:, np.asarray(family.players)]
    return maps if isinstance(target, str) else maps[0]


def cell_values(family: Coalitions, worths: Float[np.ndarray, " N"]) -> ShapleyValues:
    """The values of the cells of a clip, or of a scene."""
    players, orders = np.asarray(family.players), family.orders
    if players.ndim == 4 and len(players) == 2:
        return spectra_values(worths, None if orders is None else np.asarray(orders)).values
    return exact_values(worths) if orders is None else sampled_values(np.asarray(orders), worths)


METHOD = Method(
    "shapley",
    METHODS["shapley"],
    masks=masks,
    num_masks=num_masks,
    read_out=shapley_map,
    restored=restored,
    read_options=("scores",),
)
