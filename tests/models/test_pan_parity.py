"""PAN with the reference run's weights: its numbers are those of the authors' and the study's code."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import golden
from jaxsal import Classifier, gradcam
from jaxsal.models import PAN, pan_from_resnet50, variables_from_torch, variables_to_torch
from jaxsal.models.pan import timescale_vectors
from jaxsal.models.persistence import PersistenceOfAppearance

KINDS = {"fixed": "standardize", "published": "minmax"}  # reference run: network input
BLOCKS = {"layer1": "layer1_2", "layer2": "layer2_3", "layer3": "layer3_5", "layer4": "layer4_2"}


@pytest.fixture(scope="module")
def classifier():
    """The full network with the reference run's weights."""
    variables = variables_from_torch("pan", golden.weights("pan_lite"))
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 23_535_408
    return Classifier.from_model(PAN(), variables)


@pytest.fixture(scope="module", params=KINDS)
def outputs(request, classifier):
    """A kind of the reference run, and what every module gives of the reference clip."""
    clip = classifier.with_normalization(KINDS[request.param]).normalize(reference_clip("pan_lite"))
    return request.param, every_output(PAN(), classifier.params, clip[None])


def reference_clip(name):
    return jnp.asarray(golden.load(name)["x_u8"][0].astype(np.float32) / 255)


@partial(jax.jit, static_argnums=(0,))
def every_output(model, variables, clips):
    """Logits, and what every module returned on the way to them, by its name."""
    names = ("conv1", "tes2", "vap", "pa", "backbone", *BLOCKS.values())
    capture = lambda module, _: module.name in names  # noqa: E731
    logits, state = model.apply(variables, clips, capture_intermediates=capture)
    images = model.apply(variables, clips, method="segment_images")
    outputs = state["intermediates"]
    found = {name: outputs[name]["__call__"][0] for name in ("pa", "backbone", "vap")}
    found |= {name: outputs["backbone"][name]["__call__"][0] for name in ("conv1", *BLOCKS.values())}
    return found | {"images": images, "logits": logits, "tes": outputs["vap"]["tes2"]["__call__"][0]}


def assert_images(name, prefix, images):
    """The input of the first convolution, by its sums: over space, and weighted by the place in (C, H, W)."""
    images = np.asarray(images, np.float64).transpose(0, 3, 1, 2)
    golden.assert_close(name, f"{prefix}.conv1_in.chsum", images.sum((2, 3)))
    weights = np.cos(np.arange(images[0].size))
    golden.assert_close(name, f"{prefix}.conv1_in.wsum", images.reshape(len(images), -1) @ weights)


def test_every_layer_and_the_logits_equal_the_authors(outputs):
    kind, outputs = outputs

    assert_close = lambda key, value: golden.assert_close("pan_lite", f"{kind}.{key}", value)  # noqa: E731
    assert_close("pa", outputs["pa"].transpose(0, 3, 1, 2))
    assert_images("pan_lite", kind, outputs["images"])
    assert_close("conv1_in.corner", outputs["images"][:, :4, :4].transpose(0, 3, 1, 2))
    assert_close("chmean.base_model.conv1", outputs["conv1"].mean((1, 2)))
    for layer, block in BLOCKS.items():
        assert_close(f"chmean.base_model.{layer}", outputs[block].mean((1, 2)))
    assert_close("layer4", outputs["backbone"].transpose(0, 3, 1, 2))
    assert_close("vap.vectors", timescale_vectors(outputs["backbone"].mean((1, 2))[None])[0])
    assert_close("vap.weights", jax.nn.softmax(outputs["tes"])[0])
    assert_close("vap.pooled", outputs["vap"][0])
    assert_close("logits", outputs["logits"][0])


def test_gradcam_of_its_activations_equals_the_studys(classifier, outputs):
    kind, outputs = outputs
    head = partial(PAN().apply, method="head")
    found = Classifier.from_functions(
        lambda arrays, clip: arrays["features"],
        lambda arrays, activations: head(arrays["variables"], activations[None])[0],
        {"features": outputs["backbone"], "variables": classifier.params},
        frames_per_mask=classifier.frames_per_mask,
    )

    maps = gradcam(found, reference_clip("pan_lite"), recipe="icpr2022")

    assert classifier.frames_per_mask == 4
    golden.assert_close("pan_lite", f"{kind}.gradcam.maps", maps)


def test_a_pan_from_resnet50_equals_the_authors(classifier):
    """Also in the names that they map to each other."""
    state_dict = golden.weights("resnet50")
    variables = pan_from_resnet50(variables_from_torch("resnet50", state_dict), 8)
    variables["params"] |= {name: classifier.params["params"][name] for name in ("pa", "vap", "fc")}

    names = json.loads((golden.FOLDER / "map_resnet50_to_pan_lite.json").read_text())["map"]
    found = variables_to_torch("pan", variables)
    golden.assert_close("pan_convert", "conv1.weight", found["base_model.conv1.weight"])
    same = [name for name in names if name != "conv1.weight" and not name.endswith("num_batches_tracked")]
    assert len(same) == 264
    for name in same:
        np.testing.assert_array_equal(found[names[name]], state_dict[name])

    outputs = every_output(PAN(), variables, classifier.normalize(reference_clip("pan_convert"))[None])
    assert_images("pan_convert", "fixed", outputs["images"])
    golden.assert_close("pan_convert", "fixed.layer4", outputs["backbone"].transpose(0, 3, 1, 2))
    golden.assert_close("pan_convert", "fixed.vap.weights", jax.nn.softmax(outputs["tes"])[0])
    golden.assert_close("pan_convert", "fixed.vap.pooled", outputs["vap"][0])
    golden.assert_close("pan_convert", "fixed.logits", outputs["logits"][0])


def test_pa_of_a_static_clip_is_all_epsilon_and_has_a_finite_gradient(classifier):
    pa = {"params": classifier.params["params"]["pa"]}
    still = jnp.repeat(reference_clip("pan_lite")[None, :1], 4, axis=1)

    maps, pull_back = jax.vjp(lambda segments: PersistenceOfAppearance().apply(pa, segments), still)

    np.testing.assert_allclose(maps, golden.load("pan_lite")["pa_static"], rtol=1e-3)
    assert jnp.isfinite(pull_back(jnp.ones_like(maps))[0]).all()
