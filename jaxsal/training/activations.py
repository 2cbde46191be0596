"""How strongly a trained network's last layer responds to training clips, for thresholds that fit its scale."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal.core.spread import spread
from jaxsal.datasets.pipeline import ClipSource
from jaxsal.training.checkpoint import Variables
from jaxsal.training.networks import NetworkSpec


def activation_quantile(
    spec: NetworkSpec, variables: Variables, clips: ClipSource, quantile: float, *, num_clips: int = 64
) -> float:
    """The value that a share of a network's activations stay below, over evenly spaced clips.

    Args:
      spec: The network.
      variables: Its weights.
      clips: Where from: training clips, so that nothing is picked on clips that are explained.
      quantile: The share, in [0, 1].
      num_clips: How many clips to look at, at least 1.

    Raises:
      ValueError: If the share is out of its range.
    """
    if not 0 <= quantile <= 1:
        raise ValueError(f"`quantile` must be in [0, 1]; got {quantile}.")
    start = (spec.size - spec.crop) // 2
    cut = slice(start, start + spec.crop)
    respond = jax.jit(partial(_respond, spec))
    values = [
        respond(variables, clips.clip(number)[:, cut, cut]) for number in spread(len(clips.clip_set.records), num_clips)
    ]
    return float(np.quantile(np.asarray(values), quantile))


def _respond(spec, variables, frames):
    return spec.classifier(variables).features(frames.astype(jnp.float32) / 255)
