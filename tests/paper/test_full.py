"""The preset for accelerators is complete: its networks train and its clips are scored there."""

import jax
import jax.numpy as jnp
import pytest

from jaxsal.core.callables import split_callable
from jaxsal.engine.masks import Families
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import Program, score_chunks
from jaxsal.paper.config import PRESETS
from jaxsal.recipes import RECIPES
from jaxsal.training.train import init_state, train_step

STUDY = PRESETS["full"]
CLASSES = tuple(map(str, range(8)))


@pytest.mark.parametrize(("arch", "num_frames"), [("resnet3d18", 16), ("pan", 32)])
def test_clips_are_those_of_the_study(arch, num_frames):
    assert STUDY.network(arch, "IRTV").spec(CLASSES).clip_shape == (num_frames, 224, 224, 3)


def test_training_lowers_for_accelerators(no_shape_checks):
    """Of PAN: a 3D-ResNet has no layer that PAN has not."""
    config = STUDY.network("pan", "IRTV")
    spec, options = config.spec(CLASSES), config.training.on_clips(512)
    state = jax.eval_shape(lambda: init_state(spec, options))
    batch = options.batch_size, spec.num_frames, spec.size, spec.size, 3
    shapes = jax.ShapeDtypeStruct(batch, jnp.uint8), jax.ShapeDtypeStruct(batch[:1], jnp.int32)
    trained = jax.export.export(train_step, platforms=["cuda", "tpu"])(state, jax.random.key(0), *shapes, spec, options)
    assert trained.platforms == ("cuda", "tpu")


def test_scoring_lowers_for_accelerators(no_shape_checks):
    spec = STUDY.network("resnet3d18", "IRTV").spec(CLASSES)
    rise = RECIPES["default"].rise
    masks = RiseMasks.draw(
        jax.random.key(0),
        STUDY.mask_counts[-1],
        rise.keep_prob,
        spec.clip_shape[:3],
        rise.grid_shape,
        rise.alignment,
        "own",
    )
    classifier = spec.untrained()
    parts = split_callable(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), classifier))
    clips = jnp.zeros((1, *spec.clip_shape))
    ids, pairs = jnp.zeros((8, STUDY.chunk_size), jnp.int32), jnp.zeros((8, STUDY.chunk_size, 2), jnp.int32)
    scored = jax.export.export(score_chunks, platforms=["cuda", "tpu"])(
        parts.arrays, clips, clips, Families.of([masks]), pairs, ids, jnp.int32(8), Program(parts.static)
    )
    assert scored.out_avals[0].shape == (8, STUDY.chunk_size, 8)
