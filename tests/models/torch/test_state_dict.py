"""Checkpoints as their writers wrap them: keys, prefixes, averages, heads, channels."""

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

import toys
from jaxsal.models import ResNet3D18, load_torch, variables_from_torch, variables_to_torch
from jaxsal.models.torch.state_dict import bare_state_dict


@pytest.fixture(scope="module")
def variables():
    return toys.drawn(ResNet3D18(num_classes=3, width=2), (2, 8, 8, 3), vectors=0.1)


@pytest.fixture(scope="module")
def plain(variables):
    return variables_to_torch("resnet3d18", variables)


def prefixed(tensors, prefix):
    return {prefix + name: tensor for name, tensor in tensors.items()}


def scaled(tensors, factor):
    return {name: factor * tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("wrap", "notes"),
    [
        (lambda d: d, []),
        (lambda d: prefixed(d, "module.model."), ["The prefix module.model. was taken off."]),
        (lambda d: prefixed(d, "_orig_mod.") | {"n_averaged": np.int64(3)}, ["The prefix _orig_mod. was taken off."]),
        (lambda d: {"epoch": 3, "weights": {"best": d}}, ["The weights are those of weights.best."]),
        (
            lambda d: {"state_dict": prefixed(d, "net."), "optimizer": {"state": {0: {"exp_avg": np.zeros(3)}}}},
            ["The weights are those of state_dict.", "The prefix net. was taken off."],
        ),
        (
            lambda d: prefixed(d, "net.") | {"loss.weight": np.ones(3)},
            ["The prefix net. was taken off.", "Left out: loss.weight."],
        ),
        (
            lambda d: {"model": scaled(d, 2), "model_ema": prefixed(d, "module.")},
            [
                "The weights are the moving average in model_ema.module, not model.",
                "The weights are those of model_ema.",
                "The prefix module. was taken off.",
            ],
        ),
    ],
)
def test_one_network_is_found_wherever_it_is(wrap, notes, plain, variables):
    found = bare_state_dict(wrap(plain))
    assert found.arch == "resnet3d18"
    assert list(found.notes) == notes
    jax.tree.map(np.testing.assert_array_equal, variables_from_torch("resnet3d18", wrap(plain)), variables)


@pytest.mark.parametrize("head", ["fc.1", "fc.2", "head.1", "classifier"])
@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_the_one_linear_layer_is_the_head(head, prefix, plain, variables):
    """Of any name, in the network or beside it."""
    wrapped = {name: tensor for name, tensor in prefixed(plain, prefix).items() if ".fc." not in f".{name}"}
    wrapped |= {f"{head}.weight": plain["fc.weight"], f"{head}.bias": plain["fc.bias"]}
    assert f"The head fc is {head}." in bare_state_dict(wrapped).notes
    jax.tree.map(np.testing.assert_array_equal, variables_from_torch("resnet3d18", wrapped), variables)


def test_two_linear_layers_are_no_head(plain):
    wrapped = {name: tensor for name, tensor in plain.items() if not name.startswith("fc.")}
    for name in ("fc.0", "fc.3"):
        wrapped |= {f"{name}.weight": plain["fc.weight"], f"{name}.bias": plain["fc.bias"]}
    with pytest.raises(ValueError, match=r"missing fc.weight; missing fc.bias; surplus fc.0.weight; surplus fc.0.bias"):
        variables_from_torch("resnet3d18", wrapped)


@pytest.mark.parametrize("channels", [1, 6])
def test_channels_are_told_by_the_stem(channels, plain):
    kernel = np.repeat(plain["stem.0.weight"][:, :1], channels, axis=1)
    variables = variables_from_torch("resnet3d18", plain | {"stem.0.weight": kernel})
    assert variables["params"]["stem_conv"]["kernel"].shape == (3, 7, 7, channels, 2)


def test_several_networks_are_named_and_one_can_be_chosen(plain, variables):
    both = {"student": prefixed(plain, "backbone."), "teacher": scaled(plain, 2)}
    with pytest.raises(ValueError, match="`entry` must name one of the 2 networks .*; got none of student"):
        bare_state_dict(both)
    found = variables_from_torch("resnet3d18", both, entry="student.backbone")
    jax.tree.map(np.testing.assert_array_equal, found, variables)
    assert bare_state_dict(both, entry="teacher").tensors["fc.bias"][0] == 2 * plain["fc.bias"][0]
    with pytest.raises(ValueError, match="`entry` must be one of .*'teacher'.*; got 'teachr'. Did you mean 'teacher'?"):
        bare_state_dict(both, entry="teachr")


def test_two_prefixes_in_one_mapping_are_two_networks(plain):
    with pytest.raises(ValueError, match="got none of left, right"):
        bare_state_dict(prefixed(plain, "left.") | prefixed(plain, "right."))


def test_a_mapping_that_holds_itself_and_one_without_tensors(plain):
    circle = {"epoch": 3, "state_dict": dict(plain)}
    circle["again"] = circle
    assert bare_state_dict(circle).entry == "state_dict"
    assert bare_state_dict({"epoch": 3}).arch is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused_by_name(value, plain, tmp_path):
    wrong = np.array(plain["layer3.0.conv2.0.weight"])
    wrong[0, 1, 2, 0, 1] = value
    save_file(plain | {"layer3.0.conv2.0.weight": wrong}, tmp_path / "nan.safetensors")
    message = f"must hold finite weights; got 1 NaN or infinite of {wrong.size} in layer3.0.conv2.0.weight"
    with pytest.raises(ValueError, match=message):
        load_torch("resnet3d18", tmp_path / "nan.safetensors")


def test_a_refusal_shows_missing_and_surplus_names_and_how_to_save(plain):
    other = {f"blocks.{number}.weight": np.zeros(3) for number in range(9)}
    with pytest.raises(ValueError, match="must be a checkpoint of resnet3d18") as error:
        variables_from_torch("resnet3d18", {"state_dict": other})
    for words in ("missing stem.0.weight; ", "more missing; surplus blocks.0.weight; ", "6 more surplus."):
        assert words in error.value.short
    assert error.value.short.endswith("torch.save(model.state_dict(), 'weights.pth')")
