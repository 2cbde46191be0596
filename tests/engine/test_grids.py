from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats.qmc import Sobol

import toys
from jaxsal import rise, rise_ledger
from jaxsal.engine.grids import BLOCK, draw_grid
from jaxsal.recipes import MAX_SOBOL, RiseOptions, Sampling

KEY = jax.random.key(3)
GRID, CELL = np.array((2, 3, 2)), np.array((4, 2, 3))


@pytest.fixture(scope="module")
def drawn():
    """Per way of drawing: the numbers and offsets of four blocks of masks under each of 300 keys."""
    ids = jnp.arange(4 * BLOCK, dtype=jnp.int32)

    def draw(sampling):
        every_id = jax.vmap(lambda key, n: draw_grid(key, n, GRID, CELL, sampling), (None, 0))
        return jax.jit(jax.vmap(every_id, (0, None)))(jax.random.split(KEY, 300), ids)

    return {sampling: jax.tree.map(np.asarray, draw(sampling)) for sampling in get_args(Sampling)}


@pytest.mark.parametrize("sampling", get_args(Sampling))
def test_cells_are_kept_by_chance_and_independently_and_offsets_uniform(drawn, sampling):
    """Over keys, P(cell kept) = p and P(two cells kept) = p^2 for every mask, so maps are unbiased."""
    draws, offsets = drawn[sampling]
    for keep_prob in (0.1, 0.5):
        kept = draws.reshape(300, 4 * BLOCK, -1) < keep_prob
        error = 5 * np.sqrt(keep_prob * (1 - keep_prob) / 300)
        assert np.abs(kept.mean(axis=0) - keep_prob).max() < error
        both = (kept[..., 0] & kept[..., 5]).mean(axis=0)
        assert np.abs(both - keep_prob**2).max() < 5 * np.sqrt(keep_prob**2 / 300)
    for axis, size in enumerate(CELL):
        shares = np.bincount(offsets[..., axis].ravel(), minlength=size) / offsets[..., axis].size
        np.testing.assert_allclose(shares, 1 / size, atol=0.02)


def test_stratified_keeps_a_cell_as_often_in_every_block(drawn):
    draws = drawn["stratified"][0].reshape(300, 4, BLOCK, -1)
    strata = np.sort(np.floor(draws * BLOCK).astype(int), axis=2)
    np.testing.assert_array_equal(strata, np.broadcast_to(np.arange(BLOCK)[:, None], strata.shape))


def test_sobol_is_scipys_sequence_with_a_shift():
    """The first offset is of dimension 12 + 0; the cells are dimensions 0 to 11, in raster order."""
    draws, _ = jax.jit(jax.vmap(lambda n: draw_grid(KEY, n, GRID, CELL, "sobol")))(jnp.arange(64))
    shift = np.asarray(jax.random.bits(KEY, (15,), jnp.uint32))
    points = (Sobol(15, scramble=False, bits=30).random(64) * 2.0**32).astype(np.uint32) ^ shift
    np.testing.assert_array_equal(np.asarray(draws).reshape(64, 12), (points[:, :12] >> 8) * np.float32(2**-24))


@pytest.mark.parametrize("sampling", get_args(Sampling))
def test_a_cell_of_a_padded_grid_gets_the_number_that_it_gets_without(sampling):
    draws, offset = jax.jit(lambda n: draw_grid(KEY, n, GRID, CELL, sampling))(40)
    padded, same = jax.jit(lambda n: draw_grid(KEY, n, GRID, CELL, sampling, padded=(3, 3, 5)))(40)
    np.testing.assert_array_equal(padded[:2, :, :2], draws)
    np.testing.assert_array_equal(padded[:, :, 2:], 1)
    np.testing.assert_array_equal(offset, same)


def test_independent_draws_are_those_of_before():
    grid_key, offset_key = jax.random.split(jax.random.fold_in(KEY, 17))
    draws, offset = draw_grid(KEY, jnp.asarray(17), GRID, CELL)
    np.testing.assert_array_equal(draws, jax.random.uniform(grid_key, tuple(GRID), jnp.float32))
    np.testing.assert_array_equal(offset, jax.random.randint(offset_key, (3,), 0, jnp.array(CELL), jnp.int32))


def test_maps_by_even_draws(no_shape_checks):
    """score(x) = mean of one frame: the same at any chunk size, and varies less over keys than by independent draws."""
    clip = np.ones((4, 6, 6, 3), np.float32)

    def score_fn(clip):
        return clip[1].mean()[None]

    def maps(sampling, seeds=8, **options):
        options |= dict(num_masks=124, keep_prob=0.5, grid_shape=(2, 3, 3), scores="logits", baseline="zero")
        return [rise(jax.random.key(n), score_fn, clip, 0, sampling=sampling, **options) for n in range(seeds)]

    plain = np.std(maps("independent"), axis=0).mean()
    for sampling in ("stratified", "sobol"):
        even = maps(sampling)
        assert np.std(even, axis=0).mean() < 0.8 * plain
        np.testing.assert_allclose(maps(sampling, 1, chunk_size=5)[0], even[0], rtol=1e-5, atol=1e-6)


def test_even_draws_give_no_standard_error():
    ledger = rise_ledger(KEY, toys.constant(), np.ones((2, 4, 4, 3), np.float32), num_masks=8, sampling="sobol")
    with pytest.raises(ValueError, match="`sampling` must be 'independent' for a standard error.*got 'sobol'"):
        ledger.stderr(0)


def test_bad_options(no_shape_checks):
    with pytest.raises(ValueError, match=r"`sampling` must be one of .*got 'halton'"):
        RiseOptions(sampling="halton")
    with pytest.raises(ValueError, match="`num_masks` must be at most 131072 with sampling 'sobol'; got 131073"):
        RiseOptions(sampling="sobol", num_masks=MAX_SOBOL + 1)
