"""Models with known answers, all of clips (T, H, W, C): plain functions and classifiers without a network."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal import Classifier
from jaxsal.engine.requests import Scores
from jaxsal.engine.rise_masks import RiseMasks


def linear_logit(weights):
    """Logits (<weights, clip>, 0): every voxel counts by its weight."""

    def score_fn(clip):
        total = (weights * clip).sum()
        return jnp.stack([total, jnp.zeros_like(total)])

    return score_fn


def one_voxel(voxel, gain=4.0):
    """Logits (gain, -gain) times the voxel's mean over the channels: nothing else is looked at."""

    def score_fn(clip):
        value = gain * clip[voxel].mean()
        return jnp.stack([value, -value])

    return score_fn


def one_frame(frame, gain=8.0):
    """As `one_voxel`, of the mean of one frame."""

    def score_fn(clip):
        value = gain * clip[frame].mean()
        return jnp.stack([value, -value])

    return score_fn


def one_spectrum(gain=8.0):
    """Reads colour: class 0 for a clip with any (visible), class 1 for a grey one (infrared)."""

    def score_fn(clip):
        colour = (clip.max(axis=-1) - clip.min(axis=-1)).mean()
        return jnp.stack([gain * colour, gain * (0.1 - colour)])

    return score_fn


def constant(num_classes=3):
    """The same logits for every clip."""
    return lambda clip: jnp.arange(num_classes, dtype=clip.dtype)


def _pool(params, clip):
    num_frames, height, width, _ = clip.shape
    t, h, w = params["cells"].shape
    blocks = clip.reshape(t, num_frames // t, h, height // h, w, width // w, -1)
    return blocks.mean(axis=(1, 3, 5)) * params["cells"][..., None]


def _linear_head(params, activations):
    return jnp.einsum("thwd,dk->k", activations, params["head"]) / activations[..., 0].size


def pooling_classifier(cells=(2, 2, 3), head=None, channels=3, **options):
    """Activations are block means of the clip; the head averages them and is linear, `head` (d, K).

    Grad-CAM in closed form: alpha_k = head[k, c], whatever the position.
    """
    if head is None:
        head = jax.random.normal(jax.random.key(7), (channels, 4))
    params = {"cells": jnp.ones(cells), "head": jnp.asarray(head)}
    return Classifier.from_functions(_pool, _linear_head, params, **options)


def conv_classifier(weights, conv1_stride, conv2_stride, *, mean, std):
    """The stand-in network of the reference outputs: conv, ReLU, conv, ReLU, global mean, linear.

    `weights` holds torch arrays w.conv1.weight (O, I, [T,] H, W) and so on; 2-D kernels see frames one by one.
    """

    def kernel(name):
        array = jnp.asarray(weights[name])
        array = array[:, :, None] if array.ndim == 4 else array
        return array.transpose(2, 3, 4, 1, 0)

    params = {
        "kernels": [kernel("conv1.weight"), kernel("conv2.weight")],
        "biases": [jnp.asarray(weights["conv1.bias"]), jnp.asarray(weights["conv2.bias"])],
        "head": jnp.asarray(weights["fc.weight"]).T,
        "head_bias": jnp.asarray(weights["fc.bias"]),
    }

    def features(params, clip):
        activations = clip[None]
        strides = (conv1_stride, conv2_stride)
        for kernel, bias, stride in zip(params["kernels"], params["biases"], strides, strict=True):
            pads = [(size // 2, size // 2) for size in kernel.shape[:3]]
            activations = jax.lax.conv_general_dilated(
                activations, kernel, stride, pads, dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
            )
            activations = jax.nn.relu(activations + bias)
        return activations[0]

    def head(params, activations):
        return activations.mean(axis=(0, 1, 2)) @ params["head"] + params["head_bias"]

    return Classifier.from_functions(features, head, params, mean=mean, std=std)


def drawn(module, clip_shape, seed=0, *, vectors=None):
    """Variables of a Flax module of clips, drawn on the host, where nothing is compiled; scales and variances are 1.

    With a number of `vectors` biases and means are about as far from 0, scales and variances from 1, and kernels are
    those of a deep network: of He's variance.
    """
    shapes = jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *clip_shape), jnp.float32))
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        ones, values = any(name in str(path[-1]) for name in ("var", "scale")), rng.standard_normal(leaf.shape)
        if vectors is not None and len(leaf.shape) == 1:
            return (ones + vectors * values).astype(leaf.dtype)
        if ones:
            return np.ones(leaf.shape, leaf.dtype)
        fan_in = max(1, np.prod(leaf.shape[:-1]))
        return (values * np.sqrt((1 if vectors is None else 2) / fan_in)).astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(draw, dict(shapes))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StoredMasks(RiseMasks):
    """RISE masks whose random numbers were stored instead of drawn."""

    grids: jax.Array = None
    offsets: jax.Array = None

    def grid_and_offset(self, mask_id):
        return self.grids[mask_id] == 1, self.offsets[mask_id]


def stored_masks(grids, offsets, keep_prob, shape, options):
    """RISE masks of grids (N, s_t, s_h, s_w) and offsets (N, 3), stretched as a recipe's `options` say."""
    cells = options.alignment, options.temporal_cell
    drawn = StoredMasks.draw(jax.random.key(0), len(grids), keep_prob, shape, grids.shape[1:], *cells)
    return dataclasses.replace(drawn, grids=jnp.asarray(grids), offsets=jnp.asarray(offsets))


@jax.jit
def made(masks, ids):
    """Masks of a family by their numbers, by one program for all families of a kind and shape."""
    return jax.vmap(masks)(ids)


def every_mask(masks):
    """All masks of a family, on the host."""
    return np.asarray(made(masks, np.arange(masks.num_masks, dtype=np.int32)))


def curve_of(masks, logits, target):
    """The scores of all steps of a curve, as its read-out takes them."""
    clip_logits = jax.nn.one_hot(target, logits.shape[1])
    return Scores(masks, np.arange(len(logits)), logits, clip_logits)
