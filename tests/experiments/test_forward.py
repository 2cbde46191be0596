import jax
import numpy as np
import pytest
from forward import (
    CASES,
    NETWORKS,
    QUICK,
    Config,
    check_equal,
    chosen_cases,
    forwards,
    training_steps,
    with_random_batch_norm,
)

import runs
from jaxsal.models import init_variables


@pytest.fixture(scope="module")
def tiny():
    shape = (2, 2, 8, 8, 3)
    model = runs.Tiny(num_classes=8, width=4)
    return model, init_variables(model, jax.random.key(0), shape), jax.random.normal(jax.random.key(1), shape)


def test_the_script_imports_and_its_cases_name_networks():
    assert Config(torch_python="python").rounds >= 7
    assert {case.arch for case in (CASES | QUICK).values()} == set(NETWORKS)


def test_a_case_that_there_is_not():
    with pytest.raises(ValueError, match="`case` must be part of one of 'r3d_18, .*; got 'vgg'"):
        chosen_cases(Config(torch_python="python", case="vgg"))
    assert list(chosen_cases(Config(torch_python="python", case="PAN"))) == ["PAN-Lite, 1x32x224x224"]


def test_variants_that_differ_are_not_timed(tmp_path):
    theirs = {"torch eager": lambda output: np.save(output, np.asarray([1.0, 2.0]))}

    check_equal({"ours": lambda: np.asarray([1.0, 2.0])}, theirs, tmp_path / "result.npy", 1e-4)
    with pytest.raises(ValueError, match="ours differs from PyTorch by 0.05"):
        check_equal({"ours": lambda: np.asarray([1.0, 2.1])}, theirs, tmp_path / "result.npy", 1e-4)


def test_our_variants_run(tiny):
    forward = forwards(*tiny)["JAX, one device"]()

    assert forward.shape == (2, 8)


def test_a_training_step_changes_weights_and_statistics_by_sgd(tiny):
    model, variables, clips = tiny
    step = training_steps(model, variables, clips)["JAX, one device"]
    last = variables["params"]["fc"]["kernel"]
    gradient = step.gradients()[-last.size :].reshape(last.T.shape)

    changed, _ = step.run()

    change = np.asarray(last - changed["params"]["fc"]["kernel"]).T
    np.testing.assert_allclose(change / np.abs(change).max(), gradient, atol=1e-3)
    assert (changed["batch_stats"]["stem_norm"]["mean"] != variables["batch_stats"]["stem_norm"]["mean"]).all()


def test_batch_norm_is_random_and_the_rest_is_not(tiny):
    _, variables, _ = tiny

    filled = with_random_batch_norm(variables)

    same = jax.tree.map(lambda a, b: bool((a == b).all()), variables, filled)
    assert not any(jax.tree.leaves(same["batch_stats"]))
    assert not any(jax.tree.leaves(same["params"]["stem_norm"]))
    assert same["params"]["stem_conv"]["kernel"]
    assert same["params"]["fc"]["bias"]
    assert (filled["batch_stats"]["stem_norm"]["var"] > 0).all()
