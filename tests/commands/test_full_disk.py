"""A full disk, or a file in the place of a folder: one line with what the user knows, what is safe, what resumes."""

import json
import resource
from contextlib import contextmanager

import jax
import numpy as np
import pytest

import runs
from jaxsal.commands.report import Report
from jaxsal.core.files import system_reason, write_text
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


def test_a_set_that_does_not_fit(refused, tmp_path):
    pytest.importorskip("tensorflow_datasets")
    words = ["data", "prepare", "paired_actions", "--manual-dir", runs.save_recordings(tmp_path / "clips")]
    with full_disk(300):
        status, said = refused(*words, "--data-dir", tmp_path / "sets", "--no-cache")
    *_, last = said.splitlines()
    assert status == 1
    assert last.startswith(f"jaxsal: Cannot write paired_actions to {tmp_path}/sets: File too large. ")
    assert last.endswith("the same command prepares this one from the start.")


def test_a_page_that_does_not_fit(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(Report, "run", lambda verb: write_text(verb.output, 1000 * "a"))
    with full_disk(300):
        said = refused("report", tmp_path, "--output", tmp_path / "page.html", "--no-cache")
    assert said == (1, f"jaxsal: `--output`: File too large: {tmp_path}/page.html.\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["taken", "taken/inner"])
def test_a_file_where_a_folder_is_wanted(refused, run_folder, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "sweep.json").write_text(
        json.dumps(dict(store=place, checkpoints=[str(run_folder)], methods=[dict(method="gradcam")]))
    )
    found = "a file" if place == "taken" else "in the file taken"
    for name, words in (
        ("--output", ["export", run_folder, "--output", place]),
        ("--output", ["paper", "--preset", "small", "--output", place]),
        ("store", ["sweep", "sweep.json", "--status"]),
        ("store", ["sweep", "sweep.json", "--export", "a.csv"]),
    ):
        said = refused(*words)
        assert said == (1, f"jaxsal: `{name}` must be a folder; got {place}, which is {found}.\n")


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
