from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import golden
import toys
from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD
from jaxsal.models import ResNet50, variables_from_torch
from jaxsal.models.resnet import Backbone

LAYERS = {"layer1": "layer1_2", "layer2": "layer2_3", "layer3": "layer3_5", "layer4": "layer4_2"}


@pytest.fixture(scope="module")
def tiny():
    model = ResNet50(num_classes=3, width=4)
    images = jnp.asarray(np.random.default_rng(0).standard_normal((2, 64, 64, 3)), jnp.float32)
    return model, toys.drawn(model, images.shape[1:], vectors=0), images


def max_pool(images):
    """3x3, stride 2, over images padded by one pixel; the slow way."""
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    height, width = images.shape[1:3]
    shifts = [padded[:, y : y + height : 2, x : x + width : 2] for y in range(3) for x in range(3)]
    return np.max(shifts, axis=0)


def test_every_layer_and_the_logits_equal_torchvisions():
    model, variables = ResNet50(), variables_from_torch("resnet50", golden.weights("resnet50"))
    images = golden.load("resnet50")["x_u8"].astype(np.float32) / 255
    images = (images - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)

    @jax.jit
    def every_output(variables, images):
        capture = lambda module, _: module.name in ("conv1", "norm1", "backbone", *LAYERS.values())  # noqa: E731
        return model.apply(variables, images, capture_intermediates=capture)

    logits, state = every_output(variables, images)

    activations = state["intermediates"]["backbone"]["__call__"][0]
    np.testing.assert_allclose(model.apply(variables, activations, method="head"), logits, rtol=1e-5)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 25_557_032
    outputs = {name: values["__call__"][0] for name, values in state["intermediates"]["backbone"].items()
               if "__call__" in values}  # fmt: skip
    golden.assert_close("resnet50", "chmean.conv1", outputs["conv1"].mean((1, 2)))
    golden.assert_close("resnet50", "chmean.maxpool", max_pool(np.maximum(outputs["norm1"], 0)).mean((1, 2)))
    for layer, block in LAYERS.items():
        golden.assert_close("resnet50", f"chmean.{layer}", outputs[block].mean((1, 2)))
    golden.assert_close("resnet50", "layer4", activations.transpose(0, 3, 1, 2))
    golden.assert_close("resnet50", "logits", logits)


@pytest.mark.parametrize(("image", "activations"), [((65, 33), (3, 2)), ((31, 1), (1, 1))])
def test_shapes_of_the_activations(image, activations):
    model, images = ResNet50(width=8), jnp.zeros((2, *image, 3))

    features, _ = jax.eval_shape(partial(model.init_with_output, method="features"), jax.random.key(0), images)

    assert features.shape == (2, *activations, 256)


def test_training_replaces_all_statistics(tiny):
    model, variables, images = tiny

    def updated(statistics):
        given = variables | {"batch_stats": statistics}
        return model.apply(given, images, True, method="features", mutable=["batch_stats"])[1]

    program = jax.make_jaxpr(updated)(variables["batch_stats"]).jaxpr

    assert len(program.outvars) == len(program.invars) == 106
    assert not set(program.outvars) & set(program.invars)


def test_the_shift_is_seen_by_all_residual_branches_and_no_shortcut(tiny):
    """A shift to zeros leaves of every block its shortcut plus what batch norm makes of zeros, here nothing."""
    _, variables, images = tiny
    shifted = []

    def to_zeros(activations):
        shifted.append(activations.shape[1:])
        return jnp.zeros_like(activations)

    backbone = {name: tree["backbone"] for name, tree in variables.items()}
    model = Backbone(4, to_zeros)
    capture = lambda module, _: module.name == "norm1"  # noqa: E731
    apply = jax.jit(lambda variables, images: model.apply(variables, images, capture_intermediates=capture))
    activations, state = apply(backbone, images)

    pooled = max_pool(np.maximum(state["intermediates"]["norm1"]["__call__"][0], 0))
    for layer in (1, 2, 3, 4):
        kernel = np.asarray(backbone["params"][f"layer{layer}_0"]["shortcut_conv"]["kernel"][0, 0])
        stride = 1 if layer == 1 else 2
        pooled = np.maximum(pooled[:, ::stride, ::stride] @ kernel / np.sqrt(1 + 1e-5), 0)
    assert len(shifted) == 16
    assert shifted[:4] == [(16, 16, 4), (16, 16, 16), (16, 16, 16), (16, 16, 16)]
    np.testing.assert_allclose(activations, pooled, rtol=1e-4, atol=1e-5)
