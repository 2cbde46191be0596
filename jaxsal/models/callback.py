"""A function of NumPy arrays as a network: a model of PyTorch, ONNX or TensorFlow, called with many clips at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, PyTree


@dataclass(frozen=True)
class Callback:
    """Scores clips on the host, under `jax.jit` and on any devices; all clips of a chunk in one call.

    Attributes:
      function: (clips (B, T, H, W, C), float32) -> scores (B, K), both NumPy's; of scenes one array for each spectrum.
      num_classes: K.
    """

    function: Callable[[Any], Any]
    num_classes: int

    def __call__(self, params: PyTree, clip: PyTree) -> Float[Array, " K"]:
        """Scores of one clip; under `jax.vmap` of all clips together."""
        shape = jax.ShapeDtypeStruct((self.num_classes,), np.float32)
        return jax.pure_callback(self._score, shape, clip, vmap_method="expand_dims")

    def _score(self, clips: PyTree) -> Float[np.ndarray, "..."]:
        """Of clips with any axes before their own four."""
        lead = jax.tree.leaves(clips)[0].shape[:-4]
        flat = jax.tree.map(lambda part: np.asarray(part).reshape(-1, *part.shape[-4:]), clips)
        scores = np.asarray(self.function(flat), np.float32)
        wanted = (math.prod(lead), self.num_classes)
        if scores.shape != wanted:
            raise ValueError(f"`function` must return scores {wanted} for {wanted[0]} clips; got {scores.shape}.")
        return scores.reshape(*lead, self.num_classes)
