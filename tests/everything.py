"""Small runs of all that the package compiles: every method, measure and network, and training."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import runs
import toys
from jaxsal import Classifier, deletion, gradcam, insertion, rise_ledger, saliency_map, score_masks, sidu
from jaxsal.engine import inputs
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.requests import score_requests
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.metrics.curve_scores import curve_scores
from jaxsal.metrics.localization import localize
from jaxsal.models import VideoMAE, init_variables
from jaxsal.recipes import RECIPES, resolve_options
from jaxsal.recipes.further import IntegratedOptions
from jaxsal.saliency import sidu as sidu_module
from jaxsal.saliency.gradcam import gradcam_maps
from jaxsal.saliency.methods import METHODS
from jaxsal.saliency.settled import ledger_order
from jaxsal.training import accuracy, train as training
from jaxsal.training.networks import NetworkSpec

PAN = NetworkSpec(runs.CLASSES, "IRTV", arch="pan", width=4, num_frames=8, size=32, crop=32)
CLIP = np.random.default_rng(0).random((4, 6, 9, 3)).astype(np.float32)
GRID = dict(num_masks=6, grid_shape=(2, 3, 3), keep_prob=0.5)


def run():
    """All of it: classifiers without a network as a user would, networks by their shapes alone."""
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    inputs.on_host = lambda array: isinstance(array, np.ndarray)  # as on an accelerator
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=np.zeros((3, 2), np.float32))
    explain_one_clip(classifier)
    explain_several_clips(classifier)
    explain_another_layer()
    explain_an_nnx_module()
    explain_tokens()
    jax.eval_shape(
        partial(init_variables, runs.RESNET.model(), clip_shape=(1, *runs.RESNET.clip_shape)), jax.random.key(0)
    )
    for spec, precision in ((runs.RESNET, "float32"), (runs.SPEC, "bfloat16"), (PAN, "float32")):
        explain_by_shapes(spec, precision)
    train_by_shapes()


def explain_one_clip(classifier):
    """Every method, mask and read-out."""
    for sampling in ("independent", "stratified", "sobol"):
        ledger = rise_ledger(jax.random.key(0), classifier, CLIP, sampling=sampling, **GRID)
    ledger = rise_ledger(jax.random.key(0), classifier, CLIP, **GRID)
    ledger_order(ledger, 1, top=2)
    ledger.map("all")
    ledger.stderr(1, estimator="centered")
    ledger.stderr("all", per_frame=True)
    minmax = classifier.with_normalization("minmax")
    for recipe in RECIPES:
        saliency = gradcam(classifier, CLIP, recipe=recipe)
        sidu(classifier, jnp.asarray(CLIP), "all", recipe=recipe)
        deletion(classifier, CLIP, saliency, recipe=recipe)
    insertion(classifier, CLIP, saliency, recipe="canonical")
    sidu(minmax, CLIP, batch_size=3)
    deletion(classifier, CLIP, saliency, num_steps=9, approximation="refine")
    score_masks(classifier, CLIP, np.ones((4, 2, 6, 9), np.float32), frame_slices="modulo")
    localize(saliency, jnp.zeros(saliency.shape, bool))
    for method in ("reciprocam", IntegratedOptions(num_samples=2)):
        saliency_map(classifier, CLIP, method=method)


def explain_several_clips(classifier):
    """Side by side in each chunk."""
    batch, options = prepare(classifier, [CLIP, 1 - CLIP]), resolve_options("rise", "default", GRID)
    maps = gradcam_maps(batch, [0, 1], RECIPES["default"].gradcam)
    families, requests = METHODS["rise"].masks(batch, options, batch.shape, 0)
    score_requests(batch, families, requests, baseline=Baseline.of("mean"))
    sidu_module.sidu_scores(batch, RECIPES["default"].sidu)
    curve_scores(batch, [0, 1], maps, [0, 1], RECIPES["default"].insertion, True)


def explain_another_layer():
    """Of a Flax module as it is."""
    network = nn.Sequential((nn.Conv(2, (3, 3, 3)), nn.relu, lambda found: found.mean((1, 2, 3)), nn.Dense(2)))
    classifier = Classifier.from_model(network, toys.drawn(network, CLIP.shape))
    sidu(classifier.at("layers_0"), CLIP, 0)
    classifier.receptive_fields((1, 2, 2, 3))


def explain_an_nnx_module():
    """By a method that needs its activations."""
    conv = nnx.Conv(3, 2, (3, 3, 3), kernel_init=nnx.initializers.zeros_init(), rngs=nnx.Rngs(0))
    network = nnx.Sequential(conv, lambda found: found.mean((1, 2, 3)))
    gradcam(Classifier.from_model(network).at("layers/0"), CLIP, 0)


def explain_tokens():
    """By the method that reads attention."""
    network = VideoMAE(num_classes=2, width=4, depth=1, num_heads=2, mlp_width=4, tube=(2, 2, 3))
    variables = init_variables(network, jax.random.key(0), (1, *CLIP.shape))
    saliency_map(Classifier.from_model(network, variables), CLIP, 0, method="legrad")


def explain_by_shapes(spec, precision):
    """What a network takes, without its numbers and its passes."""
    variables = jax.eval_shape(spec.model().init, jax.random.key(0), jnp.zeros((1, *spec.clip_shape)))
    shape = (spec.clip_shape[0] // getattr(spec.model(), "frames_per_mask", 1), *spec.clip_shape[1:3])
    masks = RiseMasks.draw(jax.random.key(0), 4, 0.5, shape, (2, 4, 4))

    def explain(variables, clip):
        classifier = spec.classifier(dict(variables)).with_precision(precision)
        return gradcam(classifier, clip, 0), score_masks(classifier, clip, masks)

    jax.eval_shape(explain, variables, jax.ShapeDtypeStruct(spec.clip_shape, jnp.float32))


def train_by_shapes():
    """A step, and what a network predicts."""
    clips, labels = jnp.zeros((4, 4, 18, 18, 3), jnp.uint8), jnp.zeros(4, jnp.int32)

    def step(key):
        state = training.init_state(runs.SPEC, runs.OPTIONS)
        predicted = accuracy._predictor(runs.SPEC)(state.variables, clips)
        return training.train_step(state, key, clips, labels, runs.SPEC, runs.OPTIONS), predicted

    jax.eval_shape(step, jax.random.key(0))
