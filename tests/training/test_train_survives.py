"""Trainings that are killed, told to stop, or resume on other devices."""

import contextlib
import json
import os
import random
import shutil
import signal
import time

import jax
import numpy as np
import pytest

import runs
import train_worker
from jaxsal.training import train as training
from jaxsal.training.checkpoint import saved_steps
from jaxsal.training.train import train


def go_on(folder):
    return train(runs.SPEC, runs.OPTIONS, runs.loaded(), folder)


def assert_same(one, other, rtol=0.0, atol=0.0):
    for mine, expected in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=rtol, atol=atol)


@pytest.mark.process
def test_killed_at_two_moments(tmp_path):
    """SIGKILL, amid a save and while steps are taken: the weights are those of an undisturbed run."""
    folder, generator, killed, halves = tmp_path / "killed", random.Random(5), 0, 0
    while killed < 2 or not halves:
        process = train_worker.start(train_worker.save_every_step, folder)
        before, in_a_save = names(folder), killed % 2 == 0
        while process.is_alive() and not any(is_partial(name) or not in_a_save for name in names(folder) - before):
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
        halves += any(map(is_partial, names(folder)))
    found = train(runs.SPEC, train_worker.OPTIONS, runs.loaded(), folder)
    whole = train(runs.SPEC, train_worker.OPTIONS, runs.loaded(), tmp_path / "whole")
    assert_same(found.variables, whole.variables)
    steps = [json.loads(line)["step"] for line in (folder / "history.jsonl").read_text().splitlines()]
    assert steps == list(range(1, train_worker.OPTIONS.num_steps + 1))


def names(folder):
    with contextlib.suppress(OSError):
        return set(os.listdir(folder / "checkpoints"))
    return set()


def is_partial(name):
    return ".orbax-checkpoint-tmp" in name


@pytest.mark.process
def test_killed_on_two_devices_resumes_on_one(trained_run, tmp_path):
    killed = train_worker.start(train_worker.end_on_two_devices, tmp_path / "run")
    killed.join(200)
    assert killed.exitcode == -signal.SIGKILL
    assert saved_steps(tmp_path / "run" / "checkpoints") == [2]
    found = go_on(tmp_path / "run")
    # AdamW's steps, some 0.01 each, magnify how the sums over a batch are rounded where a gradient is near 0
    assert_same(found.variables, trained_run[1].variables, rtol=1e-2, atol=2e-3)


def test_sigterm_saves_the_step(trained_run, tmp_path, monkeypatch):
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
    assert_same(go_on(tmp_path / "run").variables, trained_run[1].variables)
