"""Shapley values of players that are regions of a clip: what each region adds to a score, averaged over all orders.

The worth of a coalition is a score of the clip whose other voxels are replaced; see `jaxsal.engine.coalitions`. The
cells of a scene are players of two groups, its spectra, see `spectra_values`.
"""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

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
)
from jaxsal.engine.requests import Request, Scores
from jaxsal.recipes import METHODS
from jaxsal.recipes.further import ShapleyOptions
from jaxsal.saliency.method import Method
from jaxsal.saliency.readout import explained_scores
from jaxsal.saliency.shapley_values import ShapleyValues, exact_values, sampled_values, spectra_values


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
