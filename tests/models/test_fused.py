"""Networks of both spectra: two streams that share nothing but the head, and stacked channels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal import Classifier, gradcam
from jaxsal.models import PAN, StackedChannels, TwoStream, init_variables

RNG = np.random.default_rng(0)


class Scale(nn.Module):
    """The clip times a weight."""

    @nn.compact
    def __call__(self, clips):
        return self.param("scale", nn.initializers.normal(), (1,)) * clips


class Linear(nn.Module):
    """Activations are the clip times a weight; the head is linear in their means."""

    num_classes: int = 2

    def setup(self):
        self.stem = Scale()
        self.fc = nn.Dense(self.num_classes, use_bias=False)

    def features(self, clips):
        return self.stem(clips)

    def head(self, activations):
        return self.fc(activations.mean(axis=(1, 2, 3)))


SHAPES = (("IR", (1, 2, 4, 4, 1)), ("TV", (1, 2, 4, 4, 3)))
SCENE = {name: RNG.random(shape[1:], np.float32) for name, shape in SHAPES}


def test_two_streams_in_closed_form():
    model = TwoStream(Linear())
    params = init_variables(model, jax.random.key(0), SHAPES)["params"]
    assert set(params) == {"infrared", "visible", "joint"}
    assert jax.tree.map(jnp.shape, params["joint"]) == {"fc": {"kernel": (4, 2)}}
    classifier = Classifier.from_model(model, {"params": params}, mean=None, std=None)
    means = [
        params[stream]["stem"]["scale"] * SCENE[name].mean(axis=(0, 1, 2))
        for stream, name in (("infrared", "IR"), ("visible", "TV"))
    ]
    expected = np.concatenate(means) @ params["joint"]["fc"]["kernel"]
    np.testing.assert_allclose(classifier(SCENE), expected, rtol=1e-5)
    assert {name: part.shape for name, part in classifier.features(SCENE).items()} == {
        "IR": (2, 4, 4, 1),
        "TV": (2, 4, 4, 3),
    }


def test_stacked_channels_are_one_clip_of_red_green_blue_and_infrared():
    model = StackedChannels(Linear())
    params = init_variables(model, jax.random.key(0), SHAPES)["params"]
    stacked = np.concatenate([SCENE["TV"], SCENE["IR"]], axis=-1)
    expected = Linear().apply({"params": params["network"]}, stacked[None], method="features")
    found = model.apply(
        {"params": params}, {name: jnp.asarray(part)[None] for name, part in SCENE.items()}, method="features"
    )
    np.testing.assert_array_equal(found, expected)


def test_each_spectrum_has_its_own_normalisation():
    model = TwoStream(Linear())
    variables = init_variables(model, jax.random.key(0), SHAPES)
    mean, std = {"IR": (0.5,), "TV": (0.1, 0.2, 0.3)}, {"IR": (0.25,), "TV": (1.0, 2.0, 4.0)}
    plain = Classifier.from_model(model, variables, mean=None, std=None)
    normal = Classifier.from_model(model, variables, mean=mean, std=std)
    by_hand = {name: (part - np.float32(mean[name])) / np.float32(std[name]) for name, part in SCENE.items()}
    np.testing.assert_allclose(normal(SCENE), plain(by_hand), rtol=1e-5)
    with pytest.raises(ValueError, match="`mean` and `std` must be of the same spectra; got"):
        Classifier.from_model(model, variables, mean=mean, std={"IR": (0.25,)})


def test_a_head_that_ignores_a_stream_has_no_evidence_in_it():
    model = TwoStream(Linear())
    variables = init_variables(model, jax.random.key(1), SHAPES)
    kernel = variables["params"]["joint"]["fc"]["kernel"]
    variables["params"]["joint"]["fc"]["kernel"] = kernel.at[1:].set(0)  # channel 0 is infrared
    maps = [gradcam(Classifier.from_model(model, variables, mean=None, std=None), SCENE, k) for k in (0, 1)]
    assert max(own["TV"].max() for own in maps) == 0
    assert max(own["IR"].max() for own in maps) > 0


@pytest.mark.nightly
def test_two_pans_have_maps_of_segments():
    shapes = (("IR", (1, 8, 32, 32, 1)), ("TV", (1, 8, 32, 32, 3)))
    model = TwoStream(PAN(3, 2, num_segments=2))
    variables = init_variables(model, jax.random.key(0), shapes)
    classifier = Classifier.from_model(model, variables, mean=None, std=None)
    scene = {name: RNG.random(shape[1:], np.float32) for name, shape in shapes}
    assert classifier.frames_per_mask == 4
    maps = jax.eval_shape(lambda scene: gradcam(classifier, scene, 0), scene)
    assert {name: own.shape for name, own in maps.items()} == dict.fromkeys(scene, (2, 32, 32))
