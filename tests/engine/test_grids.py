from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats.qmc import Sobol

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
@pytest.mark.parametrize("keep_prob", [0.1, 0.5])
def test_cells_of_a_mask_are_kept_by_chance_and_independently(drawn, sampling, keep_prob):
    """Over keys, P(cell kept) = p and P(two cells kept) = p^2 for every mask, so maps are unbiased."""
    kept = drawn[sampling][0].reshape(300, 4 * BLOCK, -1) < keep_prob
    error = 5 * np.sqrt(keep_prob * (1 - keep_prob) / 300)
    assert np.abs(kept.mean(axis=0) - keep_prob).max() < error
    both = (kept[..., 0] & kept[..., 5]).mean(axis=0)
    assert np.abs(both - keep_prob**2).max() < 5 * np.sqrt(keep_prob**2 / 300)


@pytest.mark.parametrize("sampling", get_args(Sampling))
def test_offsets_are_uniform(drawn, sampling):
    offsets = drawn[sampling][1].reshape(-1, 3)
    for axis, size in enumerate(CELL):
        shares = np.bincount(offsets[:, axis], minlength=size) / len(offsets)
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
    """score(x) = mean of one frame: the same at any chunk size, closer to a long run's than independent draws."""
    clip = jnp.ones((4, 6, 6, 3))
    options = dict(keep_prob=0.5, grid_shape=(2, 3, 3), scores="logits", baseline="zero")

    def score_fn(clip):
        return clip[1].mean()[None]

    def error(sampling):
        maps = [
            rise(jax.random.key(seed), score_fn, clip, 0, num_masks=124, sampling=sampling, **options)
            for seed in range(8)
        ]
        return np.sqrt(np.mean((np.stack(maps) - truth) ** 2))

    truth = rise(KEY, score_fn, clip, 0, num_masks=6_000, estimator="centered", **options)
    plain = error("independent")
    for sampling in ("stratified", "sobol"):
        assert error(sampling) < 0.8 * plain
        drawn = dict(num_masks=40, sampling=sampling, **options)
        chunked = [rise(KEY, score_fn, clip, 0, chunk_size=chunk_size, **drawn) for chunk_size in (3, 16)]
        np.testing.assert_allclose(*chunked, rtol=1e-5, atol=1e-6)


def test_even_draws_give_no_standard_error():
    ledger = rise_ledger(KEY, lambda clip: clip.mean()[None], jnp.ones((2, 4, 4, 3)), num_masks=8, sampling="sobol")
    with pytest.raises(ValueError, match="`sampling` must be 'independent' for a standard error.*got 'sobol'"):
        ledger.stderr(0)


def test_bad_options(no_shape_checks):
    with pytest.raises(ValueError, match=r"`sampling` must be one of .*got 'halton'"):
        RiseOptions(sampling="halton")
    with pytest.raises(ValueError, match="`num_masks` must be at most 131072 with sampling 'sobol'; got 131073"):
        RiseOptions(sampling="sobol", num_masks=MAX_SOBOL + 1)
