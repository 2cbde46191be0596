"""LeGrad on a small VideoMAE: every layer's own score against a network that is written out; others are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsal
import toys
from jaxsal.models import VideoMAE
from jaxsal.models.videomae import positions

NET = VideoMAE(num_classes=3, width=8, depth=2, num_heads=2, mlp_width=12, tube=(2, 4, 4), epsilon=1e-6)
CLIP = np.random.default_rng(1).random((4, 8, 8, 3), np.float32)
VARIABLES = toys.drawn(NET, CLIP.shape)
CLASSIFIER = jaxsal.Classifier.from_model(NET, VARIABLES)
SHAPE, HEADS = (2, 2, 2), 2


def norm(weights, tokens, epsilon):
    centred = tokens - tokens.mean(axis=-1, keepdims=True)
    scaled = centred / jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)
    return scaled * weights["scale"] + weights["bias"]


def dense(weights, tokens):
    return tokens @ weights["kernel"] + weights.get("bias", 0)


def layer(weights, tokens, attention=None):
    """The tokens after a layer, and the attention in it, (heads, queries, keys); with other attention if given."""
    normed = norm(weights["norm1"], tokens, 1e-6)
    query, key, value = (
        dense(weights[name], normed).reshape(len(tokens), HEADS, -1) for name in ("query", "key", "value")
    )
    own = jax.nn.softmax(jnp.einsum("qhd,khd->hqk", query, key) / np.sqrt(query.shape[-1]), axis=-1)
    used = own if attention is None else attention
    tokens = tokens + dense(weights["out"], jnp.einsum("hqk,khd->qhd", used, value).reshape(tokens.shape))
    inner = jax.nn.gelu(dense(weights["mlp1"], norm(weights["norm2"], tokens, 1e-6)), approximate=False)
    return tokens + dense(weights["mlp2"], inner), own


def score(weights, tokens, target):
    return dense(weights["fc"], norm(weights["fc_norm"], tokens.mean(axis=0), 1e-5))[target]


@jax.jit
def expected(target):
    """Mean over layers, heads and queries of the positive gradient of each layer's score by its own attention."""
    weights = VARIABLES["params"]
    grid = NET.apply(VARIABLES, CLASSIFIER.normalize(CLIP)[None], method=lambda net, clips: net.patches(clips))
    tokens = grid.reshape(8, 8) + positions(8, 8)
    evidence = []
    for number in range(2):
        own = weights[f"layer_{number}"]
        after, attention = layer(own, tokens)
        gradient = jax.grad(lambda a, own=own, tokens=tokens: score(weights, layer(own, tokens, a)[0], target))(
            attention
        )
        evidence.append(jnp.maximum(gradient, 0).mean(axis=(0, 1)))
        tokens = after
    return jnp.stack(evidence).mean(axis=0).reshape(SHAPE)


def test_every_layer_is_asked_by_its_own_score():
    maps = jaxsal.saliency_map(CLASSIFIER, CLIP, "all", method="legrad")
    assert maps.shape == (3, 4, 8, 8)
    for target in (0, 2):
        saliency = expected(target)
        np.testing.assert_allclose(maps[target, ::3, ::7, ::7], saliency, rtol=1e-3, atol=1e-6)  # the corners
    assert np.ptp(maps[0]) > 0


def test_networks_without_attention_are_refused():
    with pytest.raises(TypeError, match="`classifier` must be of a Flax module of tokens for LeGrad, such as V"):
        jaxsal.saliency_map(toys.pooling_classifier((2, 2, 2)), CLIP, method="legrad")
