"""How much of PAN's work on masked clips is work that was done already: segments that an earlier mask cut alike.

A segment of a masked clip that equals the clean clip's, the baseline's or that of an earlier mask need not be computed
again, up to the first layer that looks at other segments. In PAN that is the first block of the backbone, whose
residual branch takes channels from the segments beside it: what could be saved is the share of such segments times the
share of the layers before.
"""

from hashlib import sha256
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal.engine.masks import MaskFamily
from jaxsal.training.networks import NetworkSpec


def repeated_share(masks: MaskFamily, num_masks: int, frames_per_mask: int) -> float:
    """The share of (mask, segment) pairs in which the mask is 1 or 0 everywhere, or as one before was in that segment.

    Args:
      masks: The family; masks (T', H, W), or (T, H, W, C) with `frames_per_mask` frames a segment.
      num_masks: How many of its masks to look at.
      frames_per_mask: Frames of a segment.
    """
    make = jax.jit(lambda masks, mask_id: masks(mask_id))
    seen: set[tuple[int, bytes]] = set()
    count = 0
    for mask_id in range(num_masks):
        mask = np.asarray(make(masks, jnp.int32(mask_id)), np.float32)
        rows = mask.reshape(mask.shape[0] // (frames_per_mask if mask.ndim == 4 else 1), -1)
        for segment, row in enumerate(rows):
            key = segment, sha256(row.tobytes()).digest()
            count += key in seen or bool((row == 1).all() or (row == 0).all())
            seen.add(key)
    return count / (num_masks * len(rows))


def stem_share(spec: NetworkSpec) -> float:
    """The share of a PAN's operations before its first exchange between segments: PA maps and first convolution.

    Those of the plain convolutions, as on GPU; a CPU makes fewer of some.
    """
    model = spec.model()
    clips = jax.ShapeDtypeStruct((1, *spec.clip_shape), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), clips)

    def stem(model: Any, clips: jax.Array) -> jax.Array:
        return model.backbone.conv1(model.segment_images(clips))

    def operations(method: Any) -> float:
        traced = jax.jit(lambda v, x: model.apply(v, x, method=method)).trace(variables, clips)
        cost: Any = traced.lower(lowering_platforms=("cuda",)).cost_analysis()
        return cost["flops"]

    return operations(stem) / operations("features")
