import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest

import golden
from jaxsal.models.conv import conv3d
from jaxsal.models.initialise import init_variables
from jaxsal.models.pan import PAN
from jaxsal.models.resnet import ResNet50
from jaxsal.models.resnet3d import ResNet3D18
from jaxsal.models.torch.weights import variables_from_torch

IMAGENET_MEAN = np.asarray([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.asarray([0.229, 0.224, 0.225], np.float32)


@pytest.fixture(scope="module")
def reference():
    """The full network with the reference run's weights, and the reference clips, normalised."""
    variables = variables_from_torch("resnet3d18", golden.weights("r3d18"))
    clips = golden.load("r3d18")["x_u8"].astype(np.float32) / 255
    return variables, jnp.asarray((clips - IMAGENET_MEAN) / IMAGENET_STD)


@pytest.fixture(scope="module")
def tiny():
    model = ResNet3D18(num_classes=3, width=4)
    clips = jnp.asarray(np.random.default_rng(0).standard_normal((2, 8, 20, 24, 3)), jnp.float32)
    return model, init_variables(model, jax.random.key(0), clips.shape), clips


def test_features_and_logits_equal_torchvisions(reference):
    variables, clips = reference
    model = ResNet3D18(num_classes=8)

    features = jax.jit(lambda v, x: model.apply(v, x, method="features"))(variables, clips)
    logits = jax.jit(lambda v, a: model.apply(v, a, method="head"))(variables, features)

    golden.assert_close("r3d18", "layer4", features.transpose(0, 4, 1, 2, 3))
    golden.assert_close("r3d18", "chmean.layer4", features.mean(axis=(1, 2, 3)))
    golden.assert_close("r3d18", "logits", logits)


def test_stem_and_layers_equal_torchvisions(reference):
    variables, clips = reference
    model = ResNet3D18(num_classes=8)

    @jax.jit
    def layers(variables, clips):
        modules = ["stem_norm", "layer1_1", "layer2_1", "layer3_1"]
        _, state = model.apply(variables, clips, capture_intermediates=lambda module, _: module.name in modules)
        outputs = [state["intermediates"][module]["__call__"][0] for module in modules]
        return [jax.nn.relu(outputs[0]).mean((1, 2, 3)), *(output.mean((1, 2, 3)) for output in outputs[1:])]

    for name, means in zip(["stem", "layer1", "layer2", "layer3"], layers(variables, clips), strict=True):
        golden.assert_close("r3d18", f"chmean.{name}", means)


@pytest.mark.parametrize(("num_classes", "num_parameters"), [(8, 33_170_376), (400, 33_371_472)])
def test_number_of_parameters(num_classes, num_parameters):
    model = ResNet3D18(num_classes)

    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 8, 32, 32, 3)))

    assert sum(leaf.size for leaf in jax.tree.leaves(shapes["params"])) == num_parameters


@pytest.mark.parametrize(
    ("clip", "activations"),
    [((16, 224, 224), (2, 14, 14)), ((32, 112, 112), (4, 7, 7)), ((8, 48, 56), (1, 3, 4))],
)
def test_shapes_of_the_activations(clip, activations):
    model = ResNet3D18(width=8)
    clips = jnp.zeros((1, *clip, 3))
    variables = jax.eval_shape(model.init, jax.random.key(0), clips)

    shape = jax.eval_shape(lambda v: model.apply(v, clips, method="features"), variables).shape

    assert shape == (1, *activations, 64)


def test_call_is_the_head_of_the_features(tiny):
    model, variables, clips = tiny

    logits = jax.jit(model.apply)(variables, clips)

    features = jax.jit(lambda v, x: model.apply(v, x, method="features"))(variables, clips)
    assert logits.shape == (2, 3)
    np.testing.assert_allclose(logits, model.apply(variables, features, method="head"), atol=1e-6)


def test_a_clip_scores_the_same_alone_in_a_batch_and_under_vmap(tiny):
    model, variables, clips = tiny

    batch = jax.jit(model.apply)(variables, clips)

    mapped = jax.jit(jax.vmap(lambda clip: model.apply(variables, clip[None])[0]))(clips)
    np.testing.assert_allclose(mapped, batch, atol=1e-5)
    np.testing.assert_allclose(jax.jit(model.apply)(variables, clips[:1]), batch[:1], atol=1e-5)


def test_training_normalises_by_the_batch_and_updates_the_statistics(tiny):
    model, variables, clips = tiny
    features = lambda x: model.apply(variables, x, True, method="features", mutable=["batch_stats"])  # noqa: E731

    activations, updates = jax.jit(features)(clips)
    brighter, _ = jax.jit(features)(3 * clips)

    np.testing.assert_allclose(activations, brighter, rtol=1e-2, atol=1e-3)
    stem = variables["params"]["stem_conv"]["kernel"]
    means = conv3d(clips, stem, strides=(1, 2, 2), padding=((1, 1), (3, 3), (3, 3))).mean((0, 1, 2, 3))
    np.testing.assert_allclose(updates["batch_stats"]["stem_norm"]["mean"], 0.1 * means, atol=1e-5)


@pytest.mark.parametrize("method", ["features", "head"])
def test_exports_for_cpu_cuda_and_tpu(tiny, method):
    model, variables, clips = tiny
    inputs = clips if method == "features" else model.apply(variables, clips, method="features")
    apply = jax.jit(lambda v, x: model.apply(v, x, method=method))

    exported = jax.export.export(apply, platforms=["cpu", "cuda", "tpu"])(variables, inputs)

    np.testing.assert_allclose(exported.call(variables, inputs), apply(variables, inputs), atol=1e-5)


def test_initial_values_have_torchs_distributions():
    model = ResNet3D18(num_classes=400, width=16)
    params = init_variables(model, jax.random.key(0), (1, 8, 32, 32, 3))["params"]

    for kernel in (
        params["stem_conv"]["kernel"],
        params["layer3_0"]["conv1"]["kernel"],
        params["layer2_0"]["shortcut_conv"]["kernel"],
    ):
        std = np.sqrt(2 / (np.prod(kernel.shape[:3]) * kernel.shape[4]))
        assert abs(kernel.mean()) < 5 * std / np.sqrt(kernel.size)
        assert abs(kernel.std() / std - 1) < 5 / np.sqrt(2 * kernel.size)
    bound = 1 / np.sqrt(128)
    for values in (params["fc"]["kernel"], params["fc"]["bias"]):
        assert 0.97 * bound < np.abs(values).max() <= bound
        assert abs(values.mean()) < 5 * bound / np.sqrt(3 * values.size)
        assert abs(values.std() * np.sqrt(3) / bound - 1) < 5 / np.sqrt(2 * values.size)
    assert (params["stem_norm"]["scale"] == 1).all()
    assert (params["stem_norm"]["bias"] == 0).all()


def test_initial_values_depend_on_the_key_alone():
    model, shape = ResNet3D18(width=4), (1, 8, 16, 16, 3)
    variables = init_variables(model, jax.random.key(0), shape)

    jax.tree.map(np.testing.assert_array_equal, variables, init_variables(model, jax.random.key(0), shape))
    jax.tree.map(np.testing.assert_array_equal, variables, dict(model.init(jax.random.key(0), jnp.zeros(shape))))
    other = init_variables(model, jax.random.key(1), shape)
    first, second = (v["params"]["layer1_0"] for v in (variables, other))
    assert (first["conv1"]["kernel"] != second["conv1"]["kernel"]).any()
    assert (first["conv1"]["kernel"] != first["conv2"]["kernel"]).any()


@pytest.mark.parametrize(("make", "frames"), [(ResNet3D18, (4,)), (PAN, (32,)), (ResNet50, ())])
def test_initial_values_are_one_program(make, frames):
    """Compiling JAX's generator for every kernel of the full 3D-ResNet18 takes over 30 s, this 1.3."""
    compiled = []

    def listen(event, duration, fun_name="", **_):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(fun_name)

    key = jax.random.key(0)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        jax.block_until_ready(init_variables(make(width=8), key, (1, *frames, 32, 32, 3)))
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert compiled == ["jit(init_variables)"]
