"""When to stop: the share of wrongly settled orders by simulation, and ledgers that grow until theirs is settled."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal import explain, open_results, rise, rise_ledger, saliency_map
from jaxsal.recipes import RiseOptions
from jaxsal.saliency.settled import ledger_order, settle, settled_order, split_half_reliability, undecided

KEY = jax.random.key(0, impl="threefry2x32")
CLIP = np.ones((2, 4, 4, 3), np.float32)
OPTIONS = dict(grid_shape=(2, 2, 2), keep_prob=0.5, scores="logits", baseline="zero")


def three_cells(clip):
    """The logit is a sum over cells of the grid: 8, 4, 2 and nothing."""
    weights = jnp.zeros((2, 4, 4, 1)).at[0, :2, :2].set(8.0).at[0, 2:, 2:].set(4.0).at[1, :2, 2:].set(2.0)
    return jnp.stack([(weights * clip).mean(), 0.0 * clip.sum()])


@pytest.mark.parametrize("means", [(0, 0, 0, 0, 0), (1, 0, 0, 0, 0), (1, 1, 0, 0, 0)], ids=str)
def test_orders_are_settled_wrongly_no_more_often_than_allowed(means):
    """Wrong: a settled rank whose mean is not above all that follow. 1000 runs of 60 samples with shared noise."""
    rng, wrong, level = np.random.default_rng(0), 0, 0.1
    for _ in range(1000):
        samples = np.array(means) + rng.normal(size=(60, 5)) + rng.normal(size=(60, 1))
        order, _, settled = settled_order(samples, 3, level)
        true = np.array(means)[order]
        wrong += any(true[rank] <= np.delete(means, order[: rank + 1]).max() for rank in range(settled))
    assert wrong / 1000 <= level + 3 * np.sqrt(level * (1 - level) / 1000)


def test_clear_orders_are_settled_and_ties_are_not():
    samples = np.array([3.0, 1.0, 2.0, 0.0]) + 0.1 * np.random.default_rng(0).normal(size=(50, 4))
    order, p_values, settled = settled_order(samples, 3, 0.01)
    assert (order.tolist(), settled) == ([0, 2, 1], 3)
    assert (p_values <= 0.01).all()
    assert settled_order(np.zeros((9, 3)), 2, 0.5)[2] == 0


@pytest.fixture(scope="module")
def begun():
    return rise_ledger(KEY, three_cells, CLIP, num_masks=16, **OPTIONS)


def test_a_ledger_grows_until_its_order_is_settled(begun, tmp_path):
    ledger, found = settle(begun, three_cells, CLIP, 0, top=1, most=4096, path=tmp_path / "ledger.npz")
    assert (found.num_settled, found.cells.tolist()) == (1, [[0, 0, 0]])
    assert 16 <= found.num_masks == len(ledger.ids) <= 4096
    few, unsettled = settle(begun, three_cells, CLIP, 0, top=8, most=32)
    assert (len(few.ids), unsettled.num_settled < 8) == (32, True)
    np.testing.assert_array_equal(few.logits[:16], begun.logits)
    assert 0.8 < split_half_reliability(begun.extend(three_cells, CLIP, 1024), 0) <= 1


def test_a_run_may_leave_the_number_of_masks_open():
    """RISE's map and ledger are those of the number that settles the order; at most `most_masks`."""
    wanted = dict(num_masks="settled", settled_cells=1, most_masks=4096, **OPTIONS)
    ledger = rise_ledger(KEY, three_cells, CLIP, **wanted)
    again, found = settle(rise_ledger(KEY, three_cells, CLIP, num_masks=250, **OPTIONS), three_cells, CLIP, top=1)
    assert len(ledger.ids) == ledger.options.num_masks == found.num_masks
    np.testing.assert_array_equal(ledger.logits, again.logits)
    np.testing.assert_array_equal(rise(KEY, three_cells, CLIP, **wanted), ledger.map())
    np.testing.assert_array_equal(saliency_map(three_cells, CLIP, method=RiseOptions(**wanted)), ledger.map())
    some = rise_ledger(KEY, three_cells, CLIP, **(wanted | dict(settled_cells=8, most_masks=300)))
    assert len(some.ids) == 300


def test_cells_are_undecided_until_there_are_enough_masks(begun):
    many = begun.extend(three_cells, CLIP, 1024)
    assert undecided(begun.first(8), 0).all()
    assert not undecided(many, 0)[0, :2, :2].any()
    assert undecided(many, 0).mean() < 0.5


def test_an_explanation_says_how_many_masks_it_took(tmp_path):
    options = dict(methods=("rise", "ridge"), controls=(), num_steps=2, num_masks="settled", **OPTIONS)
    options |= dict(settled_cells=1, most_masks=600)
    del options["baseline"], options["keep_prob"]
    open_ended = explain(three_cells, CLIP, store=tmp_path, keep_prob=0.5, mask_baseline="zero", **options)
    settled = open_ended.settled
    assert 250 <= settled.num_masks <= len(open_ended.ledger.ids)
    expected = rise(KEY, three_cells, CLIP, num_masks=settled.num_masks, **OPTIONS)
    np.testing.assert_allclose(open_ended.maps["RISE"], expected, rtol=1e-5)
    assert f"most salient cells settled by {settled.num_masks:,} masks" in repr(open_ended)
    (row,) = (row for row in open_results(tmp_path).rows if row["method"] == "rise")
    assert (row["used_masks"], row["settled_ranks"]) == (settled.num_masks, settled.num_settled)


def test_messages(begun):
    ledger = dataclasses.replace(begun, options=dataclasses.replace(begun.options, sampling="stratified")).first(2)
    with pytest.raises(ValueError, match="`sampling` must be 'independent' for an order; got 'stratified'"):
        ledger_order(ledger)
    with pytest.raises(ValueError, match="`level` must be above 0 and below 1; got 1"):
        ledger_order(ledger, level=1)
    with pytest.raises(ValueError, match="`confidence` must be above 0 and below 1; got 95"):
        settle(ledger, three_cells, CLIP, confidence=95)
    with pytest.raises(ValueError, match="`ledger` must hold at least 4 masks; got 2"):
        split_half_reliability(ledger)
    for changes in (dict(sampling="sobol"), dict(batch_size=4)):
        with pytest.raises(ValueError, match="`num_masks` must be a number unless `sampling` is 'independent'"):
            RiseOptions(num_masks="settled", **changes)
    with pytest.raises(ValueError, match="`num_masks` must be a number for estimator 'ridge'; got 'settled'"):
        RiseOptions(num_masks="settled", estimator="ridge")
    with pytest.raises(ValueError, match="`target` must .*; got 'all'"):
        rise(KEY, three_cells, CLIP, "all", num_masks="settled")
