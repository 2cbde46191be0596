from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import golden
from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD
from jaxsal.models import ResNet3D18, init_variables, variables_from_torch
from slow_convolution import convolve


@pytest.fixture(scope="module")
def tiny():
    model = ResNet3D18(num_classes=3, width=4)
    clips = jnp.asarray(np.random.default_rng(0).standard_normal((2, 2, 36, 24, 3)), jnp.float32)
    return model, init_variables(model, jax.random.key(0), clips.shape), clips


def test_every_layer_and_the_logits_equal_torchvisions():
    """The full network with the reference run's weights, on the reference clips."""
    variables = variables_from_torch("resnet3d18", golden.weights("r3d18"))
    clips = golden.load("r3d18")["x_u8"].astype(np.float32) / 255
    clips = jnp.asarray((clips - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD))
    names = {"stem": "stem_norm"} | {f"layer{layer}": f"layer{layer}_1" for layer in (1, 2, 3, 4)}

    @jax.jit
    def every_output(variables, clips):
        capture = lambda module, _: module.name in names.values()  # noqa: E731
        logits, state = ResNet3D18().apply(variables, clips, capture_intermediates=capture)
        return logits, {name: state["intermediates"][module]["__call__"][0] for name, module in names.items()}

    logits, outputs = every_output(variables, clips)

    outputs["stem"] = jax.nn.relu(outputs["stem"])
    for name, output in outputs.items():
        golden.assert_close("r3d18", f"chmean.{name}", output.mean((1, 2, 3)))
    golden.assert_close("r3d18", "layer4", outputs["layer4"].transpose(0, 4, 1, 2, 3))
    golden.assert_close("r3d18", "logits", logits)


@pytest.mark.parametrize(("num_classes", "num_parameters"), [(8, 33_170_376), (400, 33_371_472)])
def test_number_of_parameters(num_classes, num_parameters):
    model = ResNet3D18(num_classes)

    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 8, 32, 32, 3)))

    assert sum(leaf.size for leaf in jax.tree.leaves(shapes["params"])) == num_parameters


@pytest.mark.parametrize(
    ("clip", "activations"),
    [((16, 224, 224), (2, 14, 14)), ((32, 112, 112), (4, 7, 7)), ((8, 48, 56), (1, 3, 4))],
)
def test_shapes_of_the_activations(clip, activations):
    model = ResNet3D18(width=8)
    clips = jnp.zeros((1, *clip, 3))

    features, _ = jax.eval_shape(partial(model.init_with_output, method="features"), jax.random.key(0), clips)

    assert features.shape == (1, *activations, 64)


def test_call_is_the_head_of_the_features_alone_in_a_batch_and_under_vmap(tiny):
    model, variables, clips = tiny

    capture = lambda _, method: method == "features"  # noqa: E731

    logits, state = jax.jit(lambda v, x: model.apply(v, x, capture_intermediates=capture))(variables, clips)

    mapped = jax.jit(jax.vmap(lambda clip: model.apply(variables, clip[None])[0]))(clips)
    assert logits.shape == (2, 3)
    (features,) = state["intermediates"]["features"]
    np.testing.assert_allclose(model.apply(variables, features, method="head"), logits, atol=1e-6)
    np.testing.assert_allclose(mapped, logits, atol=1e-5)


def test_training_normalises_by_the_batch_and_updates_the_statistics(tiny):
    model, variables, clips = tiny
    features = lambda x: model.apply(variables, x, True, method="features", mutable=["batch_stats"])  # noqa: E731

    activations, updates = jax.jit(features)(clips)
    brighter, _ = jax.jit(features)(3 * clips)

    np.testing.assert_allclose(activations, brighter, rtol=1e-2, atol=1e-3)
    stem = variables["params"]["stem_conv"]["kernel"]
    means = convolve(clips, stem, (1, 2, 2), ((1, 1), (3, 3), (3, 3))).outputs.mean((0, 1, 2, 3))
    np.testing.assert_allclose(updates["batch_stats"]["stem_norm"]["mean"], 0.1 * means, atol=1e-5)


def test_exports_for_cpu_cuda_and_tpu(tiny):
    model, variables, clips = tiny
    apply = jax.jit(lambda v, x: model.apply(v, model.apply(v, x, method="features"), method="head"))

    exported = jax.export.export(apply, platforms=["cpu", "cuda", "tpu"])(variables, clips)

    np.testing.assert_allclose(exported.call(variables, clips), apply(variables, clips), atol=1e-5)
