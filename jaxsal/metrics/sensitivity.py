"""Max-sensitivity: how far a method's map can change where the clip hardly does."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from jaxsal.core.checks import check_number, check_positive
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import ClipTree
from jaxsal.engine.spectra import in_a_row
from jaxsal.metrics.noise import noisy


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

    def draw(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
        return jax.random.uniform(key, shape, minval=-radius, maxval=radius)

    def values(clip: ClipTree) -> np.ndarray:
        return in_a_row(explain(clip)).astype(np.float64)

    own = values(clip)
    return max(change_of(own, values(noisy(key, number, clip, draw))) for number in range(num_samples))


def change_of(own: np.ndarray, other: np.ndarray) -> float:
    """|other - own| / |own|, Euclidean norms; NaN where `own` is 0."""
    norm = float(np.linalg.norm(own))
    return float(np.linalg.norm(np.asarray(other) - own)) / norm if norm > 0 else np.nan
