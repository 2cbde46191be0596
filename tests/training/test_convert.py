"""Weights from PyTorch's files to checkpoints that the commands use, and back."""

import dataclasses
import json
import re

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import golden
from golden.seeded import seeded_state_dict
from jaxsal.models import load_torch
from jaxsal.models.torch.layouts import LAYOUTS
from jaxsal.training.checkpoint import load_checkpoint
from jaxsal.training.convert import checkpoint_from_torch, save_as_run
from jaxsal.training.networks import NETWORKS
from jaxsal.training.torch_file import write_for_torch

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


def test_an_exported_file_says_how_clips_are_cut(r3d18, tmp_path):
    """And its checkpoint is the one that it was made of, but for options that say otherwise."""
    normal = dict(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    first = checkpoint_from_torch(r3d18, classes=CLASSES, spectra="TV", **SIZES, **normal)
    write_for_torch(first, tmp_path / "back.safetensors")

    from safetensors import safe_open

    with safe_open(tmp_path / "back.safetensors", "np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["classes"]) == list(CLASSES)
    assert metadata["format"] == "pt"
    again = checkpoint_from_torch(tmp_path / "back.safetensors")
    assert again.spec == first.spec
    changed = checkpoint_from_torch(
        tmp_path / "back.safetensors", classes=("a", "b", "c"), crop=14, std=(1.0, 1.0, 1.0)
    )
    assert changed.spec == dataclasses.replace(first.spec, classes=("a", "b", "c"), crop=14, std=(1.0, 1.0, 1.0))


def test_metadata_of_other_programs_are_left_alone(r3d18, tmp_path):
    save_file(load_file(r3d18), tmp_path / "other.safetensors", {"format": "pt", "classes": "down, up"})
    assert checkpoint_from_torch(tmp_path / "other.safetensors").spec.classes == ("class-0", "class-1", "class-2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(arch="vgg"), r"`arch` must be one of .*'resnet3d18'.*got 'vgg'"),
        (dict(classes=("a", "b")), r"`classes` must be 3, one for each logit; got 2: \('a', 'b'\)"),
        (dict(from_resnet50=True), "`from_resnet50` must come with a PAN and its classes; got pan and None"),
        (dict(from_resnet50=True, arch="resnet3d18", classes=("a",)), "must come with a PAN .*; got resnet3d18 and"),
        (dict(spectra="UV"), "`spectra` must be one of"),
        (dict(crop=400), "`crop` must be at most `size`"),
    ],
)
def test_what_does_not_fit_is_refused(r3d18, options, message):
    with pytest.raises(ValueError, match=message):
        checkpoint_from_torch(r3d18, **options)


def test_a_file_of_another_network_says_so_first(tmp_path):
    save_file(state_dict("resnet50", 16, "fc"), tmp_path / "resnet50.safetensors")
    message = (
        r"`state_dict` must be a checkpoint of resnet3d18; got the names of resnet50 \(.*--from-resnet50\): missing"
    )
    with pytest.raises(ValueError, match=message) as error:
        checkpoint_from_torch(tmp_path / "resnet50.safetensors")
    assert str(error.value).count(";") > 300
    assert re.search(message + r".*; \d+ more missing; surplus .*; \d+ more surplus\.$", error.value.short)
    assert len(error.value.short) < 400


def test_nothing_is_overwritten(r3d18, tmp_path):
    checkpoint = checkpoint_from_torch(r3d18, **SIZES)
    save_as_run(checkpoint, tmp_path)
    with pytest.raises(ValueError, match="`output` must be a folder without a checkpoint; got"):
        save_as_run(checkpoint, tmp_path)
    with pytest.raises(ValueError, match="`output` must be a .safetensors file; got .*back.pth"):
        write_for_torch(checkpoint, tmp_path / "back.pth")


@pytest.fixture(scope="module")
def published_pan():
    return {f"module.{name}": tensor for name, tensor in state_dict("pan_lite", 8, "base_model.fc.pred").items()}


def test_a_pan_and_back(published_pan, tmp_path):
    save_file(published_pan, tmp_path / "pan.safetensors")
    checkpoint = checkpoint_from_torch(tmp_path / "pan.safetensors", classes=CLASSES)
    assert (checkpoint.spec.arch, checkpoint.spec.num_frames, checkpoint.spec.width) == ("pan", 32, 8)
    back = write_for_torch(checkpoint, tmp_path / "back.safetensors")
    back = {f"module.{name}": tensor for name, tensor in back.items()}
    jax.tree.map(np.testing.assert_array_equal, back, published_pan)
    with pytest.raises(ValueError, match="`source` must hold the network PAN"):
        checkpoint_from_torch(tmp_path / "pan.safetensors", arch="pan", num_frames=16)


def test_a_pan_of_another_form_with_four_segments(published_pan, tmp_path):
    """Of 16 frames; form and segments are told by the tensors, and come back from an exported file."""
    tensors = {name: tensor for name, tensor in published_pan.items() if ".PA." not in name}
    tensors["module.base_model.conv1.weight"] = np.ones((8, 3, 7, 7), np.float32)
    tensors["module.base_model.fc.TES.0.weight"] = np.ones((12, 3), np.float32)
    tensors["module.base_model.fc.TES.2.weight"] = np.ones((3, 12), np.float32)
    save_file(tensors, tmp_path / "pan.safetensors")
    checkpoint = checkpoint_from_torch(tmp_path / "pan.safetensors")
    assert (checkpoint.spec.arch, checkpoint.spec.num_frames) == ("pan_rgb", 16)
    write_for_torch(checkpoint, tmp_path / "back.safetensors")
    again = checkpoint_from_torch(tmp_path / "back.safetensors")
    assert again.spec == checkpoint.spec
    jax.tree.map(np.testing.assert_array_equal, again.variables, checkpoint.variables)
    back = {f"module.{name}": tensor for name, tensor in load_file(tmp_path / "back.safetensors").items()}
    jax.tree.map(np.testing.assert_array_equal, back, tensors)


def test_a_pan_starts_from_resnet50(tmp_path, no_shape_checks):
    save_file(state_dict("resnet50", 8, "fc"), tmp_path / "resnet50.safetensors")
    options = dict(arch="pan", from_resnet50=True, classes=("a", "b"), num_frames=16)
    checkpoint, other = (
        checkpoint_from_torch(tmp_path / "resnet50.safetensors", **options, seed=seed) for seed in (1, 2)
    )
    shapes = jax.eval_shape(checkpoint.spec.model().init, jax.random.key(0), np.zeros((1, 16, 32, 32, 3), np.float32))
    assert jax.tree.map(np.shape, checkpoint.variables) == jax.tree.map(np.shape, dict(shapes))
    params, resnet50 = (
        checkpoint.variables["params"],
        load_torch("resnet50", tmp_path / "resnet50.safetensors")["params"],
    )
    kernel = params["backbone"]["layer4_2"]["conv3"]["kernel"]
    np.testing.assert_array_equal(kernel, resnet50["backbone"]["layer4_2"]["conv3"]["kernel"])
    assert not np.array_equal(params["fc"]["kernel"], other.variables["params"]["fc"]["kernel"])


def test_every_network_has_its_torch_names():
    assert set(NETWORKS) - {"tiny"} <= set(LAYOUTS)


def test_equal_networks_give_equal_bytes(r3d18, tmp_path):
    for name in ("a", "b", "c"):
        write_for_torch(checkpoint_from_torch(r3d18, **SIZES), tmp_path / f"{name}.safetensors")
    assert len({(tmp_path / f"{name}.safetensors").read_bytes() for name in ("a", "b", "c")}) == 1
