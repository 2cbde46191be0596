"""A full disk, or a file in the place of a folder: one line with what the user knows, what is safe, what resumes."""

import errno
import json
import os
import resource
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest

import runs
from jaxsal.commands.demo import Demo
from jaxsal.commands.explain import Explain
from jaxsal.commands.paper import Paper
from jaxsal.commands.report import Report
from jaxsal.core.files import system_reason, write_text
from jaxsal.drawing.pictures import save_animation
from jaxsal.training.torch_file import write_for_torch


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
    write_for_torch(runs.of_zeros(runs.RESNET), tmp_path / "weights.safetensors")
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


VERBS = {
    Demo: ["demo"],
    Paper: ["paper"],
    Explain: ["explain", "seen.npy", "--checkpoint", "run"],
}


def write_table(verb):
    write_text(verb.output / "table.csv", 1000 * "a")


@pytest.mark.parametrize("verb", VERBS)
def test_a_table_that_does_not_fit(refused, tmp_path, monkeypatch, verb):
    monkeypatch.setattr(verb, "run", write_table)
    words = [*VERBS[verb], "--output", tmp_path / "out", "--no-cache"]
    said = " What was saved is safe; the same command resumes.\n"
    with full_disk(300):
        assert refused(*words) == (1, f"jaxsal: `--output`: File too large: {tmp_path}/out/table.csv.{said}")
    with patch("os.replace", side_effect=OSError(errno.EMFILE, os.strerror(errno.EMFILE))):
        files = "Too many open files"
        more = f": {tmp_path}/out/table.csv. `ulimit -n 4096` allows more."
        assert refused(*words) == (1, f"jaxsal: `--output`: {files}{more}{said}")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_a_film_that_does_not_fit_is_named(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), np.uint8)
    with full_disk(300), pytest.raises(OSError, match=f"File too large: '{tmp_path}/{name}'"):
        save_animation(tmp_path / name, dict(clip=noise))
    assert not list(tmp_path.iterdir())


def test_a_demo_that_has_nowhere_to_go_renders_nothing(refused, monkeypatch):
    monkeypatch.setattr("jaxsal.datasets.pipeline.load_clips", None)
    assert refused("demo", "--output", "/dev/null/demo") == (
        1,
        "jaxsal: `--output` must be a folder; got /dev/null/demo, which is in the file /dev/null.\n",
    )


def test_a_current_folder_that_is_gone(refused, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert refused("data", "list")[1].startswith("jaxsal: the current folder is gone; change to another one")


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
