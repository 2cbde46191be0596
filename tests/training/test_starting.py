"""Weights to start a training from, by file and by folder."""

import dataclasses

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

import runs
from jaxsal.models import ResNet3D18, ResNet50, init_variables, variables_to_torch
from jaxsal.training.convert import starting_variables
from jaxsal.training.networks import NetworkSpec

PAN_SPEC = NetworkSpec(runs.CLASSES, arch="pan", width=8, num_frames=16, size=36, crop=32)


@pytest.fixture(scope="module")
def resnet3d18():
    return init_variables(ResNet3D18(5, width=2), jax.random.key(3), (1, 4, 16, 16, 3))


@pytest.fixture(scope="module")
def resnet50(tmp_path_factory):
    variables = init_variables(ResNet50(5, width=8), jax.random.key(3), (1, 32, 32, 3))
    path = tmp_path_factory.mktemp("resnet50") / "resnet50.safetensors"
    save_file(variables_to_torch("resnet50", variables), path)
    return variables, path


def test_a_file_of_other_classes_gives_all_but_the_head(resnet3d18, tmp_path):
    save_file(variables_to_torch("resnet3d18", resnet3d18), tmp_path / "r3d.safetensors")
    found = starting_variables(runs.RESNET, tmp_path / "r3d.safetensors", seed=1)
    assert found["params"]["fc"]["kernel"].shape == (16, 2)
    assert np.asarray(found["params"]["fc"]["kernel"]).std() > 0
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
    other = starting_variables(PAN_SPEC, path, seed=1)
    assert (np.asarray(other["params"]["fc"]["kernel"]) != np.asarray(found["params"]["fc"]["kernel"])).any()


@pytest.mark.parametrize("arch", ["pan_rgb", "pan_pa"])
def test_pans_of_one_input_start_from_a_resnet50_as_it_is(resnet50, arch):
    found = starting_variables(dataclasses.replace(PAN_SPEC, arch=arch), resnet50[1])
    expected = resnet50[0]["params"]["backbone"]
    jax.tree.map(np.testing.assert_array_equal, found["params"]["backbone"], expected)
    assert ("pa" in found["params"]) == (arch == "pan_pa")


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
