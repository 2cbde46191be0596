"""The share of clips on which a network is right."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from jaxsal.datasets.pipeline import ClipSource, ordered_batches
from jaxsal.training.checkpoint import Variables
from jaxsal.training.networks import NetworkSpec


def accuracy_by_spectrum(
    spec: NetworkSpec, variables: Variables, clips: ClipSource, *, batch_size: int = 32
) -> dict[str, tuple[float, int]]:
    """Share of clips whose predicted class is right, on frames for testing and centre crops.

    Returns:
      By spectrum: (accuracy, number of clips).
    """
    predict = _predictor(spec)
    right: dict[str, list[bool]] = {}
    for batch in ordered_batches(clips, batch_size):
        pad = partial(np.pad, pad_width=[(0, batch_size - len(batch.labels))] + [(0, 0)] * 4)
        padded = jax.tree.map(pad, batch.clips)
        predicted = np.asarray(predict(variables, padded))[: len(batch.labels)]
        for record, hit in zip(batch.records, predicted == batch.labels, strict=True):
            right.setdefault(clips.clip_set.records[record].spectrum, []).append(bool(hit))
    return {spectrum: (float(np.mean(hits)), len(hits)) for spectrum, hits in sorted(right.items())}


def _predictor(spec: NetworkSpec) -> Callable[..., Int[jax.Array, " B"]]:
    start = (spec.size - spec.crop) // 2

    @jax.jit
    def predict(variables, clips):
        window = slice(start, start + spec.crop)
        cut = jax.tree.map(lambda part: part[:, :, window, window].astype(jnp.float32) / 255, clips)
        return jax.vmap(spec.classifier(variables))(spec.in_channels(cut)).argmax(axis=-1)

    return predict
