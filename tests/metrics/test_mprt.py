"""Randomisation tests: layers from output to input, maps that ignore weights, and those that lose what they had."""

import json
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import Classifier, gradcam
from jaxsal.metrics import mprt as module
from jaxsal.metrics.mprt import complexity, efficient_mprt, layers_of, mprt, randomise
from jaxsal.recipes.further import SmoothGradOptions

KEY = jax.random.key(0, impl="threefry2x32")
CLIP = np.random.default_rng(3).random((4, 4, 6, 5), np.float32)
HEAD = np.zeros((5, 3), np.float32)
HEAD[2, 1], HEAD[4, 0], HEAD[0, 2] = 3.0, 2.0, -1.0
CLASSIFIER = toys.pooling_classifier(head=HEAD, channels=5)


class Net(nn.Module):
    """Layers whose names are not in the order of their calls."""

    @nn.compact
    def __call__(self, clips):
        activations = nn.BatchNorm(use_running_average=True, name="a_norm")(
            nn.Conv(3, (1, 1, 1), name="z_first")(clips)
        )
        return nn.Dense(2, name="b_last")(activations.mean(axis=(1, 2, 3)))


@pytest.fixture(scope="module")
def network():
    return Classifier.from_model(Net(), toys.drawn(Net(), CLIP.shape))


def test_layers_go_from_the_output_to_the_input(network):
    assert layers_of(network, CLIP.shape) == ("b_last", "a_norm", "z_first")
    assert layers_of(CLASSIFIER, CLIP.shape) == ("head", "cells")


def test_a_randomised_layer_keeps_its_values_and_the_others_stay(network):
    shuffled = randomise(KEY, network, ("b_last",))
    for before, after in zip(jax.tree.leaves(network.params), jax.tree.leaves(shuffled.params), strict=True):
        np.testing.assert_array_equal(np.sort(np.ravel(before)), np.sort(np.ravel(after)))
    kernels = [one.params["params"]["b_last"]["kernel"] for one in (network, shuffled)]
    assert (kernels[0] != kernels[1]).any()
    np.testing.assert_array_equal(
        network.params["params"]["z_first"]["kernel"], shuffled.params["params"]["z_first"]["kernel"]
    )


def test_maps_of_the_head_lose_it_with_the_head_and_smoothing_keeps_the_classic_test():
    """Grad-CAM of a linear head is the head's channel; the other layer is all ones, and shuffling changes nothing."""
    found = mprt(KEY, CLASSIFIER, CLIP, 1, method="gradcam")
    assert found.layers == ("head", "cells")
    assert found.similarities[0] < 0.9
    assert found.similarities[0] == pytest.approx(found.similarities[1])
    assert found.mean == pytest.approx(found.similarities[0])
    only = mprt(KEY, CLASSIFIER, CLIP, 1, method="gradcam", layers=("cells",), num_samples=2, noise_std=0.05)
    assert only.similarities == (pytest.approx(1.0),)


def test_the_efficient_test_compares_complexities():
    found = efficient_mprt(KEY, CLASSIFIER, CLIP, 1, method="gradcam")
    whole = randomise(KEY, CLASSIFIER, ("head", "cells"))
    own, other = (complexity(gradcam(one, CLIP, 1)) for one in (CLASSIFIER, whole))
    assert found == pytest.approx((other - own) / own)
    assert complexity(np.ones((2, 3, 4))) == 0
    assert complexity(np.arange(100.0)) == pytest.approx(np.log(100))


def test_the_numbers_of_quantus(monkeypatch):
    """The gradient of a small network under the weights that Quantus drew, which draws anew where jaxsal shuffles."""
    golden = json.loads((Path(__file__).parents[1] / "golden" / "measures.json").read_text())["quantus_mprt"]

    def features(params, clip):
        return jnp.tanh(params["1.weight"] @ clip.ravel() + params["1.bias"])[None, None, None]

    def head(params, activations):
        return params["3.weight"] @ activations.ravel() + params["3.bias"]

    def network(weights):
        return Classifier.from_functions(features, head, {name: jnp.array(own) for name, own in weights.items()})

    def as_drawn(key, classifier, layers):
        count = sum(any(name in layer for layer in layers) for name in golden["layers"])
        return network(golden["randomised"][count - 1])

    monkeypatch.setattr(module, "randomise", as_drawn)
    clip = np.array(golden["clip"], np.float32)[None, :, :, None]
    shared = dict(method=SmoothGradOptions(num_samples=1, noise_std=0.0, sign="signed"))
    order = ("3.weight", "1.weight")
    found = mprt(KEY, network(golden["weights"]), clip, 1, layers=order, **shared)
    assert found.similarities == pytest.approx(golden["similarities"], abs=1e-6)
    drawn = iter(np.array(golden["smooth"]["clips"], np.float32).reshape(-1, *clip.shape))
    monkeypatch.setattr(module, "noisy", lambda *_: next(drawn))
    found = mprt(KEY, network(golden["weights"]), clip, 1, layers=order, num_samples=3, noise_std=0.04, **shared)
    assert found.similarities == pytest.approx(golden["smooth"]["similarities"], abs=1e-6)
    assert efficient_mprt(KEY, network(golden["weights"]), clip, 1, **shared) == pytest.approx(golden["efficient"])


def test_messages():
    with pytest.raises(ValueError, match="`layers` must be of .*; got 'heads'. Did you mean 'head'"):
        mprt(KEY, CLASSIFIER, CLIP, 1, method="gradcam", layers=("heads",))
    with pytest.raises(ValueError, match="`noise_std` must be at least 0; got -1"):
        mprt(KEY, CLASSIFIER, CLIP, 1, method="gradcam", noise_std=-1.0)
    with pytest.raises(ValueError, match="`num_samples` must be at least 1; got 0"):
        mprt(KEY, CLASSIFIER, CLIP, 1, method="gradcam", num_samples=0)


def test_of_a_single_logit_the_side_that_is_predicted_is_explained():
    yes = toys.pooling_classifier(head=np.full((5, 1), 3.0, np.float32), channels=5)
    found = [mprt(KEY, yes, CLIP, target, method="gradcam") for target in (None, 1, 0)]
    assert found[0] == found[1] != found[2]
