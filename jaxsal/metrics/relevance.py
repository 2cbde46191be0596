"""Where a map puts its relevance, against known pixels of the actor; NaN where no pixel is the actor's.

`jaxsal.metrics.localization` gives a map without evidence the value of chance; these follow their sources.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.ndimage import distance_transform_edt

from jaxsal.core.checks import check_number
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import SaliencyMap
from jaxsal.metrics.localization import Mask, aligned, pointing_game


@check_kinds
def relevance_mass_accuracy(saliency: SaliencyMap, mask: Mask) -> Float[Array, ""]:
    """Share of the positive relevance that lies on the actor; high is good.

    sum_{v in M} R(v) / sum_v R(v), R = max(S, 0), M the actor's voxels.

    Args:
      saliency: S, (T', H, W), T' divides T; a slice stands for all frames of its segment.
      mask: The actor's pixels, (T, H, W).

    Returns:
      In [0, 1]; NaN if the mask is empty or no relevance is positive.

    Raises:
      TypeError: As `jaxsal.metrics.localization.localize`.
      ValueError: As `jaxsal.metrics.localization.localize`.

    References:
      Arras et al., "CLEVR-XAI: A benchmark dataset for the ground truth evaluation of neural network explanations",
      2022, https://arxiv.org/abs/2003.07258
    """
    voxels, mask = aligned(saliency, mask)
    relevance = jnp.maximum(voxels, 0)
    share = jnp.where(mask, relevance, 0).sum() / relevance.sum()
    return jnp.where(mask.any(), share, jnp.nan)


@check_kinds
def relevance_rank_accuracy(saliency: SaliencyMap, mask: Mask) -> Float[Array, ""]:
    """Share of the K most salient voxels that lies on the actor, who covers K voxels; high is good.

    With P_K the K voxels of highest S, M the actor's, K = |M|: |P_K and M| / K. Of voxels as salient as the K-th, as
    many as P_K still lacks count by the share of them that lies on the actor, so that their order does not matter.

    Args:
      saliency: S, (T', H, W), T' divides T; a slice stands for all frames of its segment.
      mask: The actor's pixels, (T, H, W).

    Returns:
      In [0, 1]; NaN if the mask is empty.

    Raises:
      TypeError: As `jaxsal.metrics.localization.localize`.
      ValueError: As `jaxsal.metrics.localization.localize`.

    References:
      Arras et al., "CLEVR-XAI: A benchmark dataset for the ground truth evaluation of neural network explanations",
      2022, https://arxiv.org/abs/2003.07258
    """
    voxels, mask = aligned(saliency, mask)
    size = mask.sum()
    least = jnp.sort(voxels, axis=None)[jnp.minimum(voxels.size - size, voxels.size - 1)]
    above, level = voxels > least, voxels == least
    lacking = (size - above.sum()).astype(jnp.float32)
    inside, tied_inside, tied = (a.sum(dtype=jnp.float32) for a in (above & mask, level & mask, level))
    hits = inside + lacking * tied_inside / tied
    return jnp.where(size > 0, hits / size.astype(jnp.float32), jnp.nan)


@check_kinds
def pointing_within(saliency: SaliencyMap, mask: Mask, *, tolerance: float = 15.0) -> Float[Array, ""]:
    """1 if the most salient voxel lies at most `tolerance` pixels from the actor in its frame, else 0; high is good.

    Of several most salient voxels the share that does. TorchRay counts distances below 15 pixels, of larger frames
    than those of most clips.

    Args:
      saliency: The map, (T', H, W), T' divides T; a slice stands for all frames of its segment.
      mask: The actor's pixels, (T, H, W).
      tolerance: Euclidean distance in pixels, at least 0; 0 is `jaxsal.metrics.localization.pointing_game`.

    Returns:
      In [0, 1]; NaN if the mask is empty.

    Raises:
      TypeError: As `jaxsal.metrics.localization.localize`.
      ValueError: If the tolerance is negative, or as `jaxsal.metrics.localization.localize`.

    References:
      Zhang et al., "Top-down Neural Attention by Excitation Backprop", 2016, https://arxiv.org/abs/1608.00507; the
      tolerance as in TorchRay, Fong et al., 2019, https://arxiv.org/abs/1910.08485
    """
    if not check_number("tolerance", tolerance) >= 0:
        raise ValueError(f"`tolerance` must be at least 0; got {tolerance}.")
    voxels, mask = aligned(saliency, mask)
    near = np.stack([_within(frame, tolerance) for frame in np.asarray(mask)])
    return jnp.where(mask.any(), pointing_game(voxels, near), jnp.nan)


def _within(inside: Bool[np.ndarray, "H W"], tolerance: float) -> Bool[np.ndarray, "H W"]:
    """The pixels of a frame at most that far from those inside; none if nothing is inside."""
    return distance_transform_edt(~inside) <= tolerance if inside.any() else inside
