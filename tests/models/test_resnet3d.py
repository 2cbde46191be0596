from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import golden
import toys
from jaxsal.classifier import IMAGENET_MEAN, IMAGENET_STD
from jaxsal.models import ResNet3D18, variables_from_torch, variables_to_torch
from jaxsal.models.torch.state_dict import bare_state_dict
from jaxsal.models.torch.weights import model_from_torch
from slow_convolution import convolve


@pytest.fixture(scope="module")
def tiny():
    model = ResNet3D18(num_classes=3, width=4)
    clips = jnp.asarray(np.random.default_rng(0).standard_normal((2, 2, 36, 24, 3)), jnp.float32)
    return model, toys.drawn(model, clips.shape[1:], vectors=0), clips


@partial(jax.jit, static_argnums=(0,))
def every_output(model, variables, clips):
    """Logits, and what the stem and every stage gives."""
    names = {"stem": "stem_norm"} | {f"layer{layer}": f"layer{layer}_1" for layer in (1, 2, 3, 4)}
    capture = lambda module, _: module.name in names.values()  # noqa: E731
    logits, state = model.apply(variables, clips, capture_intermediates=capture)
    outputs = {name: state["intermediates"][module]["__call__"][0] for name, module in names.items()}
    return logits, outputs | {"stem": jax.nn.relu(outputs["stem"])}


def test_every_layer_and_the_logits_equal_torchvisions():
    """The full network with the reference run's weights, on the reference clips."""
    variables = variables_from_torch("resnet3d18", golden.weights("r3d18"))
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 33_170_376
    clips = golden.load("r3d18")["x_u8"].astype(np.float32) / 255
    clips = jnp.asarray((clips - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD))

    logits, outputs = every_output(ResNet3D18(), variables, clips)

    for name, output in outputs.items():
        golden.assert_close("r3d18", f"chmean.{name}", output.mean((1, 2, 3)))
    golden.assert_close("r3d18", "layer4", outputs["layer4"].transpose(0, 4, 1, 2, 3))
    golden.assert_close("r3d18", "logits", logits)


@pytest.mark.parametrize(("variant", "num_parameters"), [("mc3", 11_695_440), ("r2plus1d", 31_505_325)])
def test_number_of_parameters_and_shapes_of_the_factored_forms(variant, num_parameters):
    model, clips = ResNet3D18(400, variant=variant), jnp.zeros((1, 8, 48, 56, 3))

    features, variables = jax.eval_shape(partial(model.init_with_output, method="features"), jax.random.key(0), clips)

    head = 512 * 400 + 400
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) + head == num_parameters
    assert features.shape == (1, 8 if variant == "mc3" else 1, 3, 4, 512)


def test_an_exported_program_gives_the_head_of_the_features_as_under_vmap(tiny):
    model, variables, clips = tiny
    capture = lambda _, method: method == "features"  # noqa: E731
    apply = jax.jit(lambda v, x: model.apply(v, x, capture_intermediates=capture))

    logits, state = jax.export.export(apply, platforms=["cpu", "cuda", "tpu"])(variables, clips).call(variables, clips)

    (features,) = state["intermediates"]["features"]
    assert (logits.shape, features.shape) == ((2, 3), (2, 1, 3, 2, 32))
    np.testing.assert_allclose(model.apply(variables, features, method="head"), logits, atol=1e-6)
    mapped = jax.jit(jax.vmap(lambda clip: model.apply(variables, clip[None])[0]))(clips)
    np.testing.assert_allclose(mapped, logits, atol=1e-5)


def test_training_normalises_by_the_batch_and_updates_the_statistics(tiny):
    model, variables, clips = tiny
    features = lambda x: model.apply(variables, x, True, method="features", mutable=["batch_stats"])  # noqa: E731

    activations, updates = jax.jit(features)(clips)
    brighter, _ = jax.jit(features)(3 * clips)

    np.testing.assert_allclose(activations, brighter, rtol=1e-2, atol=1e-3)
    stem = variables["params"]["stem_conv"]["kernel"]
    means = convolve(clips, stem, (1, 2, 2), ((1, 1), (3, 3), (3, 3))).outputs.mean((0, 1, 2, 3))
    np.testing.assert_allclose(updates["batch_stats"]["stem_norm"]["mean"], 0.1 * means, atol=1e-5)


@pytest.mark.parametrize(("arch", "variant"), [("mc3_18", "mc3"), ("r2plus1d_18", "r2plus1d")])
def test_every_layer_of_the_factored_forms_equals_torchvisions(arch, variant):
    """Networks of width 8; their names and shapes are torchvision's own."""
    reference = golden.load("video_resnets")
    known = reference.meta[arch]
    state_dict = golden.seeded.seeded_state_dict(known["shapes"], known["seed"])
    assert golden.seeded.fingerprint(state_dict) == known["sha256"]
    found = bare_state_dict(state_dict)
    assert found.arch == arch
    model, _ = model_from_torch(arch, found)
    assert model == ResNet3D18(3, 8, variant)
    variables = variables_from_torch(arch, state_dict)

    logits, outputs = every_output(model, variables, jnp.asarray(reference["clips"]))

    golden.assert_close("video_resnets", f"{arch}.logits", logits)
    golden.assert_close("video_resnets", f"{arch}.layer4", outputs.pop("layer4").transpose(0, 4, 1, 2, 3))
    for name, output in outputs.items():
        golden.assert_close("video_resnets", f"{arch}.{name}", output.mean((1, 2, 3)))
    back = variables_to_torch(arch, variables)
    assert {name: list(tensor.shape) for name, tensor in back.items()} == {
        name: shape for name, shape in known["shapes"].items() if not name.endswith("num_batches_tracked")
    }
