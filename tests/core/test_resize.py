import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.core.resize import linear_weights


@pytest.mark.parametrize("xp", [np, jnp])
def test_rows_are_triangles_around_their_centres(xp):
    np.testing.assert_allclose(linear_weights(xp.asarray([0.0, 1.25]), 3), [[1, 0, 0], [0, 0.75, 0.25]])
    wide = linear_weights(xp.asarray([1.0]), 4, support=2.0)
    np.testing.assert_allclose(wide, [[0.25, 0.5, 0.25, 0]], rtol=1e-6)


def test_only_the_part_is_looked_at():
    """The outer rows lean on what is left of their triangles."""
    weights = linear_weights(jnp.asarray([0.5, 2.5]), 4, start=jnp.float32(1), length=jnp.float32(2))
    np.testing.assert_allclose(weights, [[0, 1, 0, 0], [0, 0, 1, 0]])
