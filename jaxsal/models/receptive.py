"""What of a clip the layers of a network see, found by NaN in one plane of the clip after the other.

A number that depends on NaN is NaN, so nothing need be known of the layers: convolutions, pooling, norms, attention.
"""

from functools import partial

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PyTree, PyTreeDef

from jaxsal.models.conv import plain_convolutions
from jaxsal.models.modules import Network, Path
from jaxsal.models.places import positions_of, shown_name
from jaxsal.models.tokens import Positions

_WHOLE = (0, 1, 2)
_KEPT: tuple[tuple[int, ...], ...] = ((), (0,), _WHOLE)
"""Axes that are as long as the clip's beside the one that is looked along; others are 1, where a network allows it."""


def receptive_fields(network: Network, variables: PyTree, clip: PyTree) -> dict[str, tuple[int, int, int]]:
    """Frames, rows and columns of a clip that the middle activation of each layer depends on, by path.

    The part that lies within the clip counts. Layers that give no activations (t, h, w, d) are left out.

    Args:
      network: The whole network.
      variables: Its weights, whose values do not matter.
      clip: Shapes (T, H, W, C) of a clip; of a scene of every spectrum, which are looked at together.
    """
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), variables)
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        frames, rows, columns = (_seen_along(network, zeros, clip, axis) for axis in range(3))
    return {name: (frames[name], rows[name], columns[name]) for name in frames if name in rows and name in columns}


def _seen_along(network: Network, variables: PyTree, clip: PyTree, axis: int) -> dict[str, int]:
    """By layer, how many planes across an axis its middle activation depends on."""
    leaves, structure = jax.tree.flatten(clip)
    for kept in _KEPT:
        sizes = [n if other in (axis, *kept) else 1 for other, n in enumerate(leaves[0].shape[:3])]
        shapes = tuple((*sizes, leaf.shape[-1]) for leaf in leaves)
        try:
            with plain_convolutions():
                seen = _planes_seen(network, variables, jnp.arange(sizes[axis]), axis, shapes, structure)
        except (TypeError, ValueError, IndexError, flax.errors.FlaxError):
            if kept == _WHOLE:
                raise
            continue
        return {name: int(np.sum(own)) for name, own in seen.items()}
    return {}


_QUICKLY = dict(xla_backend_optimization_level=0, xla_llvm_disable_expensive_passes=True)
"""Compiling takes nearly all the time, not running."""


@partial(jax.jit, static_argnums=(0, 3, 4, 5), compiler_options=_QUICKLY)
def _planes_seen(
    network: Network,
    variables: PyTree,
    numbers: Int[Array, " n"],
    axis: int,
    shapes: tuple[tuple[int, ...], ...],
    structure: PyTreeDef,
) -> dict[str, Bool[Array, " n"]]:
    """By layer, whether its middle activation depends on each plane across an axis."""

    def of_plane(number: Int[Array, ""]) -> dict[str, Array]:
        places = [jax.lax.broadcasted_iota(jnp.int32, shape, axis) for shape in shapes]
        clip = jax.tree.unflatten(structure, [jnp.where(place == number, jnp.nan, 0.0) for place in places])
        found: dict[str, Array] = {}

        def watch(path: Path, outputs: PyTree) -> PyTree:
            positions = positions_of(network, Positions(), outputs, clip)
            if positions.grid is not None or len(getattr(outputs, "shape", ())) in (4, 5):
                activations = positions.activations(outputs)
                middle = activations[tuple(length // 2 for length in activations.shape[:3])]
                name = shown_name(network, path)
                found[name] = found.get(name, jnp.bool_(False)) | jnp.isnan(middle).any()
            return outputs

        network.watched(watch, variables, clip)
        return found

    return jax.lax.map(of_plane, numbers)
