"""Trained weights, with real batch-norm statistics, through the conversion that whole checkpoints take."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import golden
from jaxsal.models import ResNet3D18, ResNet50, variables_from_torch

STATISTICS = ("weight", "bias", "running_mean", "running_var")


@pytest.fixture(scope="module")
def trained():
    with np.load(golden.FOLDER / "trained_stem" / "trained_stem.npz", allow_pickle=False) as file:
        return dict(file)


def with_zeros_elsewhere(network, tensors):
    """A whole checkpoint of a network that holds these tensors and no other weights."""
    shapes = golden.shapes(network)
    assert tensors.keys() <= shapes.keys()
    return {name: tensors.get(name, np.zeros(shape, np.float32)) for name, shape in shapes.items()}


def assert_close(found, expected):
    """As `golden.assert_close`; `expected` has the channels first."""
    expected = np.moveaxis(expected, 1, -1)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_the_first_layers_of_resnet50(trained):
    tensors = {name: value for name, value in trained.items() if not name.startswith(("2d.", "3d."))}
    assert len(tensors) == 55
    variables = variables_from_torch("resnet50", with_zeros_elsewhere("resnet50", tensors))

    @jax.jit
    def layers(variables, images):
        capture = lambda module, _: module.name in ("norm1", "layer1_2")  # noqa: E731
        _, state = ResNet50().apply(variables, images, method="features", capture_intermediates=capture)
        outputs = state["intermediates"]["backbone"]
        return jax.nn.relu(outputs["norm1"]["__call__"][0]), outputs["layer1_2"]["__call__"][0]

    stem, layer1 = layers(variables, jnp.asarray(np.moveaxis(trained["2d.input"], 1, -1)))
    assert_close(stem, trained["2d.stem_relu"])
    assert_close(layer1, trained["2d.layer1"])


def test_the_stem_of_r3d_18(trained):
    tensors = {f"stem.1.{name}": trained[f"bn1.{name}"] for name in STATISTICS}
    tensors["stem.0.weight"] = trained["3d.conv1.weight"]
    variables = variables_from_torch("resnet3d18", with_zeros_elsewhere("r3d18", tensors))

    @jax.jit
    def stem(variables, clips):
        capture = lambda module, _: module.name == "stem_norm"  # noqa: E731
        _, state = ResNet3D18().apply(variables, clips, method="features", capture_intermediates=capture)
        return jax.nn.relu(state["intermediates"]["stem_norm"]["__call__"][0])

    assert_close(stem(variables, jnp.asarray(np.moveaxis(trained["3d.input"], 1, -1))), trained["3d.stem_relu"])
