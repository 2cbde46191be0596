"""Every compiled program of methods, measures and training lowers for accelerators, without one at hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import runs
from jaxsal.callables import split_callable
from jaxsal.masks import RankMasks, RiseMasks
from jaxsal.recipes import RECIPES
from jaxsal.saliency.gradcam import _gradcam
from jaxsal.scoring import _score_chunks
from jaxsal.train import init_state, train_step

PLATFORMS = ["cpu", "cuda", "tpu"]
CLIP = jnp.zeros(runs.SPEC.clip_shape)


@pytest.fixture(scope="module")
def parts():
    state = init_state(runs.SPEC, runs.OPTIONS)
    return split_callable(runs.SPEC.classifier(state.variables))


@pytest.mark.parametrize("family", ["rise", "rank"])
def test_scoring(parts, family, no_shape_checks):
    shape = CLIP.shape[:3]
    ranks = jnp.arange(np.prod(shape), dtype=jnp.int32).reshape(shape)
    masks = {
        "rise": RiseMasks(jax.random.key(0), 10, 0.5, shape, (2, 4, 4), "mirror", "own"),
        "rank": RankMasks(ranks, jnp.arange(10, dtype=jnp.int32), True),
    }[family]
    ids = jnp.zeros((2, 5), jnp.int32)
    exported = jax.export.export(_score_chunks, platforms=PLATFORMS)(
        parts.arrays, CLIP, jnp.zeros(3), masks, ids, jnp.int32(2), parts.static, "aligned", None
    )
    assert exported.platforms == tuple(PLATFORMS)
    assert exported.out_avals[0].shape == (10, 2)


def test_gradcam(parts):
    exported = jax.export.export(_gradcam, platforms=PLATFORMS)(
        parts.arrays, CLIP, None, parts.static, False, RECIPES["default"].gradcam
    )
    assert exported.out_avals[0].shape == CLIP.shape[:3]


def test_training(no_shape_checks):
    state = init_state(runs.SPEC, runs.OPTIONS)
    clips = jnp.zeros((4, 4, 18, 18, 3), jnp.uint8)
    labels = jnp.zeros(4, jnp.int32)
    exported = jax.export.export(train_step, platforms=PLATFORMS)(
        state, jax.random.key(0), clips, labels, runs.SPEC, runs.OPTIONS
    )
    assert exported.platforms == tuple(PLATFORMS)
