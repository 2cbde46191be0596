"""Shapley values of players that are regions of a clip: what each region adds to a score, averaged over all orders.

The worth of a coalition is a score of the clip whose other voxels are replaced; `Coalitions` are the masks that score
it. With few players every coalition is scored (`every_coalition`, `exact_values`), with many those along random orders
(`draw_orders`, `along_orders`, `sampled_values`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.special import gammaln

from jaxsal.core.types import AnyArray

MAX_EXACT = 16


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Coalitions:
    """Masks by coalition: mask n keeps the voxels of the players in coalition n.

    Attributes:
      players: The player that owns each voxel, 0 to P - 1, (Tm, H, W).
      members: Which players coalition n has, (N, P).
    """

    players: Int[AnyArray, "Tm H W"]
    members: Bool[AnyArray, "N P"]

    @property
    def num_masks(self) -> int:
        """N."""
        return self.members.shape[0]

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "Tm H W"]:
        """The mask of coalition `mask_id`."""
        return jnp.asarray(self.members)[mask_id][self.players].astype(jnp.float32)


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


def every_coalition(num_players: int) -> Bool[np.ndarray, "N P"]:
    """All N = 2^P coalitions; player i is in coalition n if bit i of n is set.

    Raises:
      ValueError: If there are too many players to score every coalition.
    """
    if not 1 <= num_players <= MAX_EXACT:
        raise ValueError(f"`num_players` must be from 1 to {MAX_EXACT} for every coalition; got {num_players}.")
    return (np.arange(2**num_players)[:, None] >> np.arange(num_players) & 1).astype(bool)


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


def draw_orders(seed: int, num_orders: int, num_players: int) -> Int[np.ndarray, "R P"]:
    """R orders in which players join: random ones, each followed by its reverse, which halves most of the error.

    Raises:
      ValueError: If `num_orders` is odd or below 4, which leaves no standard error.
    """
    if num_orders < 4 or num_orders % 2:
        raise ValueError(f"`num_orders` must be even and at least 4; got {num_orders}.")
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.permutation(num_players) for _ in range(num_orders // 2)])
    return np.stack([drawn, drawn[:, ::-1]], axis=1).reshape(num_orders, num_players)


def along_orders(orders: Int[np.ndarray, "R P"]) -> Bool[np.ndarray, "N P"]:
    """The coalitions to score: nobody, everybody, then those that each order passes through, P - 1 of each."""
    num_players = orders.shape[1]
    places = np.argsort(orders, axis=1)
    passed = places[:, None, :] < np.arange(1, num_players)[:, None]
    ends = np.repeat([[False], [True]], num_players, axis=1)
    return np.concatenate([ends, passed.reshape(-1, num_players)])


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
