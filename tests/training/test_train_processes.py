"""A training in two processes that JAX joins: each reads its part of every batch, and the numbers are those of one."""

import json

import numpy as np
import pytest

import processes
import runs
from conftest import CACHE

SCRIPT = """
import dataclasses
import json
from functools import partial
import numpy as np
import runs
from jaxsal.training import train as training
from jaxsal.datasets.streaming import stream_clips

jax.config.update("jax_compilation_cache_dir", {cache!r})
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
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


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Weights, what was read, and the history: of one process with two devices, and of each of two with one."""
    results = {}
    for names in (["one"], ["first", "second"]):
        folder, count = tmp_path_factory.mktemp(names[0]), len(names)
        script = SCRIPT.format(cache=str(CACHE), folder=str(folder))
        printed = processes.finish(processes.start(script, count=count, devices=2 // count), timeout=300)
        history = [json.loads(line)["step"] for line in (folder / "history.jsonl").read_text().splitlines()]
        for number, name in enumerate(names):
            weights = np.load(folder / f"weights-{number}.npz")
            read = json.loads(printed[number].splitlines()[-1])
            results[name] = [weights[key] for key in weights.files], read, history
    return results


@pytest.mark.parametrize("process", ["first", "second"])
def test_two_processes_train_the_network_of_one(found, process):
    weights, _, history = found[process]
    assert history == found["one"][2] == [1, 2, 3, 4, 5, 6]
    for mine, expected in zip(weights, found["one"][0], strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-6)


def test_every_process_reads_its_half(found):
    """Three steps of four clips before the kill, then steps 3 to 6; what is made ahead is bounded by the steps."""
    one, first, second = (found[name][1] for name in ("one", "first", "second"))
    assert len(one) == 4 * (3 + 4)
    assert len(first) == len(second) == 2 * (3 + 4)
    assert sorted(first + second) == sorted(one)


def test_a_training_as_slurm_starts_it(tmp_path):
    """The first task alone says how it went; a second start finds the network trained."""
    data = runs.save_recordings(tmp_path / "data")
    words = ["train", "--data", str(data), "--spectra", "TV", "--output", str(tmp_path / "run"), "--distributed"]
    words += ["--width", "2", "--num-frames", "4", "--size", "18", "--crop", "16", "--batch-size", "4"]
    words += ["--save-every", "2", "--num-steps", "4", "--json"]
    accuracies = []
    for _ in range(2):
        first, second = processes.finish(processes.launch_as_slurm_would(words), timeout=300)
        assert "{" not in second
        (said,) = (json.loads(line) for line in first.splitlines() if line.startswith("{"))
        accuracies.append(said["accuracy"]["TV"])
        history = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in history] == [1, 2, 3, 4]
    assert accuracies[0] == accuracies[1]
    assert 0 <= accuracies[0][0] <= 1
