"""The truth of minimal pairs of clips in closed form."""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "experiments" / "trust"))
import truth

GRID = (2, 1, 3)


def test_a_cell_is_the_mean_of_its_voxels():
    saliency = np.random.default_rng(0).random((4, 4, 6))
    np.testing.assert_allclose(truth.pool(saliency, GRID), saliency.reshape(2, 2, 4, 3, 2).mean(axis=(1, 2, 4)).ravel())


def test_cells_that_differ_most_are_players():
    clip, partner = np.zeros((2, 4, 4, 6, 3), np.float32)
    partner[:2, :, 2:4] = 0.5  # cell 1
    partner[2:, :, 4:] = 1.0  # cell 5
    np.testing.assert_array_equal(truth.swap_players(clip, partner, GRID, 3), [2, 1, 2, 2, 2, 0])


def test_the_truth_finds_the_cell_that_the_score_looks_at():
    clip, partner = np.zeros((2, 4, 4, 6, 3), np.float32)
    partner[:2, :, 2:4] = 0.5
    score_fn = lambda clip: jnp.stack([-clip[:2, :, 2:4].mean(), 0.0])  # noqa: E731
    found = truth.swap_truth(score_fn, clip, partner, 0, grid=GRID, num_players=3, num_orders=4, seed=0, chunk_size=8)
    np.testing.assert_allclose(found.values["log-odds"], [0, 0.5, 0, 0, 0, 0], atol=1e-6)
    assert found.clip["log-odds"] - found.partner["log-odds"] == pytest.approx(0.5)
    assert found.clip["probability"] == pytest.approx(0.5)


def test_agreement_is_of_ranks():
    values = np.array([0.0, 1.0, 2.0, 10.0])
    assert truth.agreement(np.exp(values), values) == pytest.approx(1)
    assert truth.agreement(-values, values) == pytest.approx(-1)
    assert truth.agreement(np.zeros(4), values) == 0
