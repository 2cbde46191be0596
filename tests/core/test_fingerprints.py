import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.core import fingerprints
from jaxsal.core.fingerprints import fingerprint, weights_fingerprint


def weights(array):
    return weights_fingerprint(jax.tree_util.Partial(jnp.add, array))


def test_a_changed_value_type_or_place_changes_it():
    known = weights(jnp.asarray([1, 2, 3], jnp.float32))

    assert weights(jnp.asarray([1, 2, 3], jnp.float32)) == known
    for other in ([2, 1, 3], [[1, 2, 3]], [1, 2]):
        assert weights(jnp.asarray(other, jnp.float32)) != known
    assert weights(jnp.asarray([1, 2, 3], jnp.int32)) != known


def test_sums_of_device_arrays_are_taken_once(monkeypatch):
    array, other = jnp.arange(3.0), jnp.arange(4.0)
    first = weights(array)
    monkeypatch.setattr(fingerprints, "_checksums", lambda arrays: pytest.fail("taken again"))

    assert weights(array) == first
    with pytest.raises(pytest.fail.Exception):
        weights(other)


def test_an_array_of_numpy_may_change():
    array = np.arange(3.0)
    first = weights(array)
    array[1] = 7

    assert weights(array) != first


def test_nothing_is_kept_of_arrays_that_are_gone():
    gc.collect()  # those of earlier tests
    array = jnp.arange(5.0)
    weights(array)
    number = len(fingerprints._known)
    del array
    gc.collect()

    assert len(fingerprints._known) == number - 1


def test_names_and_bytes_tell_trees_apart():
    known = fingerprint({"a": np.zeros(2), "b": np.ones(2)})

    assert known == fingerprint({"b": np.ones(2), "a": np.zeros(2)})
    assert known != fingerprint({"a": np.ones(2), "b": np.zeros(2)})
    assert known != fingerprint({"a": np.zeros(2), "c": np.ones(2)})
