import jax
import numpy as np
import pytest

import golden
from golden.seeded import seeded_state_dict
from jaxsal.models.pan import PAN
from jaxsal.models.resnet import ResNet50
from jaxsal.models.torch.state_dict import bare_state_dict
from jaxsal.models.torch.weights import load_torch, model_from_torch, variables_from_torch, variables_to_torch


@pytest.fixture(scope="module")
def state_dict():
    """A checkpoint of a narrow network: 4 channels instead of 64, 3 classes."""
    narrow = {64: 4, 128: 8, 256: 16, 512: 32}
    shapes = {name: [narrow.get(length, length) for length in shape] for name, shape in golden.shapes("r3d18").items()}
    shapes |= {"fc.weight": [3, 32], "fc.bias": [3]}
    return seeded_state_dict(shapes, seed=0)


def without_counters(state_dict):
    return {name: tensor for name, tensor in state_dict.items() if not name.endswith("num_batches_tracked")}


def test_torch_names_round_trip(state_dict):
    back = variables_to_torch("resnet3d18", variables_from_torch("resnet3d18", state_dict))

    jax.tree.map(np.testing.assert_array_equal, back, without_counters(state_dict))


def test_names_every_tensor_that_does_not_fit(state_dict):
    wrong = dict(state_dict)
    del wrong["layer1.0.conv1.0.weight"], wrong["layer4.1.conv2.1.running_mean"]
    wrong["layer2.0.conv1.0.weight"] = wrong["layer2.0.conv1.0.weight"][:7]
    wrong["stem.1.weight"] = wrong["stem.1.weight"][:, None]
    wrong["layer5.weight"] = np.zeros(3)

    with pytest.raises(ValueError, match="`state_dict` must be a checkpoint of resnet3d18") as error:
        variables_from_torch("resnet3d18", wrong)

    for problem in (
        "missing layer1.0.conv1.0.weight;",
        "missing layer4.1.conv2.1.running_mean;",
        "surplus layer5.weight;",
        "layer2.0.conv1.0.weight of shape (7, 4, 3, 3, 3) instead of (8, 4, 3, 3, 3)",
        "stem.1.weight of shape (4, 1) instead of (4,)",
    ):
        assert problem in str(error.value)
    assert str(error.value).count(";") == 5


@pytest.mark.parametrize("name", ["stem.0.weight", "fc.weight"])
def test_names_the_tensors_that_tell_width_and_classes(state_dict, name):
    missing = {key: tensor for key, tensor in state_dict.items() if key != name}
    with pytest.raises(ValueError, match=rf"got missing {name}\."):
        variables_from_torch("resnet3d18", missing)
    with pytest.raises(ValueError, match=rf"{name} of shape \(\) instead of"):
        variables_from_torch("resnet3d18", state_dict | {name: np.float32(0)})


def test_refuses_unknown_architectures_and_other_things(state_dict, tmp_path):
    known = "resnet3d18, mc3_18, r2plus1d_18, i3d, videomae, resnet50, pan, pan_rgb, pan_pa"
    for function, value in [
        (variables_from_torch, {}),
        (variables_to_torch, {}),
        (load_torch, tmp_path / "missing.pth"),
    ]:
        with pytest.raises(ValueError, match=f"`arch` must be one of {known}; got 'vgg'"):
            function("vgg", value)
    variables = variables_from_torch("resnet3d18", state_dict)
    del variables["params"]["fc"]
    with pytest.raises(ValueError, match=r"`variables` must be those of resnet3d18; .* params/fc/bias, params/fc/k"):
        variables_to_torch("resnet3d18", variables)


BACKBONES = {
    "resnet50": ResNet50(3, 8),
    "pan": PAN(3, 8),
    "pan_pa": PAN(3, 8, variant="pa"),
    "pan_rgb": PAN(3, 8, variant="rgb"),
}


def narrow_backbone(name):
    """A checkpoint of ResNet-50 or a PAN with 8 channels instead of 64 and 3 classes."""
    shapes = golden.shapes("resnet50" if name == "resnet50" else "pan_lite")
    shapes = {name: [length // 8 if length >= 64 else length for length in shape] for name, shape in shapes.items()}
    fc = "fc" if name == "resnet50" else "base_model.fc.pred"
    shapes |= {f"{fc}.weight": [3, 256], f"{fc}.bias": [3]}
    if name in ("pan_pa", "pan_rgb"):
        shapes["base_model.conv1.weight"] = [8, 3, 7, 7]
    if name == "pan_rgb":
        shapes = {name: shape for name, shape in shapes.items() if not name.startswith("PA.")}
    return seeded_state_dict(shapes, seed=0)


@pytest.mark.parametrize("name", BACKBONES)
def test_networks_on_resnet50_round_trip_from_the_published_form(name):
    """Their network, too, is recognised by names and shapes alone."""
    state_dict = narrow_backbone(name)
    published = {"epoch": 9, "state_dict": {f"module.{key}": tensor for key, tensor in state_dict.items()}}
    found = bare_state_dict(published)
    assert (found.arch, model_from_torch(name, found)[0]) == (name, BACKBONES[name])

    back = variables_to_torch(name, variables_from_torch(name, published))

    jax.tree.map(np.testing.assert_array_equal, back, without_counters(state_dict))


@pytest.mark.parametrize(("arch", "channels"), [("pan", 10), ("pan_pa", 7)])
def test_segments_and_their_frames_are_told_by_the_shapes(arch, channels):
    """A PAN of 4 segments of 8 frames pools 3 vectors and sees 7 maps of a segment, RGB beside them in Lite."""
    state_dict = narrow_backbone("pan") | {
        "base_model.conv1.weight": np.zeros((8, channels, 7, 7), np.float32),
        "base_model.fc.TES.0.weight": np.zeros((12, 3), np.float32),
        "base_model.fc.TES.2.weight": np.zeros((3, 12), np.float32),
    }
    variant = "lite" if arch == "pan" else "pa"
    assert model_from_torch(arch, bare_state_dict(state_dict, arch))[0] == PAN(3, 8, 4, 8, variant=variant)
    back = variables_to_torch(arch, variables_from_torch(arch, state_dict))
    jax.tree.map(np.testing.assert_array_equal, back, without_counters(state_dict))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"base_model.conv1.weight": np.zeros((8, 3, 7, 7))}, r"\(8, 3, 7, 7\) instead of \(8, 6, 7, 7\)"),
        ({"base_model.fc.TES.0.weight": np.zeros((12, 3))}, r"TES.2.weight of shape \(7, 28\) instead of \(3, 12\)"),
        ({"base_model.fc.TES.0.weight": np.zeros((20, 5))}, r"TES.0.weight of shape \(20, 5\) instead of \(28, 7\)"),
        ({"base_model.fc.pred.weight": np.float32(0)}, r"pred.weight of shape \(\) instead of \(1, 256\)"),
        ({"base_model.layer1.0.conv1.weight": np.zeros(3)}, r"surplus base_model.layer1.0.conv1.weight\."),
        ({"base_model.conv1.weight": None}, r"missing base_model.conv1.weight\."),
        ({"PA.shallow_conv.bias": None}, r"missing PA.shallow_conv.bias\."),
    ],
)
def test_refuses_pans_that_do_not_fit(wrong, message):
    tensors = {name: tensor for name, tensor in (narrow_backbone("pan") | wrong).items() if tensor is not None}
    with pytest.raises(ValueError, match=rf"`state_dict` must be a checkpoint of pan; got .*{message}"):
        variables_from_torch("pan", tensors)
