import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.engine.masks import RiseMasks, expand_mask
from jaxsal.engine.padded_masks import common_padding, pad_masks

FAMILIES = [
    RiseMasks(jax.random.key(5), 50, 0.3, (4, 12, 10), (2, 4, 3), "mirror", "own"),
    RiseMasks(jax.random.key(5), 50, 0.6, (8, 12, 10), (3, 5, 7), "corners", "own"),
    RiseMasks(jax.random.key(6), 50, 0.5, (2, 12, 10), (2, 8, 8), "corners", "spatial"),
    RiseMasks(jax.random.key(5), 50, 0.5, (8, 12, 10), (1, 1, 1), "centers", "own"),
]


@pytest.mark.parametrize("frame_slices", ["aligned", "modulo"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: str(family.grid_shape))
def test_padded_masks_are_the_masks(family, frame_slices):
    ids = jnp.arange(20, dtype=jnp.int32)
    expected = jax.vmap(lambda n: expand_mask(family(n), 8, frame_slices)[..., 0])(ids)
    padded = pad_masks(family, 8, common_padding(FAMILIES), frame_slices)
    found = jax.vmap(padded)(ids)
    assert found.shape == (20, 8, 12, 10)
    assert 0 < np.asarray(found).mean() <= 1
    np.testing.assert_allclose(found, expected, atol=5e-7)


def test_families_of_other_grids_share_one_program():
    traces = []

    @jax.jit
    def make(masks, ids):
        traces.append(1)
        return jax.vmap(masks)(ids)

    padding = common_padding(FAMILIES)
    assert padding.grid_shape == (3, 8, 8)
    for family in FAMILIES:
        make(pad_masks(family, 8, padding), jnp.arange(3, dtype=jnp.int32))
    assert len(traces) == 1
