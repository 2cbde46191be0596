"""Clips with noise, for measures that ask a method again of clips beside the one that is explained."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from jaxsal.core.types import ClipTree


def noisy(
    key: PRNGKeyArray, number: int, clip: ClipTree, draw: Callable[[PRNGKeyArray, tuple[int, ...]], Array]
) -> ClipTree:
    """Sample `number` of a clip with noise, which depends on the key and the number alone; values stay in [0, 1].

    Args:
      key: Random key.
      number: Which sample.
      clip: The clip, values in [0, 1]; or a scene, whose spectra get noise of their own.
      draw: Makes noise of a shape from a key.
    """
    leaves, structure = jax.tree.flatten(clip)
    keys = jax.random.split(jax.random.fold_in(key, number), len(leaves))
    moved = [jnp.clip(leaf + draw(own, leaf.shape), 0, 1) for leaf, own in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, moved)
