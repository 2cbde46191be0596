"""Shapley values of players that are regions of a clip: what each region adds to a score, averaged over all orders.

The worth of a coalition is a score of the clip whose other voxels are replaced; see `jaxsal.engine.coalitions`.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln

from jaxsal.engine.coalitions import every_coalition


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
    return ShapleyValues(np.array(values), np.zeros(num_players), np.array([values]))


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
    num_orders, num_players = orders.shape
    nobody, everybody = (np.full((num_orders, 1), worth) for worth in worths[:2])
    passed = worths[2:].reshape(num_orders, num_players - 1)
    added = np.diff(np.concatenate([nobody, passed, everybody], axis=1))
    of_players = np.take_along_axis(added, np.argsort(orders, axis=1), axis=1)
    pairs = of_players.reshape(-1, 2, num_players).mean(axis=1)
    return ShapleyValues(pairs.mean(axis=0), pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs)), pairs)
