import jax
import numpy as np
import pytest
from forward import CASES, QUICK, Config, check_equal, forwards, training

from jaxsal.models import ResNet3D18, init_variables


def test_the_script_imports_and_its_cases_name_networks():
    assert Config(torch_python="python").rounds >= 7
    assert {arch for arch, _, _ in (CASES | QUICK).values()} == {"resnet3d18", "resnet50"}


def test_variants_that_differ_are_not_timed(tmp_path):
    theirs = {"torch eager": lambda output: np.save(output, np.asarray([1.0, 2.0]))}

    check_equal({"ours": lambda: np.asarray([1.0, 2.0])}, theirs, tmp_path / "result.npy", 1e-4)
    with pytest.raises(ValueError, match="ours differs from PyTorch by 0.05"):
        check_equal({"ours": lambda: np.asarray([1.0, 2.1])}, theirs, tmp_path / "result.npy", 1e-4)


def test_our_variants_run():
    shape = (2, 4, 8, 8, 3)
    model = ResNet3D18(num_classes=8, width=4)
    variables = init_variables(model, jax.random.key(0), shape)
    clips = jax.random.normal(jax.random.key(1), shape)

    forward = forwards(model, variables, clips)["JAX, one device"]()

    assert forward.shape == (2, 8)
    assert training(model, variables, clips)["JAX, one device"]().shape == (8, 32)
