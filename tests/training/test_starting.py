"""Weights to start a training from, by file and by folder."""

import dataclasses

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

import golden
import runs
import toys
from golden.seeded import seeded_state_dict
from jaxsal.models import ResNet3D18, load_torch, variables_to_torch
from jaxsal.training.convert import starting_variables
from jaxsal.training.networks import NetworkSpec

pytestmark = pytest.mark.usefixtures("no_shape_checks")
PAN_SPEC = NetworkSpec(runs.CLASSES, arch="pan", width=8, num_frames=16, size=36, crop=32)


@pytest.fixture(scope="module")
def resnet3d18():
    return toys.drawn(ResNet3D18(5, width=2), (4, 16, 16, 3), vectors=0.1)


@pytest.fixture(scope="module")
def resnet50(tmp_path_factory):
    """Its variables and the file that they are read from."""
    shapes = {name: [n // 8 if n >= 64 else n for n in shape] for name, shape in golden.shapes("resnet50").items()}
    path = tmp_path_factory.mktemp("resnet50") / "resnet50.safetensors"
    save_file(seeded_state_dict(shapes, seed=3), path)
    return load_torch("resnet50", path), path


def test_a_file_of_other_classes_gives_all_but_the_head(resnet3d18, tmp_path):
    save_file(variables_to_torch("resnet3d18", resnet3d18), tmp_path / "r3d.safetensors")
    found, other = (starting_variables(runs.RESNET, tmp_path / "r3d.safetensors", seed=seed) for seed in (1, 2))
    assert found["params"]["fc"]["kernel"].shape == (16, 2)
    assert (np.asarray(other["params"]["fc"]["kernel"]) != np.asarray(found["params"]["fc"]["kernel"])).any()
    for part in ("stem_conv", "layer4_1"):
        jax.tree.map(np.testing.assert_array_equal, found["params"][part], resnet3d18["params"][part])
    jax.tree.map(np.testing.assert_array_equal, found["batch_stats"], resnet3d18["batch_stats"])


def test_pan_starts_from_a_resnet50_with_its_own_number_of_segments(resnet50):
    variables, path = resnet50
    found = starting_variables(PAN_SPEC, path)
    backbone = found["params"]["backbone"]
    np.testing.assert_allclose(
        backbone["conv1"]["kernel"][:, :, 5], variables["params"]["backbone"]["conv1"]["kernel"].mean(axis=2), rtol=1e-6
    )
    expected = variables["params"]["backbone"]["layer3_5"]
    jax.tree.map(np.testing.assert_array_equal, backbone["layer3_5"], expected)
    assert found["params"]["vap"]["tes1"]["kernel"].shape == (3, 12)


def test_a_runs_folder_gives_everything(trained_run):
    found = starting_variables(runs.SPEC, trained_run[0])
    jax.tree.map(np.testing.assert_array_equal, found, trained_run[1].variables)


def test_what_does_not_fit_is_named(resnet50, resnet3d18, tmp_path):
    save_file(variables_to_torch("resnet3d18", resnet3d18), tmp_path / "r3d.safetensors")
    wide = dataclasses.replace(runs.RESNET, width=3)
    with pytest.raises(
        ValueError, match="`init` must fit a resnet3d18 of width 3; got .*r3d.*, which differs in .* more"
    ):
        starting_variables(wide, tmp_path / "r3d.safetensors")
    with pytest.raises(ValueError, match="`state_dict` must be a checkpoint of resnet3d18; got the names of resnet50"):
        starting_variables(runs.RESNET, resnet50[1])
    with pytest.raises(FileNotFoundError):
        starting_variables(runs.SPEC, tmp_path / "none.pth")
