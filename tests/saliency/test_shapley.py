"""Shapley values in closed form: of additive games, of products, and through the engine."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal import score_masks
from jaxsal.engine import coalitions
from jaxsal.saliency import shapley

WEIGHTS = np.array([0.5, -1.0, 2.0, 0.0, 0.25, 1.5])
GAINS = np.array([0.5, -0.6, 2.0, 0.1, 0.25, 1.5])
GRID = (2, 1, 3)


def product_values(gains):
    """Of v(S) = prod over S of (1 + gain): the dividend of a coalition, the product of its gains, is shared evenly."""
    players = range(len(gains))
    coalitions = [c for size in players for c in itertools.combinations(players, size + 1)]
    return np.array([sum(math.prod(gains[list(c)]) / len(c) for c in coalitions if p in c) for p in players])


def sampled(worth, num_players, num_orders=400):
    orders = coalitions.draw_orders(0, num_orders, num_players)
    return shapley.sampled_values(orders, worth(coalitions.along_orders(orders)))


def test_every_coalition_of_an_additive_game_and_of_a_product():
    members = coalitions.every_coalition(6)
    np.testing.assert_allclose(shapley.exact_values(members @ WEIGHTS + 3).values, WEIGHTS, atol=1e-12)
    found = shapley.exact_values(np.prod(1 + members * GAINS, axis=1)).values
    np.testing.assert_allclose(found, product_values(GAINS), atol=1e-12)


def test_orders_give_an_additive_game_without_error():
    found = sampled(lambda members: members @ WEIGHTS + 3, 6, num_orders=4)
    np.testing.assert_allclose(found.values, WEIGHTS, atol=1e-12)
    np.testing.assert_allclose(found.stderr, 0, atol=1e-12)


def test_orders_give_a_product_within_their_standard_errors():
    """Six errors in units of the standard error, whose squares sum to about six; their values sum to v(all) - v()."""
    found = sampled(lambda members: np.prod(1 + members * GAINS, axis=1), 6)
    errors = (found.values - product_values(GAINS)) / found.stderr
    assert np.abs(errors).max() < 4
    assert 0.1 < np.sqrt(np.mean(errors**2)) < 2
    np.testing.assert_allclose(found.values.sum(), np.prod(1 + GAINS) - 1)


def test_coalitions_through_the_engine():
    """The logit is a weighted sum of a clip's cells: a cell's value is its weight times its change."""
    clip, partner = np.random.default_rng(0).random((2, 4, 4, 6, 3), np.float32)
    cells = coalitions.cells_of(clip.shape[:3], GRID)
    of_voxels = jnp.asarray(WEIGHTS[cells][..., None] / 3, jnp.float32)
    masks = coalitions.Coalitions(cells, coalitions.every_coalition(6))
    logits = score_masks(lambda clip: (of_voxels * clip).sum()[None], clip, masks, baseline=partner)
    change = (clip - partner).mean(axis=-1)
    expected = WEIGHTS * np.bincount(cells.ravel(), change.ravel())
    found = shapley.exact_values(np.asarray(logits, np.float64)[:, 0]).values
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_too_many_players_and_too_few_orders():
    with pytest.raises(ValueError, match="`num_players` must be from 1 to 16 for every coalition; got 17"):
        coalitions.every_coalition(17)
    with pytest.raises(ValueError, match="`num_orders` must be even and at least 4; got 7"):
        coalitions.draw_orders(0, 7, 3)
