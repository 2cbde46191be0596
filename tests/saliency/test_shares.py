"""Shares of spectra in closed form: one spectrum, sums, products, one frame; and the Owen value by all its orders."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal import saliency_map, spectrum_shares
from jaxsal.engine.coalitions import along_orders, along_pairs, draw_orders
from jaxsal.recipes.further import ShapleyOptions
from jaxsal.saliency.shapley_values import spectra_values

RNG = np.random.default_rng(0)
SCENE = {"IR": RNG.random((4, 4, 4, 1), np.float32), "TV": RNG.random((4, 4, 4, 3), np.float32)}
IR, TV = (part.mean(axis=(1, 2, 3), dtype=np.float64) / 4 for part in SCENE.values())  # of a frame, of the mean of all
WORTHS = RNG.normal(size=2**6)
LOGITS = {"scores": "logits", "baseline": "zero"}


def score_fn(scene):
    """Logits that read infrared, both as a sum, both as a product, one frame of the visible clip."""
    infrared, visible = scene["IR"].mean(), scene["TV"].mean()
    return jnp.stack([3 * infrared, 2 * infrared + visible, infrared * visible, scene["TV"][1].mean()])


@pytest.mark.parametrize(
    ("target", "split"),
    [
        (0, (3 * IR.sum(), 0, 0)),
        (1, (2 * IR.sum(), TV.sum(), 0)),
        (2, (0, 0, IR.sum() * TV.sum())),
        (3, (0, 4 * TV[1], 0)),
    ],
)
def test_the_split_and_the_moments_of_a_known_score(target, split):
    """A product's frames share evenly with all frames of the other spectrum: I_ij = IR_i TV_j."""
    shares = spectrum_shares(score_fn, SCENE, target, **LOGITS)
    np.testing.assert_allclose((shares.infrared, shares.visible, shares.interaction), split, atol=1e-5)
    product = np.outer(IR, TV) * (target == 2)
    alone = {0: (3 * IR, 0 * TV), 1: (2 * IR, TV), 2: (0 * IR, 0 * TV), 3: (0 * IR, 4 * TV * [0, 1, 0, 0])}[target]
    for name, own, axis in (("IR", alone[0], 1), ("TV", alone[1], 0)):
        np.testing.assert_allclose(shares.alone.values[name].ravel(), own, atol=1e-5)
        np.testing.assert_allclose(shares.shared.values[name].ravel(), product.sum(axis=axis), atol=1e-5)
        np.testing.assert_allclose(shares.when.values[name], own + product.sum(axis=axis) / 2, atol=1e-5)
        np.testing.assert_allclose(shares.maps[name].sum(axis=0)[0, 0], sum(shares.when.values[name]), atol=1e-5)
    np.testing.assert_allclose(shares.interactions, product, atol=1e-5)
    assert shares.exact
    assert shares.num_coalitions == 256


def test_sampled_cells_are_within_their_intervals_and_the_split_stays_exact():
    """Of a product of sums of cells every order adds the same on average; the sums hold for any number of orders."""
    options = dict(LOGITS, grid_shape=(2, 2, 2), num_masks=200)
    shares = spectrum_shares(score_fn, SCENE, 2, **options)
    assert not shares.exact
    np.testing.assert_allclose(shares.interaction, IR.sum() * TV.sum(), atol=1e-5)
    for name in SCENE:
        np.testing.assert_allclose(shares.alone.values[name].sum(), 0, atol=1e-6)
        np.testing.assert_allclose(shares.shared.values[name].sum(), shares.interaction, atol=1e-5)
    same = spectrum_shares(score_fn, SCENE, 2, chunk_size=7, **options)
    np.testing.assert_allclose(same.shared.values["IR"], shares.shared.values["IR"], atol=1e-6)
    pairs = spectrum_shares(score_fn, SCENE, 2, pairs=True, **options)
    np.testing.assert_allclose(pairs.interactions.sum(), shares.interaction, atol=1e-5)
    np.testing.assert_allclose(pairs.interactions.sum(axis=1), pairs.shared.values["IR"].ravel(), atol=1e-6)
    assert shares.interactions is None
    maps = saliency_map(score_fn, SCENE, 2, method=ShapleyOptions(**options))
    np.testing.assert_allclose(maps["TV"], shares.maps["TV"], atol=1e-6)


def test_a_clip_of_one_spectrum_has_shapley_values():
    maps = saliency_map(
        lambda clip: clip[1].mean()[None], SCENE["TV"], 1, method=ShapleyOptions(grid_shape=(2, 1, 1), **LOGITS)
    )
    np.testing.assert_allclose(maps[:, 0, 0], [4 * TV[1], 4 * TV[1], 0, 0], atol=1e-5)


def test_every_coalition_gives_the_owen_values():
    """The mean over all orders in which one spectrum's players come right after the other's."""
    added, orders = np.zeros(6), []
    for infrared in itertools.permutations(range(3)):
        for visible in itertools.permutations(range(3, 6)):
            orders += [infrared + visible, visible + infrared]
    for order in orders:
        coalition = 0
        for player in order:
            added[player] += WORTHS[coalition | 1 << player] - WORTHS[coalition]
            coalition |= 1 << player
    found = spectra_values(WORTHS, None)
    np.testing.assert_allclose(found.values.values, added / len(orders), atol=1e-12)
    interactions = found.interactions.values.reshape(3, 3)
    np.testing.assert_allclose(interactions.sum(axis=1), found.shared.values[:3], atol=1e-12)
    np.testing.assert_allclose(interactions.sum(axis=0), found.shared.values[3:], atol=1e-12)
    np.testing.assert_allclose(interactions.sum(), WORTHS[-1] - WORTHS[7] - WORTHS[56] + WORTHS[0], atol=1e-12)


@pytest.mark.parametrize("along", [along_orders, along_pairs])
def test_orders_give_the_same_within_their_standard_errors(along):
    orders = draw_orders(0, 2000, 6, 2)
    assert (orders[:, :3] // 3 == orders[:, :1] // 3).all()  # the players of a spectrum come together
    sampled = spectra_values(WORTHS[along(orders) @ (1 << np.arange(6))], orders)
    exact = spectra_values(WORTHS, None)
    assert (sampled.interactions is None) == (along is along_orders)
    for kind in ("alone", "beside", "shared", "values", *(["interactions"] if sampled.interactions else [])):
        own = getattr(sampled, kind)
        errors = (own.values - getattr(exact, kind).values) / own.stderr
        assert np.abs(errors).max() < 4
        assert 0.1 < np.sqrt(np.mean(errors**2)) < 2


def test_what_a_reader_sees():
    shares = spectrum_shares(score_fn, {name: np.ones_like(part) for name, part in SCENE.items()}, 1, **LOGITS)
    expected = "infrared 67 %, visible 33 %, interaction 0 %, of the score's way from 0 to 3"
    assert repr(shares) == f"SpectrumShares({expected})"
    figure = shares.plot(SCENE, title="scene")
    (axis,) = figure.subfigs[0].axes
    assert [text.get_text() for text in axis.texts] == ["infrared 67 %", "visible 33 %", "only together 0 %"]


def test_messages():
    with pytest.raises(ValueError, match=r"`scene` must be of the spectra \('IR', 'TV'\).*got one"):
        spectrum_shares(lambda clip: clip.mean()[None], SCENE["TV"])
    with pytest.raises(ValueError, match=r"`grid_shape` must have at most 2,048 cells; got \(40, 40, 40\)"):
        spectrum_shares(score_fn, SCENE, grid_shape=(40, 40, 40))
    with pytest.raises(ValueError, match="`num_masks` must be"):
        spectrum_shares(score_fn, SCENE, num_masks=0)
