"""Tells arrays from others: weights, clips, baselines."""

import hashlib
from typing import Any

import jax
import numpy as np


def fingerprint(tree: Any) -> str:
    """The SHA-256 of an array, or of all arrays of a tree with their names: shape, type and bytes."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)}|{array.shape}|{array.dtype.str}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
