"""Every compiled program of the package lowers for accelerators, without one at hand."""

import ast
import dataclasses
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsal
import runs
import toys
from jaxsal import classifier as classifiers
from jaxsal.core import callables, fingerprints
from jaxsal.core.callables import split_callable
from jaxsal.engine import baselines, inputs, resample
from jaxsal.engine import masked as scoring
from jaxsal.engine import scoring as engine
from jaxsal.engine.masks import ActivationMasks, DenseMasks, RankMasks, RiseMasks
from jaxsal.engine.padded_masks import common_padding, pad_masks
from jaxsal.metrics import curves, localization, steps
from jaxsal.models import initialise
from jaxsal.recipes import RECIPES
from jaxsal.saliency import gradcam, readout, sidu
from jaxsal.training import train as training
from jaxsal.training.networks import NetworkSpec

pytestmark = pytest.mark.usefixtures("no_shape_checks")

PLATFORMS = ("cpu", "cuda", "tpu")
PAN = NetworkSpec(runs.CLASSES, "IRTV", arch="pan", width=4, num_frames=8, size=32, crop=32)
CLIP = jax.ShapeDtypeStruct((4, 6, 9, 3), jnp.float32)
SHAPE = CLIP.shape[:3]
IDS, LOGITS = jnp.arange(10, dtype=jnp.int32), jnp.zeros((10, 2))
RISE = RiseMasks(jax.random.key(0), 10, 0.5, SHAPE, (2, 3, 3), "mirror", "own")
ACTIVATION = ActivationMasks(jnp.zeros((2, 2, 3, 3)), jnp.float32(0.5), SHAPE, "centers")
FAMILIES = {
    "RiseMasks": RISE,
    "PaddedRiseMasks": pad_masks(RISE, SHAPE[0], common_padding([RISE])),
    "RankMasks": RankMasks(jnp.arange(np.prod(SHAPE), dtype=jnp.int32).reshape(SHAPE), IDS, True),
    "ActivationMasks": ACTIVATION,
    "DenseMasks": DenseMasks(jnp.zeros((10, *SHAPE))),
    "stratified": dataclasses.replace(RISE, sampling="stratified"),
    "sobol": dataclasses.replace(RISE, sampling="sobol"),
}
TOY = split_callable(toys.pooling_classifier(cells=(2, 2, 3), head=np.zeros((3, 2), np.float32)))


def network(spec, dtype=jnp.float32):
    """A network without numbers, taken apart, and a clip for it."""
    variables = jax.eval_shape(spec.model().init, jax.random.key(0), jnp.zeros((1, *spec.clip_shape)))
    classifier = jax.eval_shape(spec.classifier, dict(variables))
    filled = jax.tree.map(lambda leaf: np.broadcast_to(np.ones((), leaf.dtype), leaf.shape), classifier)
    return split_callable(filled), jax.ShapeDtypeStruct(spec.clip_shape, dtype)


def network_method():
    parts, clip = network(runs.SPEC)
    bound = callables.join_callable(*parts).features_fn
    return classifiers._apply, bound, callables.join_callable(*parts).params, clip


def scoring_program(family, parts=TOY, clip=CLIP, batch_size=None):
    """Arguments of the program that scores masks."""
    chunks = jnp.zeros((2, batch_size or 5), jnp.int32)
    baseline = jnp.zeros(3, clip.dtype)
    static = (parts.static, "aligned", batch_size, None)
    return engine._score_chunks, parts.arrays, clip, baseline, family, chunks, 2, *static


def scoring_pairs():
    families = toys.stack_families([RISE, RISE, RISE])
    chunks, pairs = jnp.zeros((2, 5), jnp.int32), jnp.zeros((2, 5, 2), jnp.int32)
    arguments = TOY.arrays, CLIPS, jnp.zeros((2, 3)), families, chunks, 2, TOY.static, "aligned", None, pairs
    return engine._score_chunks, *arguments


def gradcam_program(parts, clip, every_class):
    return gradcam._gradcam, parts.arrays, clip, None, parts.static, every_class, RECIPES["default"].gradcam


def gradcam_of_clips():
    return gradcam._gradcam_each, TOY.arrays, CLIPS, IDS[:2], TOY.static, RECIPES["default"].gradcam


def pan_scoring():
    parts, clip = network(PAN)
    masks = RiseMasks(jax.random.key(0), 10, 0.5, (2, 32, 32), (2, 4, 4), "mirror", "own")
    return scoring_program(pad_masks(masks, 8, common_padding([masks])), parts, clip)


def bfloat16_scoring():
    """A network with weights of 16 bits, and a clip of 32."""
    parts, clip = network(runs.SPEC)
    parts = split_callable(callables.join_callable(*parts).with_precision("bfloat16"))
    assert {leaf.dtype.name for leaf in parts.arrays} == {"bfloat16", "float32"}
    masks = RiseMasks(jax.random.key(0), 10, 0.5, clip.shape[:3], (2, 4, 4), "mirror", "own")
    return scoring_program(masks, parts, clip)


def train_step():
    state = jax.eval_shape(partial(training.init_state, runs.SPEC, runs.OPTIONS))
    clips, labels = jnp.zeros((4, 4, 18, 18, 3), jnp.uint8), jnp.zeros(4, jnp.int32)
    return training.train_step, state, jax.random.key(0), clips, labels, runs.SPEC, runs.OPTIONS


def predictor():
    shape = (1, *runs.SPEC.clip_shape)
    variables = jax.eval_shape(runs.SPEC.model().init, jax.random.key(0), jnp.zeros(shape))
    return training._predictor(runs.SPEC), dict(variables), jnp.zeros((2, 4, 18, 18, 3), jnp.uint8)


def read_out(function):
    return lambda: (function, RISE, IDS, LOGITS, jnp.ones(10, bool), "mean")


CLIPS = jax.ShapeDtypeStruct((2, *CLIP.shape), jnp.float32)
MAP = jax.ShapeDtypeStruct(SHAPE, jnp.float32)
SIDU_SCORES = (jnp.zeros(2), jnp.zeros((3, 2)))
BATCHED = split_callable(toys.pooling_classifier(cells=(2, 2, 3)).with_normalization("minmax"))
PROGRAMS = {
    **{f"_score_chunks, {name}": partial(scoring_program, family) for name, family in FAMILIES.items()},
    "_score_chunks, in batches": partial(scoring_program, RISE, BATCHED, batch_size=5),
    "_score_chunks, bfloat16": bfloat16_scoring,
    "_score_chunks, PAN": pan_scoring,
    "_score_chunks, several clips": scoring_pairs,
    "_mask": lambda: (scoring._mask, RISE, IDS[0]),
    "_gradcam, 3D-ResNet": lambda: gradcam_program(*network(runs.SPEC), False),
    "_gradcam, PAN": lambda: gradcam_program(*network(PAN), True),
    "_gradcam_each": lambda: (
        gradcam._gradcam_each,
        TOY.arrays,
        CLIPS,
        IDS[:2],
        TOY.static,
        RECIPES["default"].gradcam,
    ),
    "_features_and_logits": lambda: (sidu._features_and_logits, TOY.arrays, CLIP, TOY.static, True),
    "_features_and_logits_each": lambda: (sidu._features_and_logits_each, TOY.arrays, CLIPS, TOY.static, True),
    "_read_out": lambda: (sidu._read_out, ACTIVATION, *SIDU_SCORES, jnp.float32(0.25), None, True, False),
    "_read": lambda: (readout._read, RISE, IDS, LOGITS[:, :1], 10, readout.rise_map, "mean", True),
    "rise_map": read_out(readout.rise_map),
    "rise_stderr": read_out(readout.rise_stderr),
    "rise_profile_stderr": read_out(readout.rise_profile_stderr),
    "rank": lambda: (steps.rank, MAP),
    "_rank_each": lambda: (steps._rank_each, jax.ShapeDtypeStruct((2, *SHAPE), jnp.float32), None, "random"),
    "_scores_and_auc": lambda: (curves._scores_and_auc, LOGITS, jnp.int32(9), None, False),
    "localize": lambda: (localization.localize, MAP, jnp.zeros(SHAPE, bool)),
    "degrade": lambda: (resample.degrade, CLIP, 2),
    "gaussian_blur": lambda: (baselines.gaussian_blur, CLIP, jnp.zeros(3), 3, 1.0),
    "_apply": network_method,
    "call": lambda: (callables.call, TOY.arrays, CLIP, TOY.static),
    "call_each": lambda: (callables.call_each, TOY.arrays, CLIPS, TOY.static),
    "call_parts": lambda: (callables.call_parts, TOY.arrays, CLIP, TOY.static),
    "train_step": train_step,
    "predict": predictor,
    "_range": lambda: (inputs._range, CLIP),
    "_checksums": lambda: (fingerprints._checksums, [CLIP, IDS]),
}
OF_CPU = {"planar_convolution", "image_convolution"}  # a branch of the networks above
ON_THE_HOST = {"init_variables": initialise.init_variables}  # draws by numpy, in a callback


@pytest.mark.parametrize("name", PROGRAMS)
def test_lowers(name):
    function, *arguments = PROGRAMS[name]()
    exported = jax.export.export(function, platforms=PLATFORMS)(*arguments)
    assert exported.platforms == PLATFORMS
    text = exported.mlir_module()
    assert "callback" not in text


def test_no_compiled_program_is_forgotten():
    """Whatever `jax.jit` decorates in the package is in the list above."""
    found = set()
    for path in Path(jaxsal.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                found |= {node.name for decorator in node.decorator_list if "jax.jit" in ast.unparse(decorator)}
            elif isinstance(node, ast.Assign) and "jax.jit(" in ast.unparse(node.value):
                found.add(ast.unparse(node.targets[0]))
    assert found == {name.split(",")[0] for name in PROGRAMS} | OF_CPU | set(ON_THE_HOST)
