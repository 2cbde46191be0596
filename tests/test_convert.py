"""Weights from PyTorch's files to checkpoints that the commands use, and back."""

import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import golden
from golden.seeded import seeded_state_dict
from jaxsal.checkpoint import load_checkpoint
from jaxsal.convert import checkpoint_from_torch, save_as_run, write_for_torch
from jaxsal.models import load_torch
from jaxsal.networks import NETWORKS

CLASSES = ("down", "left", "up")
SIZES = dict(num_frames=4, size=18, crop=16)


def state_dict(network, narrow, classifier):
    """A checkpoint of a network with `narrow` times fewer channels and 3 classes, without step counters."""
    shapes = golden.shapes(network)
    shapes = {name: [n // narrow if n >= 64 else n for n in shape] for name, shape in shapes.items()}
    shapes |= {f"{classifier}.weight": [3, shapes[f"{classifier}.weight"][1]], f"{classifier}.bias": [3]}
    tensors = seeded_state_dict(shapes, seed=0)
    return {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}


@pytest.fixture(scope="module")
def r3d18(tmp_path_factory):
    path = tmp_path_factory.mktemp("torch") / "r3d18.safetensors"
    save_file(state_dict("r3d18", 16, "fc"), path)
    return path


def test_a_torch_file_becomes_a_run_and_a_torch_file_again(r3d18, tmp_path):
    mean = (0.43216, 0.394666, 0.37645)
    save_as_run(checkpoint_from_torch(r3d18, classes=CLASSES, spectra="TV", mean=mean, **SIZES), tmp_path / "run")

    found = load_checkpoint(tmp_path / "run" / "checkpoints")
    assert found.spec.classes == CLASSES
    assert (found.spec.width, found.spec.spectra, found.spec.crop, found.step) == (4, "TV", 16, 0)
    np.testing.assert_allclose(found.spec.mean, mean)
    assert found.origin["converted_from"] == "r3d18.safetensors"
    expected = load_torch("resnet3d18", r3d18)
    jax.tree.map(np.testing.assert_array_equal, found.variables, expected)

    write_for_torch(found, tmp_path / "back.safetensors")
    back, original = load_file(tmp_path / "back.safetensors"), load_file(r3d18)
    assert back.keys() == original.keys()
    jax.tree.map(np.testing.assert_array_equal, back, original)


def test_the_file_for_torch_says_how_clips_are_cut(r3d18, tmp_path):
    write_for_torch(checkpoint_from_torch(r3d18, **SIZES), tmp_path / "back.safetensors")

    from safetensors import safe_open

    with safe_open(tmp_path / "back.safetensors", "np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["classes"]) == ["class-0", "class-1", "class-2"]
    assert json.loads(metadata["crop"]) == 16
    assert metadata["format"] == "pt"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(arch="vgg"), r"`arch` must be one of .*'resnet3d18'.*got 'vgg'"),
        (dict(classes=("a", "b")), r"`classes` must be 3, one for each logit; got 2: \('a', 'b'\)"),
        (dict(from_resnet50=True), "`from_resnet50` must come with the architecture pan and its classes; got resnet3d"),
        (dict(spectra="UV"), "`spectra` must be one of"),
        (dict(crop=400), "`crop` must be at most `size`"),
    ],
)
def test_what_does_not_fit_is_refused(r3d18, options, message):
    with pytest.raises(ValueError, match=message):
        checkpoint_from_torch(r3d18, **options)


def test_tensors_that_do_not_fit_are_named(tmp_path):
    wrong = state_dict("r3d18", 16, "fc")
    del wrong["layer1.0.conv1.0.weight"]
    wrong |= {"layer9.weight": np.zeros(3, np.float32), "stem.1.bias": np.zeros(5, np.float32)}
    save_file(wrong, tmp_path / "wrong.safetensors")
    with pytest.raises(ValueError, match="got missing layer1.0.conv1.0.weight; surplus layer9.weight; stem.1.bias of"):
        checkpoint_from_torch(tmp_path / "wrong.safetensors")


def test_nothing_is_overwritten(r3d18, tmp_path):
    checkpoint = checkpoint_from_torch(r3d18, **SIZES)
    save_as_run(checkpoint, tmp_path)
    with pytest.raises(ValueError, match="`output` must be a folder without a checkpoint; got"):
        save_as_run(checkpoint, tmp_path)
    with pytest.raises(ValueError, match="`output` must be a .safetensors file; got .*back.pth"):
        write_for_torch(checkpoint, tmp_path / "back.pth")


def test_every_network_has_its_torch_names(tmp_path):
    from jaxsal.models.torch_names import ARCHITECTURES

    assert set(NETWORKS) <= set(ARCHITECTURES)
