"""What a ledger shows of itself."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal import Classifier, rise_ledger

CLASSES = ("first", "last")


@pytest.fixture(scope="module")
def ledger():
    classifier = Classifier.from_functions(
        lambda params, clip: clip * params,
        lambda params, a: jnp.stack([9 * a[0].mean(), a[1].mean()]),
        jnp.ones(3),
        classes=CLASSES,
    )
    options = dict(num_masks=16, grid_shape=(2, 2, 2), keep_prob=0.5)
    return rise_ledger(jax.random.key(0), classifier, jnp.ones((2, 4, 6, 3)), **options)


def test_it_says_what_it_is_in_a_line(ledger):
    assert repr(ledger) == (
        "RiseLedger(16 masks of (2, 4, 6), grid 2x2x2, keep_prob 0.5; predicted first, logit 9; 2 classes: first, last)"
    )
    assert repr(dataclasses.replace(ledger, classes=())).endswith("; predicted class 0, logit 9; 2 classes)")


def test_its_figure_has_the_map_and_the_error(ledger):
    figure = ledger.plot("last")
    assert figure.get_suptitle() == "RISE, last, 16 masks"
    assert [axis.get_ylabel() for axis in figure.axes if axis.images][::2] == ["map", "standard error"]


def test_its_dataset_has_names(ledger):
    data = ledger.to_xarray("last")
    np.testing.assert_array_equal(data.saliency, ledger.map(1))
    np.testing.assert_array_equal(data.stderr, ledger.stderr(1))
    np.testing.assert_array_equal(data.logits.sel({"class": "first", "mask": 3}), ledger.logits[3, 0])
    assert data.attrs["target"] == "last"
    sobol = dataclasses.replace(ledger, options=dataclasses.replace(ledger.options, sampling="sobol"))
    assert "stderr" not in sobol.to_xarray()


def test_names_survive_the_file(ledger, tmp_path):
    ledger.save(tmp_path / "clip.npz")
    again = type(ledger).load(tmp_path / "clip.npz")
    assert again.classes == CLASSES
    assert repr(again) == repr(ledger)
    np.testing.assert_array_equal(again.map("last"), ledger.map(1))
    with pytest.raises(ValueError, match="`target` must be one of .*; got 'lst'. Did you mean 'last'"):
        again.map("lst")
