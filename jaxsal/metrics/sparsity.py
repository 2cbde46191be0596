"""How few voxels hold the credit of a saliency map: Gini index and entropy, which need no forward pass."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float

from jaxsal.core.types import AnyArray, OneTarget
from jaxsal.engine.batch import Batch
from jaxsal.metrics.measure import Measure, Measured
from jaxsal.recipes import measure_sign
from jaxsal.recipes.measuring import SparsityOptions as SparsityOptions


def gini(credit: Float[AnyArray, "*shape"]) -> float:
    """The Gini index of n amounts of credit: 0 if all are equal, 1 - 1/n if one voxel holds everything.

    G = sum_i (2i - n - 1) c_i / (n sum_i c_i), c_1 <= ... <= c_n.

    Args:
      credit: The amounts, at least 0, of any shape.

    Returns:
      In [0, 1); 0 where there is no credit.

    References:
      Chalasani et al., "Concise Explanations of Neural Networks using Adversarial Training", 2018,
      https://arxiv.org/abs/1810.06583
    """
    amounts = np.sort(np.asarray(credit, np.float64), axis=None)
    total, count = amounts.sum(), amounts.size
    return float((2 * np.arange(1, count + 1) - count - 1) @ amounts / (count * total)) if total > 0 else 0.0


def entropy(credit: Float[AnyArray, "*shape"]) -> float:
    """The entropy of n amounts of credit, in nats: log n if all are equal, 0 if one voxel holds everything.

    H = -sum_i q_i log q_i, q_i = c_i / sum_j c_j.

    Args:
      credit: The amounts, at least 0, of any shape.

    Returns:
      In [0, log n]; log n where there is no credit, since no voxel has more than another.

    References:
      Bhatt et al., "Evaluating and Aggregating Feature-based Model Explanations", 2020,
      https://arxiv.org/abs/2005.00631
    """
    amounts = np.asarray(credit, np.float64).ravel()
    if not amounts.any():
        return float(np.log(amounts.size))
    shares = amounts[amounts > 0] / amounts.sum()
    return float(np.log(1 / shares) @ shares)


def _measure(
    batch: Batch,
    owners: Sequence[int],
    maps: Float[AnyArray, "F *S Tm H W"],
    classes: Sequence[OneTarget],
    options: SparsityOptions,
    chunk_size: int,
    *,
    index: Callable[[AnyArray], float],
) -> list[Measured]:
    own = [np.asarray(saliency) for saliency in maps[: len(owners)]]
    above_least = options.credit == "above_least"
    return [Measured(index(saliency - saliency.min() if above_least else np.abs(saliency))) for saliency in own]


GINI = Measure("gini", measure_sign("gini"), partial(_measure, index=gini))
ENTROPY = Measure("entropy", measure_sign("entropy"), partial(_measure, index=entropy))
