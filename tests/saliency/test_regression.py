"""The ridge read-out of RISE's masks: what a linear network adds for each cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import RiseLedger, rise_ledger
from jaxsal.recipes import RiseOptions
from jaxsal.saliency.regression import _hats, ridge_map
from jaxsal.saliency.rise_family import rise_family

GRID, SHAPE = (2, 3, 4), (4, 9, 8)
KEY = jax.random.key(0, impl="threefry2x32")
OPTIONS = RiseOptions(
    num_masks=600, grid_shape=GRID, keep_prob=0.4, scores="logits", baseline="zero", estimator="ridge"
)
BETA = np.random.default_rng(1).normal(size=(2, *GRID)).astype(np.float32)


def spread(family, cells):
    """The map of the hat functions, and the sum of each."""
    hats = [np.asarray(jax.jit(_hats, static_argnums=1)(family, axis)) for axis in range(3)]
    maps = np.einsum("...abc,ta,hb,wc->...thw", cells, *hats)
    return maps, np.einsum("a,b,c->abc", *(hat.sum(axis=0) for hat in hats))


def masked_scores(masks, weights):
    return np.einsum("nthw,kthw->nk", masks, weights, dtype=np.float32)


@pytest.fixture(scope="module")
def drawn():
    family = rise_family(KEY, SHAPE, OPTIONS)
    return family, np.arange(600, dtype=np.int32), toys.every_mask(family)


def test_a_linear_score_is_taken_apart(drawn):
    """Score sum_v s(v) M(v) with s = sum_p (beta_p / sum phi_p) phi_p, so that each cell adds its beta."""
    family, ids, masks = drawn
    expected, sums = spread(family, BETA)
    weights, _ = spread(family, BETA / sums)
    scores = masked_scores(masks, weights) + 3
    found = jax.jit(ridge_map)(family, ids, scores, ids < 600)
    np.testing.assert_allclose(found, expected, atol=0.02)
    padded = family.padded(family.padding._replace(cells=(3, 3, 6)))
    np.testing.assert_allclose(jax.jit(ridge_map)(padded, ids, scores, ids < 600), found, atol=0.02)


def test_masks_that_are_not_used_change_nothing_and_noise_is_shrunk(drawn):
    family, ids, masks = drawn
    weights, _ = spread(family, BETA)
    scores = masked_scores(masks, weights / 40)
    used = ids < 500
    few = jax.jit(ridge_map)(family, ids, scores, used)
    np.testing.assert_allclose(
        jax.jit(ridge_map)(family, ids, np.where(used[:, None], scores, np.float32(9)), used), few
    )
    noise = np.random.default_rng(5).standard_normal(scores.shape, np.float32)
    assert np.abs(jax.jit(ridge_map)(family, ids, noise, used)).max() < 0.3


def test_ledgers_and_scenes_read_it_without_a_pass(tmp_path):
    rng = np.random.default_rng(0)
    scene = {"IR": rng.random((2, 6, 6, 1), np.float32), "TV": rng.random((2, 6, 6, 3), np.float32)}
    calls = []

    def score_fn(scene):
        calls.append(1)
        return jnp.stack([scene["IR"][0, :3].sum(), scene["TV"].sum() * 0])

    options = dict(grid_shape=(2, 2, 2), keep_prob=0.5, scores="logits", baseline="zero", estimator="ridge")
    ledger = rise_ledger(KEY, score_fn, scene, num_masks=400, **options)
    traced = len(calls)
    maps = ledger.map(0)
    assert len(calls) == traced
    assert np.abs(maps["TV"]).max() < 0.5
    assert maps["IR"][0, 0].min() > 3 > 1 > np.abs(maps["IR"][1]).max()
    ledger.save(tmp_path / "ledger.npz")
    again = RiseLedger.load(tmp_path / "ledger.npz").map(0)
    np.testing.assert_array_equal(again["IR"], maps["IR"])
    assert not ledger.has_stderr
    with pytest.raises(ValueError, match="`estimator` must be 'mean' or 'centered' for a standard error; got 'ridge'"):
        ledger.stderr()
    with pytest.raises(ValueError, match=r"`grid_shape` must have at most 2,048 cells for estimator 'ridge'; got \(4"):
        RiseOptions(grid_shape=(4, 32, 32), estimator="ridge")
