"""What tells arrays from others: the bytes of clips and files, and the weights of a classifier on its devices."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, UInt32

from jaxsal.core.kept import Kept


def fingerprint(tree: PyTree) -> str:
    """The SHA-256 of an array, or of all arrays of a tree with their names: shape, type and bytes."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)}|{array.shape}|{array.dtype.str}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def weights_fingerprint(function: PyTree) -> str | None:
    """The SHA-256 of checksums of a callable pytree's arrays, which need no copy on the host; None if it has no array.

    Per array the sums of its words w_i and of (2 i + 1) w_i, modulo 2^32: taken where the array is, and exact in any
    order, so the same on every device. JAX's arrays do not change, so their sums are taken once.
    """
    arrays = [leaf for leaf in jax.tree.leaves(function) if isinstance(leaf, jax.Array | np.ndarray)]
    if not arrays:
        return None
    digest = hashlib.sha256()
    for array, sums in zip(arrays, _sums(arrays), strict=True):
        digest.update(f"{array.shape}|{array.dtype}|{sums}|".encode())
    return digest.hexdigest()


_known = Kept[list[int]]()
"""The sums of arrays."""


def _sums(arrays: list[jax.Array | np.ndarray]) -> list[list[int]]:
    known = [sums for array in arrays if (sums := _known.get(array)) is not None]
    if len(known) == len(arrays):
        return known
    taken = np.asarray(_checksums(arrays)).tolist()
    for array, sums in zip(arrays, taken, strict=True):
        _known.set(array, sums)
    return taken


@jax.jit
def _checksums(arrays: list[jax.Array | np.ndarray]) -> UInt32[Array, "arrays 2"]:
    return jnp.stack([_checksum(jnp.asarray(array)) for array in arrays])


def _checksum(array: jax.Array) -> UInt32[Array, "2"]:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if array.dtype == jnp.bool_:
        array = array.astype(jnp.uint8)
    unsigned = jnp.dtype(f"uint{8 * min(array.dtype.itemsize, 4)}")
    words = jax.lax.bitcast_convert_type(array, unsigned).ravel().astype(jnp.uint32)
    places = jax.lax.iota(jnp.uint32, words.size) * np.uint32(2) + np.uint32(1)
    return jnp.stack([words.sum(dtype=jnp.uint32), (places * words).sum(dtype=jnp.uint32)])
