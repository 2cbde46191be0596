"""The preset for accelerators is complete: its networks train and its clips are scored there."""

import jax
import jax.numpy as jnp
import pytest

from jaxsal.core.callables import split_callable
from jaxsal.engine.masks import Families
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import Program, score_chunks
from jaxsal.paper.config import ARCHITECTURES, PRESETS
from jaxsal.recipes import RECIPES
from jaxsal.training.train import init_state, train_step

STUDY = PRESETS["full"]
CLASSES = tuple(map(str, range(8)))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_training_and_scoring_lower_for_accelerators(arch, no_shape_checks):
    config = STUDY.network(arch, "IRTV")
    spec, options = config.spec(CLASSES), config.training.on_clips(512)
    assert spec.clip_shape == ({"resnet3d18": 16, "pan": 32}[arch], 224, 224, 3)
    state = jax.eval_shape(lambda: init_state(spec, options))
    batch = options.batch_size, spec.num_frames, spec.size, spec.size, 3
    shapes = jax.ShapeDtypeStruct(batch, jnp.uint8), jax.ShapeDtypeStruct(batch[:1], jnp.int32)
    trained = jax.export.export(train_step, platforms=["cuda", "tpu"])(state, jax.random.key(0), *shapes, spec, options)
    assert trained.platforms == ("cuda", "tpu")

    frames, height, width, _ = spec.clip_shape
    shape = frames // getattr(spec.model(), "frames_per_mask", 1), height, width
    rise = RECIPES["default"].rise
    masks = RiseMasks.draw(
        jax.random.key(0), STUDY.mask_counts[-1], rise.keep_prob, shape, rise.grid_shape, rise.alignment, "own"
    )
    classifier = jax.eval_shape(spec.classifier, state.variables)
    parts = split_callable(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), classifier))
    clips = jnp.zeros((1, *spec.clip_shape))
    ids, pairs = jnp.zeros((8, STUDY.chunk_size), jnp.int32), jnp.zeros((8, STUDY.chunk_size, 2), jnp.int32)
    scored = jax.export.export(score_chunks, platforms=["cuda", "tpu"])(
        parts.arrays, clips, clips, Families.of([masks]), pairs, ids, jnp.int32(8), Program(parts.static)
    )
    assert scored.out_avals[0].shape == (8, STUDY.chunk_size, 8)
