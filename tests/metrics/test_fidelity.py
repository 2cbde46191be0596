"""Mu-fidelity and infidelity: closed forms on a model that adds up the clip, other codes' numbers, passes counted."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.engine.batch import prepare
from jaxsal.metrics.fidelity import INFIDELITY, MU_FIDELITY, FidelityOptions, draw_subsets, infidelity, mu_fidelity

SHAPE = (2, 4, 4)
OPTIONS = FidelityOptions(num_subsets=24, grid_shape=(2, 2, 2), share=0.4, baseline="zero", scores="given")
WEIGHTS = np.arange(32, dtype=np.float32).reshape(SHAPE) / 600
CLIPS = [np.ones((*SHAPE, 3), np.float32), np.full((*SHAPE, 3), 0.5, np.float32)]


def additive(clip):
    p = (WEIGHTS * clip[..., 0]).sum()
    return jnp.stack([p, 1 - p])


def values(maps, owners, options=OPTIONS, label=0, count=None):
    batch = prepare(additive, CLIPS)
    if count is not None:
        batch.count = count.append
    found = MU_FIDELITY.measure(batch, owners, np.stack([*maps, maps[-1]]), [label] * len(owners), options, 8)
    return np.array([[measure.read(own).value for own in found] for measure in (MU_FIDELITY, INFIDELITY)])


def test_the_weights_of_an_additive_model_are_faithful_in_any_unit():
    """p falls by the sum of the removed weights: correlation 1 and no error; the class 1 - p rises by as much."""
    noise = np.random.default_rng(0).normal(size=SHAPE)
    found = values([WEIGHTS, 7 * WEIGHTS, noise], (0, 0, 1))
    np.testing.assert_allclose(found[0, :2], 1, atol=1e-5)
    np.testing.assert_allclose(found[1, :2], 0, atol=1e-10)
    assert found[0, 2] < 0.9
    assert found[1, 2] > 1e-4
    np.testing.assert_allclose(values([WEIGHTS], (0,), label=1)[0], -1, atol=1e-5)


@pytest.mark.parametrize(("sign", "expected"), [(1, 1.0), (-1, -1.0)])
def test_the_test_cases_of_xplique(sign, expected):
    """A network that adds up its input, explained by the input: 1, and -1 for minus the input, by Spearman's rank.

    github deel-ai/xplique @ 09ca7683, tests/metrics/test_fidelity.py, `test_perfect_correlation` and
    `test_worst_correlation`: sets of a tenth, removed by zeros. Xplique gives 0 where ours is NaN: no set loses more.
    """
    options = FidelityOptions(
        num_subsets=200, grid_shape=SHAPE, share=0.1, baseline="zero", scores="given", correlation="spearman"
    )
    clip = np.random.default_rng(0).random((*SHAPE, 1)).astype(np.float32)
    batch = prepare(lambda clip: jnp.stack([clip.sum()] * 2), [clip])
    (found,) = MU_FIDELITY.measure(batch, (0,), sign * clip[None, ..., 0], [0], options, 64)
    assert MU_FIDELITY.read(found).value == pytest.approx(expected, abs=1e-3)


def test_without_a_scale_only_the_unit_of_the_score_has_no_error():
    """A map of 3 times the credit is wrong by twice the drop."""
    plain = FidelityOptions(**(vars(OPTIONS) | dict(scaled=False)))
    right, thrice = values([WEIGHTS, 3 * WEIGHTS], (0, 0), plain)[1]
    cells = WEIGHTS.reshape(2, 2, 2, 2, 2).sum(axis=(2, 4)).ravel()
    drops = draw_subsets(plain, 8) @ cells
    np.testing.assert_allclose([right, thrice], [0, 4 * np.mean(drops**2)], rtol=1e-4, atol=1e-10)


def test_all_maps_of_a_clip_share_its_passes():
    count = []
    values([WEIGHTS] * 3, (0, 0, 1), count=count)
    assert sum(count) == 2 * 24 + 2
    assert MU_FIDELITY.shares(OPTIONS) == INFIDELITY.shares(OPTIONS)
    assert MU_FIDELITY.num_passes((2, 4, 4, 3), 2, OPTIONS) == 24


def test_sets_have_one_size_and_depend_on_their_number_alone():
    drawn = draw_subsets(OPTIONS, 8)
    assert (drawn.sum(axis=1) == 3).all()
    np.testing.assert_array_equal(draw_subsets(FidelityOptions(**(vars(OPTIONS) | dict(num_subsets=9))), 8), drawn[:9])
    assert 0.25 < drawn.mean(axis=0).min() < drawn.mean(axis=0).max() < 0.7


def test_limits():
    drops = np.array([0.1, 0.4, 0.2])
    assert mu_fidelity(np.exp(50 * drops), drops) < mu_fidelity(np.exp(50 * drops), drops, "spearman") == 1
    assert mu_fidelity(np.ones(3), drops) == 0
    assert np.isnan(mu_fidelity(drops, np.ones(3)))
    assert infidelity(np.zeros(3), drops) == pytest.approx(np.mean(drops**2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(num_subsets=2), "`num_subsets` must be at least 3 for a correlation; got 2"),
        (dict(share=1.0), "`share` must be above 0 and below 1; got 1.0"),
        (dict(grid_shape=(1, 1, 1)), "`grid_shape` must have at least 2 cells"),
    ],
)
def test_messages(changes, message):
    with pytest.raises(ValueError, match=message):
        FidelityOptions(**changes)
