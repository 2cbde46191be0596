"""A training in two processes that JAX joins: each reads its part of every batch, and the numbers are those of one."""

import json

import jax
import numpy as np
import pytest

import processes
import runs
import train_worker


@pytest.mark.process
def test_two_processes_train_the_network_of_one(trained_run, tmp_path):
    """Interrupted after step 3 and resumed from step 2: each reads half of 3 batches, then half of 4."""
    port = processes.free_port()
    pair = [train_worker.start(train_worker.train_in_two_processes, tmp_path, number, port) for number in (0, 1)]
    for process in pair:
        process.join(300)
    assert [process.exitcode for process in pair] == [0, 0]
    read = [json.loads((tmp_path / f"read-{number}.json").read_text()) for number in (0, 1)]
    assert [len(names) for names in read] == [2 * (3 + 4), 2 * (3 + 4)]
    assert sorted(read[0][-8:] + read[1][-8:]) == sorted(2 * [record.name for record in runs.loaded().clip_set.records])
    history = [json.loads(line)["step"] for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert history == [1, 2, 3, 4, 5, 6]
    weights = [np.load(tmp_path / f"weights-{number}.npz") for number in (0, 1)]
    expected = jax.tree.leaves(trained_run[1].variables)
    for name, theirs in zip(weights[0].files, expected, strict=True):
        np.testing.assert_array_equal(weights[0][name], weights[1][name])
        # AdamW's steps, some 0.01 each, magnify how the sums over a batch are rounded where a gradient is near 0
        np.testing.assert_allclose(weights[0][name], theirs, rtol=1e-2, atol=2e-3)


@pytest.mark.process
@pytest.mark.nightly
def test_a_training_as_slurm_starts_it(tmp_path):
    """The first task alone says how it went."""
    data = runs.save_recordings(tmp_path / "data")
    words = ["train", "--data", str(data), "--spectra", "TV", "--output", str(tmp_path / "run"), "--distributed"]
    words += ["--width", "2", "--num-frames", "4", "--size", "18", "--crop", "16", "--batch-size", "4"]
    words += ["--save-every", "2", "--num-steps", "4", "--json"]
    first, second = processes.finish(processes.launch_as_slurm_would(words), timeout=300)
    assert "{" not in second
    (said,) = (json.loads(line) for line in first.splitlines() if line.startswith("{"))
    assert 0 <= said["accuracy"]["TV"][0] <= 1
    history = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in history] == [1, 2, 3, 4]
