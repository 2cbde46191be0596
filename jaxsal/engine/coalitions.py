"""Coalitions of players, which are regions of a clip: the masks that keep some of them, and which ones to score.

With few players every coalition is scored (`every_coalition`), with many those along random orders (`draw_orders`,
`along_orders`), or random ones by the kernel of KernelSHAP (`draw_coalitions`).
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxsal.core.types import AnyArray

MAX_EXACT = 16


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Coalitions:
    """Masks by coalition: mask n keeps the voxels of the players in coalition n.

    Attributes:
      players: The player that owns each voxel, 0 to P - 1, (Tm, H, W), or (S, Tm, H, W) of a scene.
      members: Which players coalition n has, (N, P).
      orders: Those that the coalitions lie along, see `along_orders`, (R, P); None where they lie along none.
    """

    players: Int[AnyArray, "*S Tm H W"]
    members: Bool[AnyArray, "N P"]
    orders: Int[AnyArray, "R P"] | None = None

    @property
    def num_masks(self) -> int:
        """N."""
        return self.members.shape[0]

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "*S Tm H W"]:
        """The mask of coalition `mask_id`."""
        return jnp.asarray(self.members)[mask_id][jnp.asarray(self.players)].astype(jnp.float32)


def cells_of(shape: tuple[int, ...], grid: tuple[int, int, int]) -> Int[np.ndarray, "*S T H W"]:
    """The number of the cell that each voxel is in; cells are of one size or differ by one voxel along an axis.

    Of a scene (S, T, H, W) each spectrum has cells of its own, those of the first one first.
    """
    time, row, column = (np.arange(size) * count // size for size, count in zip(shape[-3:], grid, strict=True))
    cells = (time[:, None, None] * grid[1] + row[:, None]) * grid[2] + column
    if len(shape) == 3:
        return cells
    return np.arange(shape[0])[:, None, None, None] * math.prod(grid) + cells


def every_coalition(num_players: int) -> Bool[np.ndarray, "N P"]:
    """All N = 2^P coalitions; player i is in coalition n if bit i of n is set.

    Raises:
      ValueError: If there are too many players to score every coalition.
    """
    if not 1 <= num_players <= MAX_EXACT:
        raise ValueError(f"`num_players` must be from 1 to {MAX_EXACT} for every coalition; got {num_players}.")
    return (np.arange(2**num_players)[:, None] >> np.arange(num_players) & 1).astype(bool)


def draw_orders(seed: int, num_orders: int, num_players: int, num_groups: int = 1) -> Int[np.ndarray, "R P"]:
    """R orders in which players join: random ones, each followed by its reverse, which halves most of the error.

    Args:
      seed: Of the orders.
      num_orders: R.
      num_players: P.
      num_groups: Groups of consecutive players, of one size, whose members join one right after the other; 1 leaves
        all orders possible.

    Raises:
      ValueError: If `num_orders` is odd or below 4, which leaves no standard error.
    """
    if num_orders < 4 or num_orders % 2:
        raise ValueError(f"`num_orders` must be even and at least 4; got {num_orders}.")
    rng = np.random.default_rng(seed)
    size = num_players // num_groups

    def draw() -> Int[np.ndarray, " P"]:
        groups = rng.permutation(num_groups) if num_groups > 1 else [0]
        return np.concatenate([group * size + rng.permutation(size) for group in groups])

    drawn = np.stack([draw() for _ in range(num_orders // 2)])
    return np.stack([drawn, drawn[:, ::-1]], axis=1).reshape(num_orders, num_players)


def along_orders(orders: Int[np.ndarray, "R P"]) -> Bool[np.ndarray, "N P"]:
    """The coalitions to score: nobody, everybody, then those that each order passes through, P - 1 of each."""
    num_players = orders.shape[1]
    places = np.argsort(orders, axis=1)
    passed = places[:, None, :] < np.arange(1, num_players)[:, None]
    ends = np.repeat([[False], [True]], num_players, axis=1)
    return np.concatenate([ends, passed.reshape(-1, num_players)])


def along_pairs(orders: Int[np.ndarray, "R P"]) -> Bool[np.ndarray, "N P"]:
    """The coalitions of the first b players of the second half and the first a of the first half, in either's order.

    Per order (n + 1)^2 of them for n = P / 2 players a half, a from 0 to n within b from 0 to n.
    """
    size = orders.shape[1] // 2
    joined = np.arange(size) < np.arange(size + 1)[:, None]  # by how many have joined, and place in the order
    first, second = (joined[:, places].transpose(1, 0, 2) for places in half_places(orders))
    shape = (len(orders), size + 1, size + 1, size)
    pairs = np.broadcast_to(first[:, None], shape), np.broadcast_to(second[:, :, None], shape)
    return np.concatenate(pairs, axis=-1).reshape(-1, 2 * size)


def half_places(orders: Int[np.ndarray, "R P"]) -> tuple[Int[np.ndarray, "R n"], Int[np.ndarray, "R n"]]:
    """When each player joins among those of its half, the first n players or the last n."""
    size = orders.shape[1] // 2
    first, second = (orders[half].reshape(-1, size) % size for half in (orders < size, orders >= size))
    return np.argsort(first, axis=1), np.argsort(second, axis=1)


def draw_coalitions(seed: int, num_coalitions: int, num_players: int) -> Bool[np.ndarray, "N P"]:
    """Random coalitions of 1 to P - 1 players, each followed by its complement, as KernelSHAP weighs them.

    A size s has the chance p(s) proportional to (P - 1) / (s (P - s)), and all coalitions of a size are as likely.
    Coalition n depends on (seed, n) alone.

    Raises:
      ValueError: If there is only one player.

    References:
      Covert and Lee, "Improving KernelSHAP: Practical Shapley Value Estimation Using Linear Regression", 2021,
      https://arxiv.org/abs/2012.01536
    """
    if num_players < 2:
        raise ValueError(f"`num_players` must be at least 2 for coalitions; got {num_players}.")
    sizes = np.arange(1, num_players)
    chances = 1 / (sizes * (num_players - sizes))
    limits = np.cumsum(chances) / chances.sum()

    def draw(number: int) -> Bool[np.ndarray, "2 P"]:
        rng = np.random.default_rng([seed, number])
        size = 1 + min(int(np.searchsorted(limits, rng.random(), side="right")), num_players - 2)
        chosen = rng.permutation(num_players) < size
        return np.stack([chosen, ~chosen])

    return np.concatenate([draw(number) for number in range(-(-num_coalitions // 2))])[:num_coalitions]
