"""KernelSHAP: Shapley values of the cells of a clip, by a regression on random coalitions."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from jaxsal.core.types import Target
from jaxsal.engine.batch import REPLACED, Batch
from jaxsal.engine.coalitions import Coalitions, cells_of, draw_coalitions
from jaxsal.engine.requests import Request, Scores
from jaxsal.recipes import METHODS
from jaxsal.recipes.further import KernelShapOptions
from jaxsal.saliency.method import Method
from jaxsal.saliency.readout import explained_scores


def restored(
    arrays: Mapping[str, np.ndarray], options: KernelShapOptions, shape: tuple[int, ...], seed: int
) -> Coalitions:
    """The masks, which options and seed determine: nobody, then N random coalitions of 1 to P - 1 cells."""
    players = cells_of(shape, options.grid_shape)
    drawn = draw_coalitions(seed, options.num_masks, int(players.max()) + 1)
    return Coalitions(players, np.concatenate([np.zeros_like(drawn[:1]), drawn]))


def masks(
    batch: Batch, options: KernelShapOptions, shape: tuple[int, ...], seed: int
) -> tuple[list[Coalitions], list[Request]]:
    """The masks of all clips, the same for each; what nobody is worth is known of a clip that is fully replaced."""
    family = restored({}, options, shape, seed)
    ids = np.arange(family.num_masks, dtype=np.int32)
    ends = np.where(ids == 0, REPLACED, 0)
    return [family], [Request(number, 0, ids, ends) for number in range(len(batch.originals))]


def kernelshap_map(scores: Scores, target: Target, options: KernelShapOptions) -> Float[np.ndarray, "*K_S Tm H W"]:
    """S(v) = phi of the cell of voxel v: its Shapley value, in the unit of the score.

    phi minimizes sum_n (w(C_n) - w(nobody) - sum over i in C_n of phi_i)^2 over values that sum to w(everybody) -
    w(nobody), with w(C) the score of the clip whose cells outside of C are replaced. The C_n are drawn as the Shapley
    kernel weighs coalitions, so that none needs a weight. Of a score that is a sum over cells phi is exact.

    References:
      Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", 2017,
      https://arxiv.org/abs/1705.07874; Covert and Lee, 2021, https://arxiv.org/abs/2012.01536
    """
    family = scores.family
    assert isinstance(family, Coalitions)
    everybody, rows = explained_scores(scores, target, options.scores)
    worths = rows[scores.ids <= options.num_masks]
    nobody, members = worths[0], np.asarray(family.members)[1 : len(worths)]
    values = constrained_values(members, worths[1:] - nobody, everybody - nobody)
    maps = np.moveaxis(values[np.asarray(family.players)], -1, 0)
    return maps if isinstance(target, str) else maps[0]


def constrained_values(
    members: Bool[np.ndarray, "N P"], gains: Float[np.ndarray, "N K"], total: Float[np.ndarray, " K"]
) -> Float[np.ndarray, "P K"]:
    """The values that sum to `total` and explain what coalitions gain with the least squared error.

    phi = total / P + u with u of sum 0; of several that explain the gains as well, the one of least |u|.
    """
    num_players = members.shape[1]
    kept = members.astype(np.float64)
    centred = kept - kept.mean(axis=1, keepdims=True)  # takes out what all players share
    left = np.asarray(gains, np.float64) - kept.mean(axis=1)[:, None] * total
    differences = np.linalg.pinv(centred.T @ centred, hermitian=True) @ (centred.T @ left)
    return (total / num_players + differences).astype(np.float32)


METHOD = Method(
    "kernelshap",
    METHODS["kernelshap"],
    masks=masks,
    num_masks=lambda options, shape, channels: options.num_masks + 1,
    read_out=kernelshap_map,
    restored=restored,
    read_options=("num_masks", "scores"),
)
