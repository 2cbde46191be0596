"""Max-sensitivity: how far a method's map can change where the clip hardly does."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray, PyTree

from jaxsal.core.checks import check_number, check_positive
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import ClipTree


@check_kinds
def max_sensitivity(
    key: PRNGKeyArray,
    explain: Callable[[Any], Any],
    clip: ClipTree,
    *,
    num_samples: int = 10,
    radius: float = 0.02,
) -> float:
    """The largest change of a map among clips within a radius, as a share of the map: low is good.

    max_n |S(x + e_n) - S(x)| / |S(x)|, Euclidean norms over voxels, e_n uniform in [-radius, radius] per value; x + e_n
    stays in [0, 1]. The method itself runs `num_samples` + 1 times, so a random one should have a fixed seed.

    Args:
      key: Random key; sample n depends on (key, n) alone.
      explain: Maps a clip to its saliency map, of one class, such as
        `partial(jaxsal.saliency_map, classifier, target=3, method="rise")`.
      clip: The clip, values in [0, 1]; or a scene, one clip for each spectrum by name.
      num_samples: Clips that are tried, at least 1; more find a larger maximum.
      radius: How far each value may move, above 0.

    Returns:
      At least 0; NaN where the map of the clip is 0.

    Raises:
      ValueError: If an option's value is not allowed.

    References:
      Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019, https://arxiv.org/abs/1901.09392
    """
    check_positive("num_samples", num_samples)
    if not check_number("radius", radius) > 0:
        raise ValueError(f"`radius` must be above 0; got {radius}.")
    own = _flat(explain(clip))
    changes = [change_of(own, _flat(explain(_moved(key, number, clip, radius)))) for number in range(num_samples)]
    return max(changes)


def change_of(own: np.ndarray, other: np.ndarray) -> float:
    """|other - own| / |own|, Euclidean norms; NaN where `own` is 0."""
    norm = float(np.linalg.norm(own))
    return float(np.linalg.norm(np.asarray(other) - own)) / norm if norm > 0 else np.nan


def _moved(key: PRNGKeyArray, number: int, clip: ClipTree, radius: float) -> Any:
    leaves, structure = jax.tree.flatten(clip)
    keys = jax.random.split(jax.random.fold_in(key, number), len(leaves))
    moved = [
        jnp.clip(leaf + jax.random.uniform(own, leaf.shape, minval=-radius, maxval=radius), 0, 1)
        for leaf, own in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(structure, moved)


def _flat(saliency: PyTree) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(saliency)]).astype(np.float64)
