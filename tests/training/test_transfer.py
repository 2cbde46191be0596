"""Training from a trained network: the head alone, the last stage, all of it."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import runs
import toys
from jaxsal.models import init_variables
from jaxsal.models.layers import Conv
from jaxsal.training.architectures import NETWORKS
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.train import init_state, train, train_step
from jaxsal.training.transfer import (
    fit_head,
    head_inputs,
    is_trained,
    last_stage,
    logistic_regression,
    open_network,
    transferred,
)


def flat(tree):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


class ConvolutionalHead(nn.Module):
    """Its head is a convolution, as I3D's is."""

    num_classes: int

    def setup(self):
        self.conv = Conv(4, (3, 3, 3), (2, 2, 2))
        self.fc = nn.Conv(self.num_classes, (1, 1, 1))

    def __call__(self, clips, train=False):
        return self.head(self.features(clips, train))

    def features(self, clips, train=False):
        return nn.relu(self.conv(clips))

    def head(self, activations):
        return self.fc(activations.mean(axis=(1, 2, 3), keepdims=True))[:, 0, 0, 0]


@pytest.fixture(scope="module")
def variables():
    return init_variables(runs.SPEC.model(), jax.random.key(3), runs.SPEC.batch_shape)


def test_logistic_regression_is_at_its_minimum_in_any_units():
    """The gradient vanishes; features in other units, and with another origin, give the same probabilities."""
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((40, 3)).astype(np.float32), rng.integers(0, 3, 40)
    kernel, bias = logistic_regression(features, labels, 3, weight_decay=0.1)
    logits = features @ kernel + bias
    errors = np.asarray(jax.nn.softmax(logits)) - np.eye(3)[labels]
    length = np.sqrt(((features - features.mean(axis=0)) ** 2).sum(axis=1).mean())
    scaled, own = (features - features.mean(axis=0)) / length, kernel * length
    np.testing.assert_allclose(scaled.T @ errors / 40 + 0.1 * own, 0, atol=1e-3)
    np.testing.assert_allclose(errors.mean(axis=0), 0, atol=1e-3)

    other = 5 * features - 2
    kernel, bias = logistic_regression(other, labels, 3, weight_decay=0.1)
    np.testing.assert_allclose(jax.nn.softmax(other @ kernel + bias), jax.nn.softmax(logits), atol=1e-3)
    constant = np.ones((40, 1), np.float32)  # tells nothing, and is no error
    kernel, bias = logistic_regression(np.concatenate([features, constant], axis=1), labels, 3, weight_decay=0.1)
    np.testing.assert_allclose(kernel[3], 0, atol=1e-6)


@pytest.mark.parametrize("trained", ["all", "head"])
def test_only_the_chosen_parameters_change(trained):
    """In one step with weight decay; statistics of batch norm stay unless all is trained."""
    spec, options = runs.SPEC, dataclasses.replace(runs.OPTIONS, trained=trained)
    state = init_state(spec, options)
    before = flat(state.variables)
    clips, labels = np.random.default_rng(0).integers(0, 255, (4, 4, 18, 18, 3), np.uint8), np.array([0, 1, 0, 1])
    for _ in range(2):  # the first step of the warm-up has a learning rate of 0
        state, _ = train_step(state, jax.random.key(0), clips, labels.astype(np.int32), spec, options)
    changed = {name for name, value in flat(state.variables).items() if (value != before[name]).any()}
    assert changed == {name for name in before if trained == "all" or "fc" in name}


@pytest.mark.parametrize(
    ("arch", "part"),
    [
        ("resnet3d18", "layer4_1/conv2/kernel"),
        ("i3d", "backbone/Mixed_5c/b0/kernel"),
        ("pan", "vap/tes1/kernel"),
        ("videomae", "layer_11/query/kernel"),
    ],
)
def test_every_architecture_has_a_last_stage(arch, part):
    spec = NetworkSpec(("a", "b"), arch=arch, num_frames=NETWORKS[arch].num_frames)
    params = {"first": {"kernel": 0}, "fc": {"kernel": 0}}
    *modules, name = part.split("/")
    inner = {name: 0}
    for module in reversed(modules):
        inner = {module: inner}
    trained = is_trained(params | inner, spec, "last")
    assert jax.tree.leaves(trained["fc"]) == [True]
    assert jax.tree.leaves(trained[modules[0]]) == [True]
    assert jax.tree.leaves(trained["first"]) == [False]
    assert "{" not in last_stage(spec)


@pytest.mark.parametrize("convolutional", [False, True])
def test_a_fitted_head_is_logistic_regression_of_what_enters_it(convolutional, monkeypatch):
    """The head of both is linear in the mean activations."""
    spec, source = runs.SPEC, runs.loaded()
    if convolutional:
        changed = NETWORKS["tiny"]._replace(build=lambda num_classes, *_: ConvolutionalHead(num_classes))
        monkeypatch.setitem(NETWORKS, "tiny", changed)
    variables = toys.drawn(spec.model(), spec.clip_shape)
    fitted = fit_head(spec, variables, source, weight_decay=0.1)
    same = [name for name, value in flat(fitted).items() if (value == flat(variables)[name]).all()]
    assert len(same) == len(flat(variables)) - 2
    classifier, head = spec.classifier(fitted), jax.tree.map(np.asarray, fitted["params"]["fc"])
    clip = jnp.asarray(source.clip(0)[:, 1:17, 1:17] / np.float32(255))
    pooled = np.asarray(jax.jit(classifier.features)(clip)).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(classifier(clip), pooled @ head["kernel"].reshape(-1, 2) + head["bias"], atol=1e-4)
    inputs = head_inputs(spec, variables, source)
    np.testing.assert_allclose(inputs[0], pooled, atol=1e-5)
    labels = np.repeat([record.label for record in source.clip_set.records], 2)
    kernel, bias = logistic_regression(inputs, labels, 2, weight_decay=0.1)
    np.testing.assert_allclose(head["kernel"].reshape(-1, 2), kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(head["bias"], bias, rtol=1e-4, atol=1e-6)


def test_a_run_of_the_head_alone_resumes(tmp_path):
    options = dataclasses.replace(runs.OPTIONS, trained="head")
    start = init_variables(runs.SPEC.model(), jax.random.key(3), runs.SPEC.batch_shape)
    first = train(runs.SPEC, options, runs.loaded(), tmp_path / "run", start=start)
    again = train(runs.SPEC, options, runs.loaded(), tmp_path / "run", start=start)
    assert (first.step, again.step) == (1, 1)
    jax.tree.map(np.testing.assert_array_equal, again.variables, first.variables)
    with pytest.raises(ValueError, match="a difference in trained: head instead of all"):
        train(runs.SPEC, runs.OPTIONS, runs.loaded(), tmp_path / "run", start=start)


def test_other_classes_get_another_head(variables, tmp_path):
    """Also where they are as many; the same classes keep theirs."""
    start = Checkpoint(runs.SPEC, variables, 0, None, {})
    renamed = dataclasses.replace(runs.SPEC, classes=("left", "right"))
    found = transferred(renamed, start)
    assert (found["params"]["fc"]["kernel"] != variables["params"]["fc"]["kernel"]).any()
    jax.tree.map(np.testing.assert_array_equal, found["params"]["stem_conv"], variables["params"]["stem_conv"])
    jax.tree.map(np.testing.assert_array_equal, transferred(runs.SPEC, start), variables)
    with pytest.raises(ValueError, match="`init` must fit a tiny of width 3; got tiny, which differs in"):
        transferred(dataclasses.replace(runs.SPEC, width=3), start)
    runs.save_untrained(tmp_path / "run")
    assert open_network(tmp_path / "run").spec == runs.SPEC
