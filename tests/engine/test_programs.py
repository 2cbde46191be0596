"""What the compiled programs do beside the forward pass: next to nothing, as their compiler says."""

import functools
import re
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import runs
import toys
from jaxsal.core.callables import join_callable, split_callable
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.masks import ActivationMasks, Families, RankMasks
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import Program, score, score_chunks
from jaxsal.recipes import BaselineName
from jaxsal.training import train as training
from jaxsal.training.networks import NetworkSpec

pytestmark = pytest.mark.usefixtures("no_shape_checks")
SPEC = NetworkSpec(runs.CLASSES, width=4, num_frames=8, size=32, crop=32)
PAN = NetworkSpec(runs.CLASSES, arch="pan", width=4, num_frames=8, size=32, crop=32)
CHUNK = 4


def rise(shape, grid_shape=(2, 4, 4)):
    return RiseMasks.draw(jax.random.key(0), 10, 0.5, shape, grid_shape)


SHAPE = SPEC.clip_shape[:3]
SCORED = {  # network and masks: of RISE, of SIDU, of the curves
    "RISE": (SPEC, rise(SHAPE)),
    "SIDU": (SPEC, ActivationMasks(jnp.zeros((1, 2, 2, 32)), jnp.float32(0.5), SHAPE, "centers")),
    "curves": (SPEC, RankMasks(jnp.zeros(SHAPE, jnp.int32), jnp.zeros(10, jnp.int32), True)),
    "RISE, PAN": (PAN, rise((2, 32, 32))),
}


@functools.cache
def forward_of(spec):
    """A network's weights, what else it is, and its forward pass on a chunk of clips, compiled."""
    variables = jax.eval_shape(spec.model().init, jax.random.key(0), jnp.zeros((1, *spec.clip_shape)))
    filled = spec.classifier(jax.tree.map(lambda leaf: np.ones(leaf.shape, np.float32), dict(variables)))
    arrays, static = split_callable(filled)

    def forward(arrays, clips):
        return jax.vmap(join_callable(arrays, static))(clips)

    clips = jax.ShapeDtypeStruct((CHUNK, *spec.clip_shape), jnp.float32)
    return arrays, static, jax.jit(forward).lower(arrays, clips).compile()


@pytest.mark.parametrize("name", SCORED)
def test_masks_move_hardly_more_bytes_than_the_forward_and_copy_no_clip(name):
    """Copies and transposes concern less than one clip, but for a chunk of SIDU's masks and the maps that PAN makes."""
    spec, masks = SCORED[name]
    arrays, static, forward = forward_of(spec)
    clips = jax.ShapeDtypeStruct((1, *spec.clip_shape), jnp.float32)
    chunks = np.zeros((1, CHUNK, 2), np.int32), np.zeros((1, CHUNK), np.int32), np.int32(1)
    loop = score_chunks.lower(arrays, clips, clips, Families.of([masks]), *chunks, Program(static)).compile()
    bytes_of_loop, bytes_of_forward = (program.cost_analysis()["bytes accessed"] for program in (loop, forward))
    assert bytes_of_loop / bytes_of_forward < 1.05
    of_loop, of_forward = (
        set(re.findall(r"= \w+\[([\d,]+)\]\S* (?:copy|transpose)\(", program.as_text())) for program in (loop, forward)
    )
    shapes = of_loop - of_forward if "PAN" in name else of_loop
    largest = max((np.prod([int(size) for size in shape.split(",")]) for shape in shapes), default=0)
    if name == "SIDU":
        assert largest == CHUNK * np.prod(SHAPE)
    else:
        assert largest < np.prod(SPEC.clip_shape)


def test_training_gives_its_state_up():
    """Every array of the state is taken over by one of the next state."""
    state = jax.eval_shape(lambda: training.init_state(runs.SPEC, runs.OPTIONS))
    clips, labels = jnp.zeros((4, 4, 18, 18, 3), jnp.uint8), jnp.zeros(4, jnp.int32)
    lowered = training.train_step.lower(state, jax.random.key(0), clips, labels, runs.SPEC, runs.OPTIONS)
    taken = lowered.as_text().count("tf.aliasing_output")
    assert taken == len(jax.tree.leaves(state))


@pytest.mark.parametrize("baseline", get_args(BaselineName))
def test_what_goes_to_the_device_is_sent_on_purpose(baseline):
    clips = np.random.default_rng(0).random((2, 4, 6, 9, 3), np.float32)
    ids = np.arange(7, dtype=np.int32)
    classifier, masks = toys.pooling_classifier(cells=(2, 2, 3)), rise((4, 6, 9), (2, 3, 3))
    with jax.transfer_guard_host_to_device("disallow"):
        batch = prepare(classifier, clips)
        pairs = np.stack([ids % 2, 0 * ids], axis=1)
        scores = score(batch, [masks], pairs, ids, baseline=Baseline.of(baseline), chunk_size=3)
        assert batch.logits.shape == scores[:2].shape == (2, 4)
