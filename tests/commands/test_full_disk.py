"""A disk that is full: one line with the file that the user knows, what is safe and what resumes."""

import resource
from contextlib import contextmanager

import jax
import numpy as np
import pytest

import runs
from jaxsal.core.files import system_reason
from jaxsal.models.initialise import zeros
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.convert import write_for_torch


@contextmanager
def full_disk(size):
    """Inside, no file can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 900])  # the first file does not fit, and a later one
def test_a_checkpoint_that_does_not_fit(refused, tmp_path, size):
    shapes = jax.eval_shape(runs.RESNET.model().init, jax.random.key(0), zeros(runs.RESNET.batch_shape))
    variables = jax.tree.map(lambda of: np.zeros(of.shape, of.dtype), dict(shapes))
    write_for_torch(Checkpoint(runs.RESNET, variables, 0, None, {}), tmp_path / "weights.safetensors")
    with full_disk(size):
        status, said = refused("convert", tmp_path / "weights.safetensors", tmp_path / "run", "--no-cache")
    assert (status, said.count("\n")) == (1, 1)
    assert f"Cannot write the checkpoint of step 0 to {tmp_path}/run/checkpoints: " in said
    assert "File too large. Earlier checkpoints are safe; rerun the same command" in said
    assert "tmp/" not in said.replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('OUT_OF_RANGE: Failed writing: "/a/b_1.__lock": write to file 7: File too large [x=3]', "File too large"),
        ("UNAVAILABLE: no answer [source locations='a']\nmore", "UNAVAILABLE: no answer"),
        ("", "ValueError"),
    ],
)
def test_the_reason_is_what_the_system_said(text, said):
    assert system_reason(ValueError(text)) == said
