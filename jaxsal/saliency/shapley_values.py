"""Shapley values of players from the worths of their coalitions, exact or sampled; Owen values of two groups."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln

from jaxsal.engine.coalitions import (
    every_coalition,
    half_places,
)


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
