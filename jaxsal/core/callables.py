"""Callables as arguments of compiled programs: the arrays of a pytree go in, the rest is part of the program.

What `equinox.partition` and `combine` do, in a few lines that need no further package.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache, partial
from itertools import compress
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, PyTree, PyTreeDef

from jaxsal.core.types import AnyArray, ClipTree, ScoreFn

_ARRAYS = (jax.Array, np.ndarray)

Static = tuple[PyTreeDef, tuple[bool, ...], tuple[Hashable, ...]]
"""Of a callable pytree: its structure, which leaves are arrays, and the leaves that are none."""


class SplitCallable(NamedTuple):
    """A callable taken apart: arrays that a compiled program takes as arguments, and the rest, hashable."""

    arrays: list[AnyArray]
    static: Static


def split_callable(function: ScoreFn) -> SplitCallable:
    """Takes a callable pytree apart; a plain function is all static, and its closure is compiled in."""
    leaves, structure = jax.tree.flatten(function)
    is_array = tuple(isinstance(leaf, _ARRAYS) for leaf in leaves)
    rest = tuple(None if array else leaf for leaf, array in zip(leaves, is_array, strict=True))
    return SplitCallable(list(compress(leaves, is_array)), (structure, is_array, rest))


def join_callable(arrays: list[AnyArray], static: Static) -> PyTree:
    """Puts a callable together from the parts that `split_callable` made."""
    structure, is_array, rest = static
    remaining = iter(arrays)
    leaves = [next(remaining) if array else leaf for leaf, array in zip(rest, is_array, strict=True)]
    return jax.tree.unflatten(structure, leaves)


def shape_of(program: Callable[..., Any], function: ScoreFn, clips: PyTree) -> PyTree:
    """The shapes that `call_each` or `call_parts_each` would give; found out once for arguments of one kind.

    `jax.eval_shape` itself looks at every array each time, which takes as long as a small network.
    """
    arrays, static = split_callable(function)
    leaves, structure = jax.tree.flatten((arrays, clips))
    return _shape_of(program, tuple((leaf.shape, leaf.dtype) for leaf in leaves), structure, static)


@lru_cache(maxsize=256)
def _shape_of(
    program: Callable[..., Any], kinds: tuple[tuple[Hashable, ...], ...], structure: PyTreeDef, static: Static
) -> PyTree:
    arrays, clips = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*kind) for kind in kinds])
    return jax.eval_shape(lambda arrays, clips: program(arrays, clips, static), arrays, clips)


@partial(jax.jit, static_argnums=(2,))
def call_each(arrays: list[AnyArray], clips: PyTree, static: Static) -> PyTree:
    """The callable's result for each of several clips, one row each; compiled once per program, not per weights."""
    return jax.vmap(join_callable(arrays, static))(clips)


def head_of(classifier: PyTree, clip: ClipTree) -> Callable[[PyTree], Array]:
    """The head for the activations of a clip; after a layer within a network it depends on the clip too."""
    return classifier.head_of(clip) if hasattr(classifier, "head_of") else classifier.head


@partial(jax.jit, static_argnums=(2,))
def call_parts_each(arrays: list[AnyArray], clips: PyTree, static: Static) -> tuple[PyTree, PyTree]:
    """Of anything with `features` and `head`: the activations of each clip, and the logits of them."""
    classifier = join_callable(arrays, static)

    def parts(clip: ClipTree) -> tuple[PyTree, PyTree]:
        activations = classifier.features(clip)
        return activations, head_of(classifier, clip)(activations)

    return jax.vmap(parts)(clips)
