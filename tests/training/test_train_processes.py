"""A training in two processes that JAX joins: each reads its part of every batch, and the numbers are those of one."""

import json

import jax
import numpy as np
import pytest

import processes
import runs

SCRIPT = """
import dataclasses
import json
from functools import partial
import numpy as np
import runs
from jaxsal.training import train as training
from jaxsal.datasets.pipeline import stream_clips

read, whole = [], training.training_batches

def load(record):
    read.append(record.name)
    return record.load()

def killed(clips, key, steps, batch_size, rows):
    yield from whole(clips, key, range(3), batch_size, rows=rows)
    raise KeyboardInterrupt

clip_set = runs.clip_set().select(split="train")
clip_set = dataclasses.replace(
    clip_set, records=tuple(dataclasses.replace(r, load=partial(load, r)) for r in clip_set.records)
)
clips = stream_clips(clip_set, size=runs.SPEC.size, sampler=runs.SPEC.sampler, num_threads=1)
training.training_batches = killed
try:
    training.train(runs.SPEC, runs.OPTIONS, clips, {folder!r})
except KeyboardInterrupt:
    training.training_batches = whole
trained = training.train(runs.SPEC, runs.OPTIONS, clips, {folder!r})
np.savez(f"{{{folder!r}}}/weights-{{jax.process_index()}}.npz", *jax.tree.leaves(trained.variables))
print(json.dumps(read))
"""


@pytest.mark.process
def test_two_processes_train_the_network_of_one(trained_run, tmp_path):
    """Interrupted after step 3 and resumed from step 2: each reads half of 3 batches, then half of 4."""
    printed = processes.finish(processes.start(SCRIPT.format(folder=str(tmp_path)), count=2), timeout=300)
    read = [json.loads(text.splitlines()[-1]) for text in printed]
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
