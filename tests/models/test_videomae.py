"""VideoMAE: Hugging Face's own numbers in every layer, its files, and maps of its tokens."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import golden
import jaxsal
from jaxsal.models import VideoMAE, load_torch, variables_from_torch, variables_to_torch
from jaxsal.models.torch.state_dict import bare_state_dict
from jaxsal.models.torch.weights import model_from_torch
from jaxsal.models.videomae import positions
from jaxsal.training.convert import checkpoint_from_torch, save_as_run
from jaxsal.training.load import load
from jaxsal.training.torch_file import write_for_torch


def state_dict(form):
    return golden.load("videomae").group(f"{form}.w")


def hub_folder(folder, form="mean", preprocessor=True):
    """The files of a network of the Hub, of an old version of transformers."""
    folder.mkdir()
    old = {
        name.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): a for name, a in state_dict(form).items()
    }
    save_file(old, folder / "model.safetensors", {"format": "pt"})
    config = golden.load("videomae").meta[form] | {"id2label": {"10": "k", "2": "c", "0": "a", "1": "b", "3": "d"}}
    (folder / "config.json").write_text(json.dumps(config))
    if preprocessor:
        values = dict(image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.2, 0.1], size={"shortest_edge": 18})
        (folder / "preprocessor_config.json").write_text(
            json.dumps(values | {"crop_size": {"height": 16, "width": 16}})
        )
    return folder


@pytest.mark.parametrize("form", ["mean", "first"])
def test_every_layer_and_the_logits_equal_hugging_faces(form):
    """With and without mean pooling and biases, norms and biases drawn at random."""
    tensors = state_dict(form)
    found = bare_state_dict(tensors)
    assert found.arch == "videomae"
    model, channels = model_from_torch("videomae", found)
    model = model.clone(num_heads=3)
    assert (model.depth, model.width, model.mlp_width, model.tube, channels) == (2, 12, 20, (2, 8, 8), 3)
    variables = variables_from_torch("videomae", tensors)

    @jax.jit
    def every_output(variables, clips):
        capture = lambda module, _: (module.name or "").startswith("layer_")  # noqa: E731
        logits, state = model.apply(variables, clips, capture_intermediates=capture)
        tokens = model.apply(variables, clips, method=lambda self, clips: self.patches(clips))
        return logits, tokens, {name: part["__call__"][0] for name, part in state["intermediates"].items()}

    logits, tokens, layers = every_output(variables, jnp.asarray(golden.load("videomae")["clips"]))

    golden.assert_close("videomae", f"{form}.logits", logits)
    golden.assert_close("videomae", f"{form}.embeddings", tokens.reshape(2, 8, 12) + positions(8, 12))
    for name, value in layers.items():
        golden.assert_close("videomae", f"{form}.{name}", value)
    jax.tree.map(np.testing.assert_array_equal, variables_to_torch("videomae", variables), dict(tensors))


def test_number_of_parameters_and_tokens_of_the_published_network():
    model, clips = VideoMAE(), jax.ShapeDtypeStruct((1, 16, 224, 224, 3), jnp.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), clips)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 86_534_800
    assert model.token_grid(clips.shape[1:]) == (8, 14, 14)


def test_positions_are_sines_and_cosines():
    angle = 5 / 10_000 ** (2 / 6)
    np.testing.assert_allclose(positions(7, 6)[5, 2:4], [np.sin(angle), np.cos(angle)], atol=1e-6)
    np.testing.assert_array_equal(positions(1, 4), [[0, 1, 0, 1]])


@pytest.mark.parametrize("form", ["mean", "first"])
def test_a_folder_of_the_hub_says_all(form, tmp_path):
    """Classes in the order of their numbers, clips, normalisation, heads; and so does a run, and a file made of it."""
    folder = hub_folder(tmp_path / "hub", form)
    checkpoint = checkpoint_from_torch(folder, spectra="TV")
    spec = checkpoint.spec
    assert spec.classes == ("a", "b", "c", "d", "k")
    assert (spec.num_frames, spec.size, spec.crop, spec.stride) == (4, 18, 16, 4)
    assert (spec.mean, spec.std) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    assert spec.model().num_heads == 3
    save_as_run(checkpoint, tmp_path / "run")
    write_for_torch(checkpoint, tmp_path / "back.safetensors")
    clip = jax.random.uniform(jax.random.key(0), spec.clip_shape)
    logits = jax.jit(lambda classifier, clip: classifier(clip))
    expected = logits(checkpoint.classifier, clip)
    for source in (folder, folder / "model.safetensors", tmp_path / "run", tmp_path / "back.safetensors"):
        np.testing.assert_allclose(logits(load(source), clip), expected, atol=1e-5)
    variables = load_torch("videomae", folder / "model.safetensors")
    jax.tree.map(np.testing.assert_array_equal, variables, checkpoint.variables)


def test_a_config_that_does_not_fit_is_refused(tmp_path):
    folder = hub_folder(tmp_path / "hub", preprocessor=False)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "swish"}))
    with pytest.raises(ValueError, match="`hidden_act` must be one of .*gelu.*; got 'swish'"):
        checkpoint_from_torch(folder)
    for name, value, rule in (
        ("num_frames", 10**30, "a whole number from 1 to 65,535 as num_frames in its config.json; got 1000"),
        ("image_size", [], r"a size of 1 to 65,535 pixels as image_size in its config.json; got \[\]"),
        ("id2label", {"a": "b"}, "a name for each class's number as id2label"),
    ):
        (folder / "config.json").write_text(json.dumps(config | {name: value}))
        with pytest.raises(ValueError, match=f"`source` must have {rule}"):
            checkpoint_from_torch(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="`source` must have a JSON file config.json beside it; got .*config.json"):
        checkpoint_from_torch(folder)


@pytest.mark.nightly
def test_maps_and_curves_of_its_tokens(tmp_path):
    """Grad-CAM lives on the tokens: its coarse map is that of the (2, 2, 2) tubes."""
    classifier = load(hub_folder(tmp_path / "hub"))
    clip = jax.random.uniform(jax.random.key(1), (4, 16, 16, 3))
    assert classifier.features(clip).shape == (2, 2, 2, 12)
    cam = jaxsal.gradcam(classifier, clip)
    rise = jaxsal.rise(jax.random.key(2), classifier, clip, num_masks=8, grid_shape=(2, 2, 2))
    sidu = jaxsal.sidu(classifier, clip)
    for saliency in (cam, rise, sidu):
        assert saliency.shape == (4, 16, 16)
        assert np.isfinite(saliency).all()
    assert 0 <= float(jaxsal.deletion(classifier, clip, cam, num_steps=4).auc) <= 1
