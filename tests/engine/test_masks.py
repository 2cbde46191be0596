import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.engine.masks import ActivationMasks, Families, RankMasks
from jaxsal.engine.rise_masks import RiseMasks, cell_shape, common_padding

RNG = np.random.default_rng(0)


def rise_masks(**changes):
    options = dict(
        key=jax.random.key(5),
        num_masks=100,
        keep_prob=0.3,
        shape=(8, 12, 10),
        grid_shape=(2, 4, 3),
        alignment="mirror",
        temporal_cell="own",
    )
    return RiseMasks.draw(**(options | changes))


@jax.jit
def make(masks, ids):
    return jax.vmap(masks)(ids)


@jax.jit
def weighted_sum(masks, weights, ids):
    return masks.weighted_sum(weights, ids)


@pytest.mark.parametrize(("count", "alignment", "temporal_cell"), [(7, "corners", "spatial"), (300, "mirror", "own")])
def test_weighted_sum_is_the_sum_of_the_masks(count, temporal_cell, alignment):
    masks = rise_masks(alignment=alignment, temporal_cell=temporal_cell)
    ids = np.arange(count) + 11
    weights = RNG.normal(size=(count, 2)).astype(np.float32)
    dense = np.einsum("nk,nthw->kthw", weights, make(masks, ids))
    np.testing.assert_allclose(weighted_sum(masks, weights, ids), dense, rtol=1e-4, atol=1e-4)


def test_a_mask_depends_on_key_and_number_alone():
    masks = rise_masks()
    one = jax.jit(lambda masks, number: masks(number))
    alone = one(masks, 17)
    np.testing.assert_array_equal(make(masks, np.arange(30))[17], alone)
    np.testing.assert_array_equal(one(rise_masks(num_masks=5), 17), alone)
    assert np.abs(one(rise_masks(key=jax.random.key(6)), 17) - alone).max() > 0.1


@pytest.mark.parametrize("keep_prob", [0.1, 1.0])
def test_masks_keep_their_share(keep_prob):
    """E[M] = p at every voxel; std of the mean over N masks is at most sqrt(p (1 - p) / N)."""
    made = np.asarray(make(rise_masks(keep_prob=keep_prob), np.arange(4_000)))
    assert made.min() >= 0
    assert made.max() <= 1 + 1e-6
    error = np.abs(made.mean(axis=0) - keep_prob).max()
    assert error <= 5 * np.sqrt(keep_prob * (1 - keep_prob) / 4_000) + 1e-5


def test_offsets_cover_the_cell():
    masks = rise_masks()
    _, offsets = jax.jit(jax.vmap(masks.grid_and_offset))(jnp.arange(2_000))
    np.testing.assert_array_equal(offsets.min(axis=0), 0)
    np.testing.assert_array_equal(offsets.max(axis=0) + 1, masks.cell)


@pytest.mark.parametrize(("frames", "cell"), [(16, (2, 28, 28)), (32, (4, 28, 28)), (8, (1, 28, 28))])
def test_the_study_takes_the_cell_in_time_from_the_cells_in_height(frames, cell):
    assert cell_shape((frames, 224, 224), (2, 8, 8), "spatial") == cell
    assert cell_shape((frames, 224, 224), (2, 8, 8), "own") == (frames // 2, 28, 28)


def test_two_time_cells_of_the_study_are_affine_in_time():
    masks = rise_masks(alignment="corners", temporal_cell="spatial", shape=(16, 12, 12), grid_shape=(2, 8, 8))
    made = make(masks, np.arange(20))
    assert np.abs(np.diff(made, n=2, axis=1)).max() < 1e-5


def other_grids(sampling):
    """Families of one mask shape that differ in all else, and the same ones padded alike."""
    families = [
        rise_masks(sampling=sampling),
        rise_masks(sampling=sampling, grid_shape=(3, 5, 7), keep_prob=0.6, alignment="corners"),
        rise_masks(sampling=sampling, grid_shape=(1, 8, 8), temporal_cell="spatial", key=jax.random.key(6)),
    ]
    padding = common_padding(families)
    return families, [family.padded(padding) for family in families]


def test_padded_alike_families_of_other_grids_make_their_masks_by_one_program():
    """Drawn by the sampling that pads the most: a Sobol point has a number for every cell."""
    families, padded = other_grids("sobol")
    assert padded[0].padding.cells == (3, 8, 8)
    programs = make._cache_size()
    together = Families.of(padded)
    ids = np.arange(20, dtype=np.int32) + 25
    for number, (family, wider) in enumerate(zip(families, padded, strict=True)):
        found, expected = make(wider, ids), jax.jit(jax.vmap(family))(ids)
        assert 0 < np.asarray(found).mean() <= 1
        np.testing.assert_allclose(found, expected, atol=5e-7)
        np.testing.assert_array_equal(make(together[number], ids), found)
    weights = RNG.normal(size=(20, 2)).astype(np.float32)
    sums = [weighted_sum(masks, weights, ids) for masks in (families[1], padded[1])]
    np.testing.assert_allclose(*sums, rtol=1e-5, atol=1e-5)
    assert make._cache_size() == programs + 1


def test_families_of_other_sizes_are_no_one_family():
    families, _ = other_grids("independent")
    with pytest.raises(ValueError, match="`families` must be of one kind and size; got"):
        Families.of([families[0], RankMasks(jnp.zeros((2, 2, 2), jnp.int32), jnp.arange(3), True)])
    with pytest.raises(ValueError, match="`families` must be of one kind and size; got"):
        Families.of(families)


def test_activation_masks():
    activations = RNG.random((2, 3, 4, 5), np.float32)
    masks = ActivationMasks(activations, 0.5, (2, 3, 4), "corners")
    made = make(masks, np.arange(masks.num_masks))
    np.testing.assert_array_equal(made, np.moveaxis(activations > 0.5, -1, 0))
    weights = RNG.normal(size=(5, 2)).astype(np.float32)
    larger = ActivationMasks(activations, 0.5, (6, 9, 8), "mirror")
    dense = np.einsum("nk,nthw->kthw", weights, make(larger, np.arange(5)))
    found = jax.jit(ActivationMasks.weighted_sum)(larger, weights)
    np.testing.assert_allclose(found, dense, rtol=1e-4, atol=1e-5)


def test_rank_masks():
    ranks = jnp.asarray(np.random.default_rng(0).permutation(24).reshape(2, 3, 4))
    counts = jnp.array([0, 5, 24])
    removed = jax.vmap(RankMasks(ranks, counts, keep=False))(jnp.arange(3))
    shown = jax.vmap(RankMasks(ranks, counts, keep=True))(jnp.arange(3))
    np.testing.assert_array_equal(removed.sum(axis=(1, 2, 3)), [24, 19, 0])
    np.testing.assert_array_equal(removed + shown, 1)
    np.testing.assert_array_equal(shown[1], ranks < 5)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(shape=(4, 6)), ValueError, r"`shape` must be three positive counts; got \(4, 6\)"),
        (dict(shape=(4, 0, 6)), ValueError, "`shape` must be three positive counts; got"),
        (dict(grid_shape=(2, 2.5, 2)), TypeError, "`grid_shape` must be an integer; got 2.5"),
        (dict(alignment="edges"), ValueError, r"`alignment` must be one of .*corners.*; got 'edges'"),
        (dict(temporal_cell="other"), ValueError, r"`temporal_cell` must be one of .*; got 'other'"),
        (dict(sampling="halton"), ValueError, r"`sampling` must be one of .*; got 'halton'"),
        (dict(keep_prob=0.0), ValueError, r"`keep_prob` must be in \(0, 1\]; got 0.0"),
    ],
)
def test_families_that_make_no_masks(change, error, message, no_shape_checks):
    with pytest.raises(error, match=message):
        rise_masks(**change)


def test_activation_masks_that_cannot_be_stretched(no_shape_checks):
    with pytest.raises(ValueError, match="`alignment` must be one of"):
        ActivationMasks(jnp.ones((1, 2, 2, 3)), 0.5, (2, 4, 4), "edges")
