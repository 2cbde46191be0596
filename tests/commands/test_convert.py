"""`jaxsal convert`: PyTorch's weights to a run that the other commands take, and back."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import runs
from jaxsal.datasets.catalog import open_clips
from jaxsal.models import variables_to_torch

SIZES = ["--num-frames", "4", "--size", "18", "--crop", "16"]
NORMAL = ["--mean", "0.4", "0.4", "0.4", "--std", "0.2", "0.3", "0.4"]


@pytest.fixture(scope="module")
def r3d18(tmp_path_factory):
    """A file of PyTorch for the classes of the embedded set."""
    classes = open_clips("synthetic", height=18, seed=0).classes
    rng, empty = np.random.default_rng(0), runs.of_zeros(dataclasses.replace(runs.RESNET, classes=classes))
    variables = jax.tree.map(lambda leaf: rng.random(leaf.shape, np.float32), empty.variables)
    folder = tmp_path_factory.mktemp("torch")
    save_file(variables_to_torch("resnet3d18", variables), folder / "r3d18.safetensors")
    (folder / "classes.txt").write_text("\n".join([*classes[:1], "", *classes[1:]]) + "\n")
    return folder / "r3d18.safetensors"


def test_both_ways(r3d18, run, dry_run, tmp_path):
    names = ["--classes-file", r3d18.with_name("classes.txt")]
    printed = run("convert", r3d18, tmp_path / "run", "--spectra", "TV", *names, *SIZES, *NORMAL)
    assert re.search(r"resnet3d18, width 2, \d+ classes \(", printed)

    plan = dry_run("evaluate", "--checkpoint", tmp_path / "run", "--clips-per-spectrum", "1")
    assert plan["clips"] == 2

    assert f"{len(load_file(r3d18))} tensors" in run("convert", tmp_path / "run", tmp_path / "back.safetensors")
    jax.tree.map(np.testing.assert_array_equal, load_file(tmp_path / "back.safetensors"), load_file(r3d18))
    run("convert", r3d18, tmp_path / "again", "--spectra", "TV", *names, *SIZES, *NORMAL)
    run("convert", tmp_path / "again", tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "back.safetensors").read_bytes()


def test_what_does_not_fit_is_refused(r3d18, refused, tmp_path):
    names = ["--classes-file", r3d18.with_name("classes.txt")]
    for words, message in (
        ([r3d18, tmp_path / "b", *names, "--classes", "a"], "`--classes` must not come with --classes-file"),
        ([r3d18, tmp_path / "b", "--from-resnet50"], "`--from-resnet50` must come with"),
        ([r3d18, tmp_path / "b", "--classes", "a", "b"], "`--classes` must be"),
    ):
        assert message in refused("convert", *words)[1]
