"""The weights of a network of one spectrum at a time as those of a network of both at once."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float

from jaxsal.models import init_variables
from jaxsal.training.checkpoint import Checkpoint, Variables
from jaxsal.training.networks import NetworkSpec

SEEN = {"infrared": ("IR",), "visible": ("TV",), "network": ("TV", "IR")}
"""By module of a fused network, the spectra whose channels enter it, in their order."""
NUM_COLOURS = 3


def fused_variables(spec: NetworkSpec, start: Checkpoint) -> Variables:
    """The weights of a network of colour clips in every part of a fused one.

    Both streams get all of them. The head gets half of its kernel for each stream, so that its logits are the mean of
    those that the network has for either clip. A first layer that sees one channel of infrared gets the sum of its
    kernel over the colours, which is what it does to a grey clip; one that sees four channels gets half of each.

    Args:
      spec: The fused network.
      start: A network of its architecture and width for one spectrum at a time.

    Returns:
      Weights by the fused network's names; those that the start does not have are missing.
    """
    wanted = flatten_dict(
        jax.eval_shape(lambda key: init_variables(spec.model(), key, spec.batch_shape), jax.random.key(0))
    )
    given = flatten_dict(start.variables)
    found = {}
    for path, leaf in wanted.items():
        collection, module, *rest = path
        weight = given.get((collection, *rest))
        if weight is not None:
            fits = weight.shape == leaf.shape
            found[path] = weight if fits else _widened(weight) if module == "joint" else _seeing(weight, module, spec)
    return unflatten_dict(found)


def _widened(weight: Float[Array, "..."]) -> Float[Array, "..."]:
    """A weight of the head for the channels of both streams: half of a kernel for each, a vector twice."""
    if weight.ndim == 1:
        return jnp.concatenate([weight, weight])
    return jnp.concatenate([weight, weight], axis=-2) / 2


def _seeing(kernel: Float[Array, "... C d"], module: str, spec: NetworkSpec) -> Float[Array, "... c d"]:
    """A first layer's kernel for the channels of a module's spectra; channels after the colours stay as they are."""
    std = jnp.asarray(spec.std)
    colours, others = kernel[..., :NUM_COLOURS, :], kernel[..., NUM_COLOURS:, :]
    grey = (colours * (std[NUM_COLOURS] / std[:NUM_COLOURS, None])).sum(axis=-2, keepdims=True)
    parts: Mapping[str, Array] = {"TV": colours, "IR": grey}
    seen = SEEN[module]
    return jnp.concatenate([*(parts[name] / len(seen) for name in seen), others], axis=-2)
