"""Networks of any kind: tokens, functions of NumPy, whole modules, and any layer of them."""

from collections import namedtuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import Classifier, deletion, gradcam, rise, score_masks, sidu
from jaxsal.models import ResNet3D18

KEY = jax.random.key(0)
CLIP = jax.random.uniform(jax.random.key(1), (2, 4, 6, 3))
MASKS = dict(num_masks=10, grid_shape=(2, 2, 3), keep_prob=0.5)
WEIGHTS = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)


def numpy_network(clips):
    return 9 * np.tanh(clips).mean(axis=(1, 2, 3)) @ WEIGHTS


def jax_network(clip):
    return 9 * jnp.tanh(clip).mean(axis=(0, 1, 2)) @ WEIGHTS


class Net(nn.Module):
    """Features and head, and the same as one compact call with a training flag and running statistics."""

    def setup(self):
        self.conv = nn.Conv(5, (2, 3, 3), strides=(1, 2, 2))
        self.norm = nn.BatchNorm()
        self.dense = nn.Dense(3)

    def features(self, clips):
        return nn.relu(self.norm(self.conv(clips), use_running_average=True))

    def head(self, activations):
        return self.dense(activations.mean(axis=(1, 2, 3)))


class Block(nn.Module):
    @nn.compact
    def __call__(self, clips, train):
        return nn.relu(
            nn.BatchNorm(use_running_average=not train, name="norm")(
                nn.Conv(5, (2, 3, 3), (1, 2, 2), name="conv")(clips)
            )
        )


class Whole(nn.Module):
    @nn.compact
    def __call__(self, clips, train):
        activations = Block(name="block")(clips, train)
        pooled = nn.Dropout(0.5, deterministic=not train)(activations.mean(axis=(1, 2, 3)))
        return {"logits": nn.Dense(3, name="dense")(pooled), "aux": pooled}


@pytest.fixture(scope="module")
def pair():
    """The same weights in a module of two methods, and in one that was written without a thought of saliency."""
    net = Net()
    made = net.init(jax.random.key(2), CLIP[None], method=lambda self, clips: self.head(self.features(clips)))
    stats = jax.tree.map(lambda leaf: leaf + 0.1, made["batch_stats"])
    params = made["params"]
    whole = {"block": {"conv": params["conv"], "norm": params["norm"]}, "dense": params["dense"]}
    return (
        Classifier.from_model(net, {"params": params, "batch_stats": stats}),
        Classifier.from_model(Whole(), {"params": whole, "batch_stats": {"block": {"norm": stats["norm"]}}}),
    )


def test_a_layer_of_a_whole_module_gives_the_maps_of_features_and_head(pair):
    parts, whole = pair
    np.testing.assert_allclose(whole(CLIP), parts(CLIP), rtol=1e-5)
    layer = whole.at("block")
    np.testing.assert_allclose(layer(CLIP), parts(CLIP), rtol=1e-5)
    np.testing.assert_allclose(layer.features(CLIP), parts.features(CLIP), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradcam(layer, CLIP, "all"), gradcam(parts, CLIP, "all"), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        sidu(layer, CLIP, 1, threshold=0.3), sidu(parts, CLIP, 1, threshold=0.3), rtol=1e-4, atol=1e-6
    )
    assert whole.layers(CLIP.shape) == {
        "block.conv": (1, 2, 2, 3, 5),
        "block.norm": (1, 2, 2, 3, 5),
        "block": (1, 2, 2, 3, 5),
        "Dropout_0": (1, 5),
        "dense": (1, 3),
    }


def test_a_layer_before_a_skip_connection_keeps_the_way_round_it():
    """logits = mean(conv(x) + x): the gradient of the layer is that of the mean, whatever x is."""

    class Skip(nn.Module):
        @nn.compact
        def __call__(self, clips):
            return (nn.Conv(3, (1, 1, 1), name="conv")(clips) + clips).mean(axis=(1, 2, 3))

    net = Skip()
    layer = Classifier.from_model(net, net.init(KEY, CLIP[None]), mean=None, std=None).at(("conv",))
    np.testing.assert_allclose(layer.head_of(CLIP)(layer.features(CLIP)), layer(CLIP), rtol=1e-5)
    np.testing.assert_allclose(
        gradcam(layer, CLIP, 2), np.maximum(np.asarray(layer.features(CLIP))[..., 2], 0), rtol=1e-4, atol=1e-6
    )


def test_layers_of_a_network_of_the_package():
    """The last stage is what features gives."""
    model = ResNet3D18(3, width=2)
    clip = jax.random.uniform(KEY, (4, 16, 16, 3))
    network = Classifier.from_model(model, toys.drawn(model, clip.shape, vectors=0.1))
    assert {"layer2_0", "layer2_0.conv1", "layer4_1", "fc"} <= set(network.layers(clip.shape))
    last, features = jax.jit(lambda clip: (network.at("layer4_1").features(clip), network.features(clip)))(clip)
    np.testing.assert_allclose(last, features, rtol=1e-5)


def test_layers_that_cannot_be(pair, no_shape_checks):
    _, whole = pair
    with pytest.raises(
        TypeError, match=r"`classifier` must have .* for gradcam; got Classifier of a network as a whole"
    ):
        gradcam(whole, CLIP)
    with pytest.raises(TypeError, match=r"`classifier` must have features and head; got a whole network"):
        whole.features(CLIP)
    with pytest.raises(
        ValueError, match=r"`layer` must be one of the 5 layers .*; got 'blocc'. Did you mean 'block'\?"
    ):
        gradcam(whole.at("blocc"), CLIP)
    with pytest.raises(ValueError, match=r"`layer` must give activations .*`grid=\(t, h, w\)`.*; got \(1, 3\)"):
        gradcam(whole.at("dense"), CLIP)
    with pytest.raises(ValueError, match=r"`skip` must be at least 0, and 0 without `grid`; got 1"):
        whole.at("block", skip=1)
    callback = Classifier.from_callback(numpy_network, 4)
    with pytest.raises(
        TypeError, match=r"`classifier.at` must be of a Flax module given to from_model; got .*Callback"
    ):
        callback.at("layer")


TOKENS = jnp.asarray(np.random.default_rng(1).standard_normal((1, 3)), jnp.float32)


def tokens_of(params, clip):
    blocks = clip.reshape(2, 1, 2, 2, 3, 2, 3).mean(axis=(1, 3, 5)).reshape(12, 3)
    return jnp.concatenate([params["class"], blocks])


def head_of_tokens(params, tokens):
    """The token of the class weighs the others, so a head without it would give other numbers."""
    weights = jax.nn.softmax(tokens[1:] @ tokens[0])
    return weights @ tokens[1:] @ params["head"]


def test_tokens_are_activations_in_their_place():
    params = {"class": TOKENS, "head": jnp.asarray(WEIGHTS)}
    network = Classifier.from_tokens(tokens_of, head_of_tokens, params, grid=(2, 2, 3), skip=1)

    def features(params, clip):
        return tokens_of(params, clip)[1:].reshape(2, 2, 3, 3)

    def head(params, activations):
        return head_of_tokens(params, jnp.concatenate([params["class"], activations.reshape(12, 3)]))

    same = Classifier.from_functions(features, head, params)
    np.testing.assert_array_equal(network.features(CLIP), same.features(CLIP))
    np.testing.assert_allclose(network(CLIP), same(CLIP), rtol=1e-6)
    np.testing.assert_allclose(gradcam(network, CLIP, "all"), gradcam(same, CLIP, "all"), rtol=1e-5)
    np.testing.assert_allclose(sidu(network, CLIP, 1), sidu(same, CLIP, 1), rtol=1e-5)
    with pytest.raises(ValueError, match=r"`grid` must have \(2, 2, 2\) and 1 more tokens, 9; got \(13, 3\)"):
        gradcam(Classifier.from_tokens(tokens_of, head_of_tokens, params, grid=(2, 2, 2), skip=1), CLIP)
    with pytest.raises(ValueError, match=r"must return \(t, h, w, d\); Classifier.from_tokens .*; got shape \(13, 3\)"):
        gradcam(Classifier.from_functions(tokens_of, head_of_tokens, params), CLIP)


def test_a_function_of_numpy_is_explained_as_the_same_function_of_jax():
    sizes = []

    def counted(clips):
        assert isinstance(clips, np.ndarray)
        sizes.append(len(clips))
        return numpy_network(clips)

    network = Classifier.from_callback(counted, 4, classes=("a", "b", "c", "d"))
    options = dict(chunk_size=4, **MASKS)
    np.testing.assert_allclose(
        rise(KEY, network, CLIP, "c", **options), rise(KEY, jax_network, CLIP, 2, **options), rtol=1e-5
    )
    assert max(sizes) == 4  # a chunk in one call
    curves = [deletion(function, CLIP, CLIP[..., 0], num_steps=5).scores for function in (network, jax_network)]
    np.testing.assert_allclose(*curves, rtol=1e-5)
    masks = (jnp.arange(3 * 48).reshape(3, 2, 4, 6) % 2).astype(jnp.float32)
    np.testing.assert_allclose(score_masks(network, CLIP, masks), score_masks(jax_network, CLIP, masks), rtol=1e-5)
    np.testing.assert_allclose(jax.jit(network)(CLIP), jax_network(CLIP), rtol=1e-5)
    for method in (gradcam, sidu):
        with pytest.raises(TypeError, match="`classifier` must have features and head for .*network as a whole"):
            method(network, CLIP)


def test_functions_that_give_something_else(no_shape_checks):
    short = Classifier.from_callback(lambda clips: np.zeros((len(clips), 2)), 4)
    with pytest.raises(Exception, match=r"`function` must return scores \(1, 4\) for 1 clips; got \(1, 2\)"):
        jax.block_until_ready(short(CLIP))
    with pytest.raises(TypeError, match="`function` must be a function; got 3"):
        Classifier.from_callback(3, 4)
    with pytest.raises(ValueError, match="`num_classes` must be at least 1; got 0"):
        Classifier.from_callback(numpy_network, 0)
    with pytest.raises(ValueError, match=r"got a dict of 'logits', 'loss'"):
        rise(KEY, lambda clip: {"logits": clip[0, 0, 0], "loss": 0.0 * clip[0, 0, 0]}, CLIP)
    with pytest.raises(ValueError, match=r"got a tuple of 2: .*\(return the logits alone\)"):
        rise(KEY, lambda clip: (clip[0, 0, 0], clip), CLIP)


@pytest.mark.parametrize(
    "wrap", [lambda z: z, lambda z: {"logits": z}, namedtuple("Output", "logits")], ids=["array", "dict", "tuple"]
)
def test_outputs_that_hold_logits_are_understood(wrap):
    class Wrapped(nn.Module):
        @nn.compact
        def __call__(self, clips, deterministic: bool):
            assert deterministic
            return wrap(clips.mean(axis=(1, 2, 3)))

    found = Classifier.from_model(Wrapped(), {}, mean=None, std=None)(CLIP)
    np.testing.assert_allclose(found, CLIP.mean(axis=(0, 1, 2)), rtol=1e-5)


def test_a_tuple_of_outputs_is_named():
    class Two(nn.Module):
        @nn.compact
        def __call__(self, clips):
            return clips.mean(axis=(1, 2, 3)), clips

    with pytest.raises(TypeError, match=r"`model` must return logits.*; got a tuple of 2: \(1, 3\), .*"):
        Classifier.from_model(Two(), {}, mean=None, std=None)(CLIP)


def test_channels_first_are_named_where_a_network_cannot_take_them():
    def network(clip):
        kernel = jnp.ones((1, 1, 1, 3, 4))
        maps = jax.lax.conv_general_dilated(
            clip[None], kernel, (1, 1, 1), "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
        )
        return maps.mean(axis=(0, 1, 2, 3))

    with pytest.raises(ValueError, match=r"`clip` must have shape \(T, H, W, C\), channels last; got \(3, 2, 4, 6\)"):
        rise(KEY, network, jnp.moveaxis(CLIP, -1, 0), **MASKS)


def test_a_module_in_training_mode_is_named():
    from flax import nnx

    class Dropped(nnx.Module):
        def __init__(self, rngs):
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, clip):
            return self.dropout(clip.mean(axis=(0, 1, 2)))

    model = Dropped(nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"evaluation mode, model.eval\(\); got dropout with deterministic=False"):
        rise(KEY, model, CLIP, **MASKS)
    model.eval()
    assert rise(KEY, model, CLIP, **MASKS).shape == CLIP.shape[:3]


def test_a_network_of_pytorch_is_explained():
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(
        torch.nn.Conv3d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten()
    )

    def function(clips):
        with torch.no_grad():
            return net(torch.from_numpy(np.ascontiguousarray(np.moveaxis(clips, -1, 1)))).numpy()

    network = Classifier.from_callback(function, 4)
    clip = jax.random.uniform(KEY, (4, 8, 8, 3))
    np.testing.assert_allclose(network(clip), function(np.asarray(clip)[None])[0], rtol=1e-5)
    assert rise(KEY, network, clip, **MASKS).shape == (4, 8, 8)
