"""Tells arrays from others: weights, clips, baselines."""

import hashlib
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal.core.callables import split_callable


def fingerprint(tree: Any) -> str:
    """The SHA-256 of an array, or of all arrays of a tree with their names: shape, type and bytes."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)}|{array.shape}|{array.dtype.str}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def weights_fingerprint(function: Any) -> str | None:
    """What tells the weights of a callable pytree from other weights; None for one without arrays.

    Per array the sums of its words w_i and of (2 i + 1) w_i, modulo 2^32: taken where the array is, in milliseconds,
    and exact in any order, so the same on every device. JAX's arrays do not change, so theirs are taken once.
    """
    arrays = split_callable(function).arrays
    if not arrays:
        return None
    digest = hashlib.sha256()
    for array, sums in zip(arrays, _sums(arrays), strict=True):
        digest.update(f"{array.shape}|{array.dtype}|{sums}|".encode())
    return digest.hexdigest()


_known: dict[int, list[int]] = {}  # the sums of arrays that live, by id


def _sums(arrays: list[Any]) -> list[list[int]]:
    if all(id(array) in _known for array in arrays):
        return [_known[id(array)] for array in arrays]
    found = np.asarray(_checksums(arrays)).tolist()
    for array, sums in zip(arrays, found, strict=True):
        if isinstance(array, jax.Array) and id(array) not in _known:
            _known[id(array)] = sums
            weakref.finalize(array, _known.pop, id(array)).atexit = False
    return found


@jax.jit
def _checksums(arrays: list[Any]) -> jax.Array:
    return jnp.stack([_checksum(jnp.asarray(array)) for array in arrays])


def _checksum(array: jax.Array) -> jax.Array:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if array.dtype == jnp.bool_:
        array = array.astype(jnp.uint8)
    unsigned = jnp.dtype(f"uint{8 * min(array.dtype.itemsize, 4)}")
    words = jax.lax.bitcast_convert_type(array, unsigned).ravel().astype(jnp.uint32)
    places = jax.lax.iota(jnp.uint32, words.size) * np.uint32(2) + np.uint32(1)
    return jnp.stack([words.sum(dtype=jnp.uint32), (places * words).sum(dtype=jnp.uint32)])
