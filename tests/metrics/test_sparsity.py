"""Sparsity: closed forms on constant maps, single voxels and two levels, and the road through the registry."""

import json
from pathlib import Path

import numpy as np
import pytest

import toys
from jaxsal.engine.batch import prepare
from jaxsal.metrics.sparsity import ENTROPY, GINI, SparsityOptions, entropy, gini

SHAPE = (2, 3, 4)


def one_hot():
    saliency = np.zeros(SHAPE, np.float32)
    saliency[1, 2, 0] = 0.3
    return saliency


@pytest.mark.parametrize("count", [1, 8, 24])
def test_credit_on_a_share_of_the_voxels(count):
    """k of n voxels with equal credit: G = 1 - k/n, H = log k; no credit at all is that of a constant."""
    saliency = np.zeros(SHAPE, np.float32)
    saliency.ravel()[:count] = 5
    for credit in (saliency, 0 * saliency) if count == 24 else (saliency,):
        assert gini(credit) == pytest.approx(1 - count / 24, abs=1e-12)
        assert entropy(credit) == pytest.approx(np.log(count))


def test_gini_is_half_the_relative_mean_difference():
    """G = mean_ij |c_i - c_j| / (2 mean c), at any scale."""
    credit = np.random.default_rng(0).random(SHAPE)
    differences = np.abs(credit.reshape(-1, 1) - credit.reshape(1, -1))
    assert gini(credit) == pytest.approx(differences.mean() / (2 * credit.mean()))
    assert gini(3 * credit) == pytest.approx(gini(credit))
    assert entropy(3 * credit) == pytest.approx(entropy(credit))


@pytest.mark.parametrize("measure", [GINI, ENTROPY])
def test_an_offset_counts_unless_the_least_value_is_the_zero(measure):
    """Maps that fill up the shape of a program get no value, and the sign of credit does not count."""
    index = {"gini": gini, "entropy": entropy}[measure.name]
    batch = prepare(toys.constant(), [np.ones((2, 3, 4, 3), np.float32)])
    maps = np.stack([one_hot(), -one_hot(), one_hot() + 1, one_hot()])

    def values(options):
        return [found.value for found in measure.measure(batch, [0, 0, 0], maps, [2, 2, 2], options, 4)]

    assert values(SparsityOptions()) == pytest.approx([index(m) for m in (one_hot(), one_hot(), one_hot() + 1)])
    flipped = np.max(one_hot()) - one_hot()
    shifted = values(SparsityOptions(credit="above_least"))
    assert shifted == pytest.approx([index(m) for m in (one_hot(), flipped, one_hot())], rel=1e-5, abs=1e-5)
    assert measure.num_passes((4, 3, 4, 3), 2, SparsityOptions()) == 0


@pytest.mark.usefixtures("no_shape_checks")
def test_unknown_credit():
    with pytest.raises(ValueError, match="`credit` must be one of .*; got 'squared'"):
        SparsityOptions(credit="squared")


def test_the_numbers_of_quantus():
    """Quantus adds 1e-7 to every amount of the Gini index."""
    golden = json.loads((Path(__file__).parents[1] / "golden" / "measures.json").read_text())["quantus"]
    credit = np.abs(np.array(golden["map"]))
    assert gini(credit) == pytest.approx(golden["gini"], abs=1e-6)
    assert entropy(credit) == pytest.approx(golden["entropy"], rel=1e-7)
