"""Weights from PyTorch's files to checkpoints that the commands use, and back."""

import json
import re

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import golden
import runs
from golden.seeded import seeded_state_dict
from jaxsal import cli
from jaxsal.checkpoint import load_checkpoint
from jaxsal.convert import checkpoint_from_torch, save_as_run, write_for_torch
from jaxsal.models import ResNet3D18, init_variables, load_torch, variables_to_torch
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


def test_the_command_line_both_ways(r3d18, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("jaxsal.devices.use_all_cores", lambda: None)
    (tmp_path / "classes.txt").write_text("down\nleft\n\nup\n")
    sizes = ["--num-frames", "4", "--size", "18", "--crop", "16", "--std", "0.2", "0.3", "0.4"]
    names = ["--classes-file", str(tmp_path / "classes.txt")]
    cli.main(["convert", str(r3d18), str(tmp_path / "run"), "--spectra", "TV", *names, *sizes])
    assert "resnet3d18, width 4, 3 classes (down, left, up, ..)" in capsys.readouterr().out

    np.save(tmp_path / "seen.npy", runs.moving_bar(1, 5, False))
    options = ["--method", "gradcam", "--num-steps", "3", "--output", str(tmp_path / "out")]
    cli.main(["explain", str(tmp_path / "seen.npy"), "--checkpoint", str(tmp_path / "run"), *options])
    assert re.search("seen-TV: (down|left|up) [01].*explained: ", capsys.readouterr().out)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["training"]["converted_from"] == r3d18.name

    cli.main(["convert", str(tmp_path / "run"), str(tmp_path / "back.safetensors")])
    assert f"{len(load_file(r3d18))} tensors" in capsys.readouterr().out
    jax.tree.map(np.testing.assert_array_equal, load_file(tmp_path / "back.safetensors"), load_file(r3d18))

    for arguments, message in (
        ([str(tmp_path / "none.pth"), "run"], "none.pth"),
        ([str(r3d18), str(tmp_path / "b"), *names, "--classes", "a"], "`--classes` must not come with --classes-file"),
        ([str(r3d18), str(tmp_path / "b"), "--from-resnet50"], "`from_resnet50` must come with"),
    ):
        with pytest.raises(SystemExit):
            cli.main(["convert", *arguments])
        assert message in capsys.readouterr().err


def test_a_converted_network_is_evaluated(tmp_path, capsys, monkeypatch):
    """On clips of the embedded set, which training has chosen otherwise."""
    from jaxsal.datasets.catalog import open_clips

    monkeypatch.setattr("jaxsal.devices.use_all_cores", lambda: None)
    classes = open_clips("synthetic", height=18, seed=0).classes
    model = ResNet3D18(num_classes=len(classes), width=2)
    variables = init_variables(model, jax.random.key(0), (1, 4, 16, 16, 3))
    save_file(variables_to_torch("resnet3d18", variables), tmp_path / "own.safetensors")
    save_as_run(checkpoint_from_torch(tmp_path / "own.safetensors", classes=classes, **SIZES), tmp_path / "run")
    options = ["--clips-per-spectrum", "1", "--method", "gradcam", "--num-steps", "3"]
    cli.main(["evaluate", "--checkpoint", str(tmp_path / "run"), "--output", str(tmp_path / "out"), *options])
    assert "Grad-CAM" in capsys.readouterr().out


def test_a_pan_and_back(tmp_path):
    published = {f"module.{name}": tensor for name, tensor in state_dict("pan_lite", 8, "base_model.fc.pred").items()}
    save_file(published, tmp_path / "pan.safetensors")
    checkpoint = checkpoint_from_torch(tmp_path / "pan.safetensors", arch="pan", classes=CLASSES)
    assert (checkpoint.spec.num_frames, checkpoint.spec.width) == (32, 8)
    back = write_for_torch(checkpoint, tmp_path / "back.safetensors")
    jax.tree.map(np.testing.assert_array_equal, {f"module.{name}": tensor for name, tensor in back.items()}, published)
    with pytest.raises(ValueError, match="`source` must hold the network PAN"):
        checkpoint_from_torch(tmp_path / "pan.safetensors", arch="pan", num_frames=16)


def test_a_pan_starts_from_resnet50(tmp_path):
    save_file(state_dict("resnet50", 8, "fc"), tmp_path / "resnet50.safetensors")
    options = dict(arch="pan", from_resnet50=True, classes=("a", "b"), num_frames=16)
    checkpoint, again, other = (
        checkpoint_from_torch(tmp_path / "resnet50.safetensors", **options, seed=seed) for seed in (1, 1, 2)
    )
    shapes = jax.eval_shape(checkpoint.spec.model().init, jax.random.key(0), np.zeros((1, 16, 32, 32, 3), np.float32))
    assert jax.tree.map(np.shape, checkpoint.variables) == jax.tree.map(np.shape, dict(shapes))
    jax.tree.map(np.testing.assert_array_equal, checkpoint.variables, again.variables)
    params, resnet50 = (
        checkpoint.variables["params"],
        load_torch("resnet50", tmp_path / "resnet50.safetensors")["params"],
    )
    kernel = params["backbone"]["layer4_2"]["conv3"]["kernel"]
    np.testing.assert_array_equal(kernel, resnet50["backbone"]["layer4_2"]["conv3"]["kernel"])
    assert not np.array_equal(params["fc"]["kernel"], other.variables["params"]["fc"]["kernel"])


def test_every_network_has_its_torch_names(tmp_path):
    from jaxsal.models.torch_names import ARCHITECTURES

    assert set(NETWORKS) <= set(ARCHITECTURES)
