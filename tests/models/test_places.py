"""Layers by name: the option of the methods, streams, tokens, and modules of every form."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import toys
from jaxsal import Classifier, explain, gradcam, sidu
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all, explaining_groups
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.plan import make_plan
from jaxsal.models import TwoStream, init_variables

KEY = jax.random.key(0)
CLIP = jax.random.uniform(jax.random.key(1), (2, 4, 6, 3))
SCENE = {"IR": CLIP[..., :1], "TV": CLIP}


class Two(nn.Module):
    """Two layers of one tap, so that each activation is of its voxel alone."""

    num_classes: int = 3

    def setup(self):
        self.first = nn.Dense(4)
        self.second = nn.Dense(5)
        self.fc = nn.Dense(self.num_classes)

    def features(self, clips):
        return self.second(nn.relu(self.first(clips)))

    def head(self, activations):
        return self.fc(activations.mean(axis=(1, 2, 3)))

    def __call__(self, clips):
        return self.head(self.features(clips))


def classifier_of(model):
    return Classifier.from_model(model, toys.drawn(model, CLIP.shape), mean=None, std=None)


@pytest.fixture(scope="module")
def two():
    return classifier_of(Two())


def test_a_layer_is_an_option_of_the_methods(two):
    """Under the option, one function, many clips and the plan of passes say what the classifier at the layer says."""
    there = two.at("first")
    found = explain(two, CLIP, layer="first", methods=("gradcam", "sidu"), controls=(), num_steps=2)
    for name, method in (("Grad-CAM", gradcam), ("SIDU", sidu)):
        np.testing.assert_allclose(found.maps[name], method(there, CLIP), rtol=1e-5)
        np.testing.assert_allclose(method(two, CLIP, layer="first"), found.maps[name], rtol=1e-5)
    whole = classifier_of(nn.Sequential([nn.Dense(2), lambda a: a.mean((1, 2, 3))]))
    assert list(_series(whole, "layers_0")) == ["gradcam", "rise", "sidu"]


def test_methods_of_one_layer_share_its_pass(two, passes):
    """Curves of two steps take none: passes are of the clip, of its layer, and of the clip replaced in two ways."""
    for methods in (("gradcam",), ("gradcam", "hirescam", "layercam", "reciprocam")):
        options = ExplainOptions(method=methods, layer="first", controls=(), num_steps=2)
        case = Case("clip", "TV", 0, lambda: CLIP)
        passes.clear()
        explain_all(two, [case], options)
        plan, _ = make_plan(explaining_groups(two, CLIP.shape, [case], options), None, keep_clips=True)
        assert sum(passes) == plan.passes == 4


def test_results_of_another_layer_are_others(two):
    series = [_series(two, layer) for layer in (None, "first", "second")]
    assert {method: len({own[method] for own in series}) for method in series[0]} == dict(gradcam=3, rise=1, sidu=3)


def _series(classifier, layer):
    options = ExplainOptions(layer=layer, controls=())
    (group,) = explaining_groups(classifier, CLIP.shape, [Case("clip", "TV", 0, lambda: CLIP)], options)
    return {cell.method: series for cell, series in zip(group.cells, group.series, strict=True)}


def test_a_wrong_layer_is_refused_before_computing(two):
    with pytest.raises(ValueError, match=r"`layer` must be one of the 3 layers that `jaxsal layers`.*mean 'first'\?"):
        _series(two, "frist")
    with pytest.raises(ValueError, match=r"`layer` must give activations .*; got \(1, 3\)"):
        _series(two, "fc")
    with pytest.raises(ValueError, match="`layer` must be a path of modules, such as layer3.conv1; got 'a..b'"):
        ExplainOptions(layer="a..b").check()
    with pytest.raises(TypeError, match="`layer` must be a text.*; got 3"):
        ExplainOptions(layer=3).check()
    with pytest.raises(TypeError, match="`classifier` must be a jaxsal.Classifier of a Flax module for `layer`"):
        explain(lambda clip: clip.mean((0, 1, 2)), CLIP, methods=("rise", "gradcam"), layer="first")


def test_a_layer_of_two_streams_is_that_of_each():
    """Where the last layer is looked at by its name, maps are those of the features; a spectrum explains itself."""
    model, means = TwoStream(Two()), {"IR": [0.0], "TV": [0.0] * 3}
    variables = init_variables(model, KEY, tuple((name, (1, *part.shape)) for name, part in SCENE.items()))
    fused = Classifier.from_model(model, variables, mean=means, std={"IR": [1.0], "TV": [1.0] * 3})
    assert list(fused.layers(CLIP.shape)) == ["first", "second", "joint.fc"]
    there = fused.at("second")
    assert {name: part.shape[-1] for name, part in there.features(SCENE).items()} == {"IR": 5, "TV": 5}
    np.testing.assert_allclose(there.head_of(SCENE)(there.features(SCENE)), fused(SCENE), rtol=1e-5)
    for spectrum, saliency in gradcam(there, SCENE, 1).items():
        np.testing.assert_allclose(gradcam(fused, SCENE, 1)[spectrum], saliency, rtol=1e-5)
    assert sidu(fused, SCENE, 1, layer="first")["IR"].shape == CLIP.shape[:3]


def test_tokens_lie_where_the_network_says():
    """(B, n, d) of a module with `token_grid` are activations without a word."""

    class Tokens(nn.Module):
        @nn.compact
        def __call__(self, clips):
            tokens = clips.reshape(len(clips), -1, 3)
            return nn.Dense(2, name="block")(tokens).mean(axis=1)

        def token_grid(self, clip_shape):
            return clip_shape[:3]

    network = classifier_of(Tokens())
    assert network.layers(CLIP.shape) == {"block": (1, 2, 4, 6, 2)}
    tokens = network.at("block")
    assert tokens.features(CLIP).shape == (2, 4, 6, 2)
    np.testing.assert_allclose(tokens.head_of(CLIP)(tokens.features(CLIP)), network(CLIP), rtol=1e-5)
    assert gradcam(network, CLIP, layer="block").shape == CLIP.shape[:3]


class Recording(nn.Module):
    """A module with a training flag, a collection of its own, and intermediates that it sows."""

    @nn.compact
    def __call__(self, clips, train: bool):
        scale = self.variable("scales", "scale", lambda: jnp.full((1,), 2.0))
        activations = nn.Sequential([nn.Dense(4), nn.relu, nn.Dropout(0.5, deterministic=not train)])(clips)
        self.sow("intermediates", "activations", activations)
        return nn.Dense(2)(scale.value * activations.mean(axis=(1, 2, 3)))


def test_a_module_with_collections_of_its_own():
    model = Recording()
    variables = jax.jit(model.init, static_argnames="train")(KEY, CLIP[None], train=False)
    network = Classifier.from_model(model, variables, mean=None, std=None)
    there = network.at("Sequential_0")
    np.testing.assert_allclose(there.head_of(CLIP)(there.features(CLIP)), network(CLIP), rtol=1e-5)
    assert gradcam(network, CLIP, layer="Dense_0").shape == CLIP.shape[:3]


class Block(nnx.Module):
    def __init__(self, inputs, outputs, rngs):
        self.dense = nnx.Linear(inputs, outputs, rngs=rngs)
        self.norm = nnx.BatchNorm(outputs, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, clips):
        return self.dropout(nnx.relu(self.norm(self.dense(clips))))


class Blocks(nnx.Module):
    def __init__(self, rngs):
        self.blocks = nnx.List([Block(3, 4, rngs), Block(4, 5, rngs)])
        self.stem = nnx.Sequential(*self.blocks)
        self.fc = nnx.Linear(5, 2, rngs=rngs)

    def __call__(self, clips):
        return {"logits": self.fc(self.stem(clips).mean(axis=(1, 2, 3)))}


def test_layers_of_an_nnx_module():
    model = Blocks(nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"evaluation mode, model.eval\(\); got .*dropout with deterministic=False"):
        Classifier.from_model(model)
    model.eval()
    network, again = (Classifier.from_model(model, mean=None, std=None) for _ in range(2))
    assert hash(network.whole_fn) == hash(again.whole_fn)
    logits = nnx.jit(model)(CLIP[None])["logits"][0]
    np.testing.assert_allclose(network(CLIP), logits, rtol=1e-5)
    (last,) = [name for name, shape in network.layers(CLIP.shape).items() if name.endswith("1.norm")]
    for layer in ("stem", last):
        there = network.at(layer)
        features, found = jax.jit(lambda clip, at=there: (at.features(clip), at.head_of(clip)(at.features(clip))))(CLIP)
        assert features.shape == (2, 4, 6, 5)
        np.testing.assert_allclose(found, logits, rtol=1e-5)
    assert "__call__" in vars(Block)
    np.testing.assert_allclose(model(CLIP[None])["logits"][0], network(CLIP), rtol=1e-5)
    maps = gradcam(network, CLIP, 1, layer="stem")
    np.testing.assert_allclose(maps, gradcam(network.at("stem"), CLIP, 1), rtol=1e-5)
    with pytest.raises(ValueError, match="`variables` must be left out for an NNX module; got dict"):
        Classifier.from_model(model, {})
