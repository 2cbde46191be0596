"""The same numbers from one process and from two that JAX joins."""

import dataclasses
import json

import numpy as np
import pytest

import processes
import sweeps

SCRIPT = """
import numpy as np
import toys
from jaxsal import deletion, rise_ledger
from jaxsal.core.devices import this_process_alone
from jaxsal.core.processes import from_first

def fail():
    raise OSError("the disk is full")

assert from_first(lambda: dict(process=jax.process_index(), names=["x"] * 1000)) == dict(process=0, names=["x"] * 1000)
try:
    from_first(fail)
except (OSError, ValueError) as error:
    assert str(error) == "the disk is full"
else:
    raise AssertionError("an error of the first process is one in all")
assert jax.device_count() == {all_devices}
clip = jax.random.uniform(jax.random.key(1), (4, 6, 9, 3))
classifier = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))

def score():
    options = dict(num_masks=37, grid_shape=(2, 3, 3), keep_prob=0.4, chunk_size=7)
    return rise_ledger(jax.random.key(0), classifier, clip, **options)

together = score()
with this_process_alone():
    alone = score() if jax.process_index() == 0 else None
curve = deletion(classifier, clip, together.map(1), num_steps=11).scores
output = {folder!r} + "/" + str(jax.process_count()) + "-" + str(jax.process_index()) + ".npz"
np.savez(output, together=together.logits, alone=(alone or together).logits, curve=curve)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    for count in (1, 2):
        script = SCRIPT.format(all_devices=2 * count, folder=str(folder))
        processes.finish(processes.start(script, count=count, devices=2))
    return {name: np.load(folder / f"{name}.npz") for name in ("1-0", "2-0", "2-1")}


@pytest.mark.parametrize("name", ["together", "alone", "curve"])
@pytest.mark.parametrize("process", ["2-0", "2-1"])
def test_every_process_has_the_numbers_of_one(found, process, name):
    assert np.abs(found["1-0"][name]).max() > 0
    np.testing.assert_allclose(found[process][name], found["1-0"][name], rtol=1e-6, atol=1e-7)


FAILING = """
import os
from jaxsal.core.processes import all_agree, in_step, then_wait_for_all

mode, me = {mode!r}, jax.process_index()
with then_wait_for_all("the start"):
    pass
if mode == f"kill {{me}}":
    os.kill(os.getpid(), 9)
with then_wait_for_all("the end"):
    if mode == f"raise {{me}}":
        raise OSError("no space left.")
with in_step():
    if mode == f"raise {{me}} in step":
        raise ValueError("no such class.")
    all_agree(True)
"""
GOES_ON = "What was committed is safe, and the same command goes on from there."


@pytest.mark.parametrize(
    ("mode", "lost", "said"),
    [
        ("raise 1", None, f"process 1 failed: OSError: no space left. {GOES_ON}"),
        ("raise 1 in step", None, f"process 1 failed: ValueError: no such class. {GOES_ON}"),
        ("kill 1", 1, f"OSError: process 1 was lost before the end. {GOES_ON}"),
        ("kill 0", 0, f"jaxsal: another process was lost, and JAX ends this one with it. {GOES_ON}"),
    ],
)
def test_who_failed_is_said_everywhere_and_soon(mode, lost, said):
    running = processes.start(FAILING.format(mode=mode), count=2, heartbeat=3)
    try:
        for number, process in enumerate(running):
            errors = process.communicate(timeout=60)[1]  # minutes, where processes wait for each other
            assert process.returncode != 0
            assert (said in errors) == (number != lost), errors
    finally:
        processes.stop(running)


FULL_DISK = """
import errno
from pathlib import Path
import sweeps
from jaxsal.evaluation.sweep.store import Store

write = Store.write

def full(self, path, *arguments):
    if jax.process_index() == 1 and path.endswith("/logits"):
        raise OSError(errno.ENOSPC, "No space left on device")
    write(self, path, *arguments)

if {full}:
    Store.write = full
sweeps.run(sweeps.config(Path({folder!r})))
"""


def test_a_sweep_that_fails_in_one_process_ends_in_all_and_goes_on(tmp_path):
    sweeps.make_recordings(tmp_path)
    running = processes.start(FULL_DISK.format(full=True, folder=str(tmp_path)), count=2, heartbeat=3)
    try:
        for process in running:
            errors = process.communicate(timeout=90)[1]
            assert process.returncode != 0
            assert "process 1 failed: OSError: [Errno 28] No space left on device" in errors
    finally:
        processes.stop(running)
    processes.finish(processes.start(FULL_DISK.format(full=False, folder=str(tmp_path)), count=2))
    found = sweeps.contents(tmp_path / "store.zarr")
    assert sum(name == "saliency" for _, _, name in found) == 24
    assert not any(np.isnan(values).any() for (*_, name), values in found.items() if name in ("logits", "saliency"))


def test_a_sweep_as_slurm_starts_it(tmp_path):
    """Three clips, two tasks: each does one, both the third; the first task says what is there."""
    sweeps.make_checkpoint(tmp_path)
    sweeps.make_recordings(tmp_path)
    grid = sweeps.MethodGrid("rise", options={"num_masks": [13], "grid_shape": [[2, 3, 3]]})
    config = dataclasses.asdict(sweeps.config(tmp_path, methods=(grid,)))
    (tmp_path / "sweep.json").write_text(json.dumps(config))
    running = processes.launch_as_slurm_would(["sweep", str(tmp_path / "sweep.json"), "--json"])
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said[0][1] + said[1][1]
    assert "shared by 2 processes" in said[0][1]
    assert json.loads(said[0][0].splitlines()[-1])
    assert said[1][0].count("{") == 0
    found = sweeps.contents(config["store"])
    assert sum(name == "logits" for _, _, name in found) == 3
    assert not any(np.isnan(values).any() for (*_, name), values in found.items() if name in ("logits", "saliency"))
