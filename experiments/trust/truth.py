"""The truth of a minimal pair: which space-time cells of a clip, swapped for those of its partner, change the answer.

The players are the cells in which the two clips differ most, and all other cells together as one player; the worth of
a coalition is the target's score of the partner that has the coalition's cells of the clip.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from jaxsal import score_masks
from jaxsal.core.types import Clip, ScoreFn
from jaxsal.engine.coalitions import Coalitions, along_orders, cells_of, draw_orders
from jaxsal.saliency.shapley_values import ShapleyValues, sampled_values

Grid = tuple[int, int, int]
Cells = Float[np.ndarray, " cells"]


class Truth(NamedTuple):
    """What the cells of a clip are worth against those of its partner.

    Attributes:
      values: The Shapley value of every cell, by game; a player's value is divided evenly among its cells.
      halves: The same from either half of the orders, which tells how much the drawn orders matter.
      reliability: Of each game, 1 - mean squared standard error / variance over the players: 1 without sampling noise.
      clip: The target's score of the clip, by game.
      partner: Of the partner.
    """

    values: dict[str, list[float]]
    halves: dict[str, list[list[float]]]
    reliability: dict[str, float]
    clip: dict[str, float]
    partner: dict[str, float]


def pool(saliency: Float[np.ndarray, "Tm H W"], grid: Grid) -> Cells:
    """The mean of a map over every cell."""
    cells = cells_of(saliency.shape, grid).ravel()
    return np.bincount(cells, np.asarray(saliency, np.float64).ravel()) / np.bincount(cells)


def swap_players(clip: Clip, partner: Clip, grid: Grid, num_players: int) -> Int[np.ndarray, " cells"]:
    """The player of every cell: one each for those that differ most, the last for all others together."""
    difference = pool(np.abs(np.asarray(clip) - np.asarray(partner)).mean(axis=-1), grid)
    places = rankdata(-difference, method="ordinal").astype(int) - 1
    return np.minimum(places, num_players - 1)


def swap_truth(
    score_fn: ScoreFn,
    clip: Clip,
    partner: Clip,
    target: int,
    *,
    grid: Grid,
    num_players: int,
    num_orders: int,
    seed: int,
    chunk_size: int,
) -> Truth:
    """The Shapley values of the cells of a clip that are swapped for those of its partner.

    Args:
      score_fn: Maps one clip to logits (K,).
      clip: The clip, (T, H, W, C).
      partner: What replaces its cells, of the same shape.
      target: The class whose score is the worth: its probability, and its log-odds.
      grid: Cells in time, height and width.
      num_players: P, the cells that are swapped by themselves and one player for all others.
      num_orders: R; orders in which players join, even.
      seed: Of the orders.
      chunk_size: Masks in memory at once; changes speed, not the result.
    """
    owners = swap_players(clip, partner, grid, num_players)
    orders = draw_orders(seed, num_orders, num_players)
    masks = Coalitions(owners[cells_of(clip.shape[:3], grid)], along_orders(orders))
    logits = np.asarray(score_masks(score_fn, clip, masks, baseline=partner, chunk_size=chunk_size), np.float64)
    worths = games(logits, target)
    found = {game: sampled_values(orders, worth) for game, worth in worths.items()}
    share = 1 / np.bincount(owners, minlength=num_players)

    def of_cells(values: Float[np.ndarray, " P"]) -> list[float]:
        return (values * share)[owners].tolist()

    return Truth(
        {game: of_cells(shapley.values) for game, shapley in found.items()},
        {game: [of_cells(shapley.samples[half::2].mean(axis=0)) for half in (0, 1)] for game, shapley in found.items()},
        {game: reliability(shapley) for game, shapley in found.items()},
        {game: float(worth[1]) for game, worth in worths.items()},
        {game: float(worth[0]) for game, worth in worths.items()},
    )


def games(logits: Float[np.ndarray, "N K"], target: int) -> dict[str, Float[np.ndarray, " N"]]:
    """The target's probability and its log-odds."""
    others = np.delete(logits, target, axis=1)
    odds = logits[:, target] - np.logaddexp.reduce(others, axis=1)
    return {"probability": 1 / (1 + np.exp(-odds)), "log-odds": odds}


def reliability(shapley: ShapleyValues) -> float:
    """The share of the variance over players that is not sampling noise."""
    return float(1 - np.mean(shapley.stderr**2) / np.var(shapley.values))


def agreement(cells: Cells, truth: Cells) -> float:
    """Spearman's rank correlation of a map's cells with the truth; 0 for a map that is the same everywhere."""
    ranks = rankdata(cells) - (len(cells) + 1) / 2
    true_ranks = rankdata(truth) - (len(cells) + 1) / 2
    norm = np.linalg.norm(ranks) * np.linalg.norm(true_ranks)
    return float(ranks @ true_ranks / norm) if norm > 0 else 0.0
