"""Checkpoints: what they say, that damage is told, and that the one before is used."""

import dataclasses
import json
import resource
import shutil

import jax
import numpy as np
import pytest

import runs
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.sealed import sealed, unsealed
from jaxsal.training.checkpoint import load_checkpoint, saved_steps
from jaxsal.training.train import train


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy of the trained run's folder."""
    shutil.copytree(trained_run[0], tmp_path / "run")
    return tmp_path / "run"


def assert_resumes(folder, trained_run):
    resumed = train(runs.SPEC, runs.OPTIONS, runs.loaded(), folder)
    jax.tree.map(np.testing.assert_array_equal, resumed.variables, trained_run[1].variables)


def test_a_checkpoint_says_what_it_is(trained_run):
    found = load_checkpoint(trained_run[0] / "checkpoints")
    assert (found.spec, found.step) == (runs.SPEC, 6)
    assert found.origin["versions"]["jax"] == jax.__version__
    assert fingerprint(found.variables) == fingerprint(trained_run[1].variables)


def test_a_checkpoint_of_another_network_and_none(trained_run, tmp_path):
    more = dataclasses.replace(runs.SPEC, classes=("a", "b", "c"))
    rule = "`checkpoint` must be new or of the network asked for; "
    message = rule + r".*classes: \('down', 'up'\) instead of \('a', 'b', 'c'\)"
    with pytest.raises(ValueError, match=message):
        load_checkpoint(trained_run[0] / "checkpoints", spec=more)
    with pytest.raises(FileNotFoundError, match="`checkpoint` must be a folder with a checkpoint; got .*nowhere"):
        load_checkpoint(tmp_path / "nowhere")


def test_an_unknown_architecture_is_named(run):
    meta = run / "checkpoints" / "6" / "meta" / "metadata"
    content = json.loads(meta.read_text().replace("tiny", "perceiver"))
    meta.write_text(json.dumps(sealed({name: content[name] for name in content if name != "sha256"})))
    with pytest.raises(ValueError, match=r"`arch` must be one of \('resnet3d18', 'mc3_18', .*; got 'perceiver'"):
        load_checkpoint(run / "checkpoints")


@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_checkpoint(run, damage):
    folder = run / "checkpoints"
    shutil.rmtree(folder / "4")  # the one before it would be used
    data = [file for file in (folder / "6" / "variables").rglob("d/*") if file.stat().st_size > 2_000]
    largest = max(data, key=lambda file: file.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 0x40
    if damage == "gone":
        largest.unlink()
    else:
        largest.write_bytes(content[: len(content) // 2] if damage == "cut" else content)
    with pytest.raises(ValueError, match="The checkpoint of step 6 in .* is damaged: "):
        load_checkpoint(folder)


@pytest.mark.parametrize("item", ["variables", "progress"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(trained_run, run, item):
    assert saved_steps(run / "checkpoints") == [4, 6]
    for file in (run / "checkpoints" / "6" / item).rglob("d/*"):  # some hold only what nothing refers to
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0x40
        file.write_bytes(content)
    with pytest.warns(UserWarning, match=r"checkpoint of step 6 in .* is damaged: .* Step 4 is used instead"):
        assert_resumes(run, trained_run)
    assert saved_steps(run / "checkpoints") == [4, 6]
    assert_resumes(run, trained_run)  # the damaged one is gone


@pytest.mark.parametrize(("item", "name"), [("variables", "fingerprint"), ("progress", "progress_fingerprint")])
def test_numbers_other_than_were_saved_give_way(trained_run, run, item, name):
    """Damage that every checksum of the files lets through."""
    path = run / "checkpoints" / "6" / "meta" / "metadata"
    path.write_text(json.dumps(sealed(unsealed(json.loads(path.read_text())) | {name: "0" * 64})))
    with pytest.warns(UserWarning, match=rf"step 6 in .* is damaged: its {item} have changed"):
        assert_resumes(run, trained_run)


def test_a_full_disk(trained_run, tmp_path):
    """No file may grow beyond 2,000 bytes, which TensorStore meets as it would a full disk."""
    limits, clips = resource.getrlimit(resource.RLIMIT_FSIZE), runs.loaded()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(OSError, match="Cannot write the checkpoint of step 2 to .* Earlier checkpoints are safe"):
            train(runs.SPEC, runs.OPTIONS, clips, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved_steps(tmp_path / "checkpoints") == []
    assert_resumes(tmp_path, trained_run)
