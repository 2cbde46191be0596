import gc

import jax.numpy as jnp
import numpy as np

from jaxsal.core import devices
from jaxsal.core.devices import copies_on_every_device, device_mesh


def test_copies_are_made_once_and_go_with_their_array():
    array, mesh = jnp.arange(5.0), device_mesh()
    (copy,) = copies_on_every_device([array], mesh)
    again, other = copies_on_every_device([array, array + 1], mesh)
    assert again is copy
    np.testing.assert_array_equal(other, array + 1)

    number = len(devices._copies)
    del array, again
    gc.collect()
    assert len(devices._copies) == number - 1


def test_nothing_is_kept_of_an_array_that_may_change():
    array = np.arange(3.0, dtype=np.float32)
    copies_on_every_device([array], device_mesh())
    array[0] = 7
    np.testing.assert_array_equal(copies_on_every_device([array], device_mesh())[0], [7, 1, 2])
