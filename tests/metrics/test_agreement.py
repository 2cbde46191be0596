"""Agreement: published example of Krippendorff's alpha, orders that are the same, turned round, or drawn by chance."""

import numpy as np
import pytest

from jaxsal.metrics.agreement import kendall, krippendorff_alpha, split_half

GAP = np.nan
EXAMPLE = np.array(
    [
        [GAP, GAP, GAP, GAP, GAP, 3, 4, 1, 2, 1, 1, 3, 3, GAP, 3],
        [1, GAP, 2, 1, 3, 3, 4, 3, GAP, GAP, GAP, GAP, GAP, GAP, GAP],
        [GAP, GAP, 2, 1, 3, 4, 4, GAP, 2, 1, 1, 3, 3, GAP, 4],
    ]
)
"""Three coders, fifteen units: the example of Wikipedia's article on Krippendorff's alpha, alpha = 0.811 (interval)."""


def test_the_published_example():
    assert krippendorff_alpha(EXAMPLE, level="interval") == pytest.approx(0.811, abs=5e-4)
    assert krippendorff_alpha(EXAMPLE[::-1], level="ordinal") == pytest.approx(krippendorff_alpha(EXAMPLE))
    assert krippendorff_alpha(EXAMPLE**3) == pytest.approx(krippendorff_alpha(EXAMPLE))  # ordinal: order alone


def test_alpha_at_its_limits():
    """Agreement is 1, chance about 0, two raters of two units who disagree always are below 0."""
    rng = np.random.default_rng(0)
    assert krippendorff_alpha(np.tile(np.arange(5.0), (4, 1))) == 1
    assert abs(krippendorff_alpha(rng.permuted(np.tile(np.arange(8.0), (300, 1)), axis=1))) < 0.02
    assert krippendorff_alpha(np.array([[0.0, 1.0], [1.0, 0.0]]), level="interval") == pytest.approx(-0.5)
    assert np.isnan(krippendorff_alpha(np.ones((3, 4))))


def test_tau_of_orders():
    """Of three maps: one pair of three turned round gives (2 - 1) / 3; the mean over clips is that of their taus."""
    first = np.array([[1.0, 2, 3], [1, 2, 3], [5, 5, 5]])
    found = kendall(first, np.array([[1.0, 3, 2], [9, 10, 11], [1, 2, 3]]))
    assert found.tau == pytest.approx((1 / 3 + 1) / 2)
    assert kendall(first, -first).tau == -1
    assert np.isnan(kendall(first[2:], first[:1]).tau)
    assert kendall(first, first, ["a", "a", "a"]).low is None


def test_the_interval_of_tau_is_over_actors():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(40, 6))
    found = kendall(first, first + rng.normal(size=first.shape), [f"actor {n % 20}" for n in range(40)])
    assert found.low < found.tau < found.high
    assert found.low > 0.2
    assert found.high < 0.8


def test_halves_of_the_actors_foretell_as_much_as_their_number_allows():
    """Ratings of variance 1 between 400 methods and 9 within, 18 actors: reliability 1 / (1 + 9 / 18) = 2 / 3."""
    rng = np.random.default_rng(0)
    methods, noise = rng.normal(size=400), 3 * rng.normal(size=(18, 400))
    assert split_half(methods + noise) == pytest.approx(2 / 3, abs=0.08)
    assert abs(split_half(noise)) < 0.15
    twice = np.repeat(methods + noise, 2, axis=0)
    assert split_half(twice, [f"actor {n // 2}" for n in range(36)]) == pytest.approx(split_half(methods + noise))
    assert split_half(twice) > split_half(methods + noise) + 0.05


def test_split_half_at_its_limits():
    order = np.tile(np.arange(5.0), (4, 1))
    gaps = order.copy()
    gaps[0, 1] = gaps[:, 4] = np.nan
    assert split_half(order) == pytest.approx(1)
    assert split_half(gaps) == pytest.approx(1)
    assert split_half(np.array([[0.0, 1.0], [1.0, 0.0]])) == 0
    assert np.isnan(split_half(order, ["a"] * 4))
    assert np.isnan(split_half(np.ones((4, 3))))


@pytest.mark.usefixtures("no_shape_checks")
def test_messages():
    with pytest.raises(ValueError, match="`second` must have the shape of `first`"):
        kendall(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="`level` must be 'ordinal' or 'interval'; got 'nominal'"):
        krippendorff_alpha(EXAMPLE, level="nominal")
    with pytest.raises(ValueError, match="`ratings` must have a unit with two ratings"):
        krippendorff_alpha(np.ones((1, 3)))
