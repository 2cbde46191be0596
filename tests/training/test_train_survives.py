"""Trainings that are killed, told to stop, or find a damaged checkpoint, a full disk or other devices."""

import contextlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import time

import jax
import numpy as np
import pytest

import processes
import runs
import train_worker
from conftest import CACHE
from jaxsal.training import train as training
from jaxsal.training.checkpoint import saved_steps
from jaxsal.training.train import train


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The folder and the last checkpoint of six steps that nothing disturbed."""
    folder = tmp_path_factory.mktemp("straight")
    return folder, train(runs.SPEC, runs.OPTIONS, runs.loaded(), folder)


def go_on(folder):
    return train(runs.SPEC, runs.OPTIONS, runs.loaded(), folder)


def assert_same(one, other, rtol=0.0, atol=0.0):
    for mine, expected in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=rtol, atol=atol)


def test_killed_at_ten_moments(tmp_path):
    """SIGKILL while steps are taken and while they are saved: the weights are those of a run that nothing disturbed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["train_worker", "jaxsal.training.checkpoint"])
    generator, folder, killed, halves = random.Random(5), tmp_path / "killed", 0, 0
    checkpoints = folder / "checkpoints"
    while killed < 10:
        process = context.Process(target=train_worker.work, args=(str(folder), str(CACHE)))
        process.start()
        before = set(names(checkpoints))
        in_a_save = killed % 2 == 0
        while process.is_alive() and not any(
            ".orbax-checkpoint-tmp" in name or not in_a_save for name in set(names(checkpoints)) - before
        ):
            time.sleep(0.001)
        if not in_a_save:
            process.join(generator.uniform(0.0, 0.3))
        assert process.exitcode in (None, 0)
        if process.exitcode is None:
            process.kill()
            killed += 1
        else:  # it was done before its time
            shutil.rmtree(folder)
        process.join()
        halves += any(".orbax-checkpoint-tmp" in name for name in names(checkpoints))
    assert halves > 0
    found = train(runs.SPEC, train_worker.OPTIONS, runs.loaded(), folder)
    whole = train(runs.SPEC, train_worker.OPTIONS, runs.loaded(), tmp_path / "whole")
    assert_same(found.variables, whole.variables)
    steps = [json.loads(line)["step"] for line in (folder / "history.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 31))


def names(folder):
    with contextlib.suppress(OSError):
        return os.listdir(folder)
    return []


KILLED = """
import os, signal
import runs
from jaxsal.training import train as training

whole = training.training_batches

def killed(clips, key, steps, batch_size, rows):
    yield from whole(clips, key, range(3), batch_size, rows=rows)
    os.kill(os.getpid(), signal.SIGKILL)

training.training_batches = killed
training.train(runs.SPEC, runs.OPTIONS, runs.loaded(), {folder!r})
"""


def test_killed_on_two_devices_goes_on_on_one(straight, tmp_path):
    (killed,) = processes.start(KILLED.format(folder=str(tmp_path / "run")), devices=2)
    killed.communicate(timeout=200)
    assert killed.returncode == -signal.SIGKILL
    assert saved_steps(tmp_path / "run" / "checkpoints") == [2]
    found = go_on(tmp_path / "run")
    # AdamW's steps, some 0.01 each, magnify how the sums over a batch are rounded where a gradient is near 0
    assert_same(found.variables, straight[1].variables, rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("item", ["variables", "progress"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(straight, tmp_path, item):
    folder = tmp_path / "run"
    shutil.copytree(straight[0], folder)
    assert saved_steps(folder / "checkpoints") == [4, 6]
    for file in (folder / "checkpoints" / "6" / item).rglob("d/*"):  # some hold only what nothing refers to
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0x40
        file.write_bytes(content)
    with pytest.warns(UserWarning, match=r"`checkpoint` must be .*step 6.* The one of step 4 is taken instead"):
        found = go_on(folder)
    assert_same(found.variables, straight[1].variables)
    assert saved_steps(folder / "checkpoints") == [4, 6]
    go_on(folder)  # the damaged one is gone


@pytest.mark.parametrize(("item", "name"), [("variables", "fingerprint"), ("progress", "progress_fingerprint")])
def test_numbers_other_than_were_saved_give_way(straight, tmp_path, item, name):
    """Damage that every checksum of the files lets through."""
    folder = tmp_path / "run"
    shutil.copytree(straight[0], folder)
    path = folder / "checkpoints" / "6" / "meta" / "metadata"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps(meta | {name: "0" * 64}))
    with pytest.warns(UserWarning, match=rf"undamaged; got other {item} than were saved in .*step 6"):
        found = go_on(folder)
    assert_same(found.variables, straight[1].variables)


def test_a_full_disk(straight, tmp_path):
    """No file may grow beyond 2,000 bytes, which TensorStore meets as it would a full disk."""
    folder = tmp_path / "run"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    clips = runs.loaded()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"`output` must take a checkpoint; got .*step 2. Checkpoints before it are"):
            train(runs.SPEC, runs.OPTIONS, clips, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved_steps(folder / "checkpoints") == []
    assert_same(go_on(folder).variables, straight[1].variables)


def test_sigterm_saves_the_step(straight, tmp_path, monkeypatch):
    whole = training.training_batches

    def told(clips, key, steps, batch_size, rows):
        for number, batch in zip(steps, whole(clips, key, steps, batch_size, rows=rows), strict=False):
            if number == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(training, "training_batches", told)
    with pytest.raises(KeyboardInterrupt, match="asked to stop; step 3 is saved"):
        go_on(tmp_path / "run")
    assert signal.getsignal(signal.SIGTERM) == before
    assert saved_steps(tmp_path / "run" / "checkpoints") == [2, 3]
    monkeypatch.setattr(training, "training_batches", whole)
    assert_same(go_on(tmp_path / "run").variables, straight[1].variables)
