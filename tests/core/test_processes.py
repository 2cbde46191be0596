"""The same numbers from one process and from two that JAX joins, and an end of all where one fails or is lost."""

import dataclasses
import json
import os
import signal
import threading

import jax
import numpy as np
import pytest

import processes
import sweeps
from jaxsal.core.processes import asked_to_stop, given_processes, join_processes, loopback_address, own_devices

NUMBERS = """
import toys
from jaxsal import deletion, rise_ledger
from jaxsal.core.devices import this_process_alone

def numbers():
    clip = np.random.default_rng(1).random((4, 6, 9, 3), np.float32)
    classifier = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))

    def score():
        options = dict(num_masks=37, grid_shape=(2, 3, 3), keep_prob=0.4, chunk_size=7)
        return rise_ledger(jax.random.key(0), classifier, clip, **options)

    together = score()
    with this_process_alone():
        alone = score() if jax.process_index() == 0 else together
    curve = deletion(classifier, clip, clip[..., 0], num_steps=11).scores
    return dict(together=together.logits, alone=alone.logits, curve=curve)
"""

JOINED = """
import numpy as np
from jaxsal.core.processes import from_first, then_wait_for_all

def fail():
    raise OSError("the disk is full")

found = from_first(lambda: dict(process=jax.process_index(), names=["x"] * 1000))
assert found == dict(process=0, names=["x"] * 1000)
for failing, message in (
    (lambda: from_first(fail), "the disk is full"),
    (lambda: wait_after(fail), "Before the end, process 1 failed: OSError: the disk is full."),
):
    try:
        failing()
    except (OSError, ValueError) as error:
        assert str(error) == message, error
    else:
        raise AssertionError("an error of one process is one in all")
assert jax.device_count() == 2
np.savez({folder!r} + f"/{{jax.process_index()}}.npz", **numbers())
"""
WAIT = """
def wait_after(fail):
    with then_wait_for_all("the end"):
        if jax.process_index() == 1:
            fail()
"""


ENDING = """
import os
from jaxsal.core.processes import all_agree

all_agree(True)
if jax.process_index() == {number}:
    {ending}
all_agree(True)
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("number", "ending"), [(1, "raise ValueError('no such class')"), (0, "os.kill(os.getpid(), 9)")]
)
def test_all_end_where_one_ends(number, ending):
    """Within JAX's time-outs, here 3 s, though the other one waits for it inside XLA."""
    running = processes.start(ENDING.format(number=number, ending=ending), count=2, timeout=3)
    try:
        said = [process.communicate(timeout=60)[1] for process in running]
        assert all(process.returncode != 0 for process in running)
        assert ("ValueError: no such class" in said[number]) == ("raise" in ending)
    finally:
        processes.stop(running)


FULL_DISK = """
import errno
from pathlib import Path
import sweeps
from jaxsal.evaluation.objects import Objects

writing = Objects.writing

def full(self, key, content):
    if jax.process_index() == 1 and key.startswith("parts/"):
        raise OSError(errno.ENOSPC, "No space left on device")
    return writing(self, key, content)

Objects.writing = full
sweeps.run(sweeps.config(Path({folder!r})))
"""


@pytest.mark.process
@pytest.mark.nightly
def test_a_sweep_that_fails_in_one_process_ends_in_all_and_resumes(tmp_path, no_shape_checks):
    sweeps.make_recordings(tmp_path)
    running = processes.start(FULL_DISK.format(folder=str(tmp_path)), count=2)
    try:
        for process in running:
            errors = process.communicate(timeout=90)[1]
            assert process.returncode == 1
            assert "process 1 failed: OSError: [Errno 28] No space left on device" in errors
    finally:
        processes.stop(running)
    sweeps.run(sweeps.config(tmp_path))
    assert_done(tmp_path / "store", numbers=24 + 6)


SWEEP_AND_JOINED = """
import jax
sweep = main

def main():
    sweep()
    exec({script!r}, globals())
"""


@pytest.mark.process
def test_a_sweep_as_slurm_starts_it_and_numbers_are_those_of_one_process(tmp_path):
    """Three clips, two tasks: each does one, both the third; the first task says what is there. Then both go on."""
    sweeps.make_checkpoint(tmp_path)
    sweeps.make_recordings(tmp_path)
    grid = sweeps.MethodGrid("rise", options={"num_masks": [13], "grid_shape": [[2, 3, 3]]})
    config = dataclasses.asdict(sweeps.config(tmp_path, methods=(grid,)))
    (tmp_path / "sweep.json").write_text(json.dumps(config))
    script = SWEEP_AND_JOINED.format(script=NUMBERS + WAIT + JOINED.format(folder=str(tmp_path)))
    running = processes.launch_as_slurm_would(["sweep", str(tmp_path / "sweep.json"), "--json"], before=script)
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said[0][1] + said[1][1]
    assert "shared by 2 processes" in said[0][1]
    assert json.loads(said[0][0].splitlines()[-1])
    assert said[1][0].count("{") == 0
    assert_done(config["store"], logits=3)
    scope = dict(jax=jax, np=np)
    exec(NUMBERS, scope)
    for name, expected in scope["numbers"]().items():
        assert np.abs(expected).max() > 0
        for number in (0, 1):
            found = np.load(tmp_path / f"{number}.npz")[name]
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7, err_msg=name)


def assert_done(store, **counts):
    found = sweeps.contents(store)
    assert {name: sum(key[-1] == name for key in found) for name in counts} == counts
    assert not any(np.isnan(values).any() for (*_, name), values in found.items() if name == "logits")


EIGHT = "0,1,2,3,4,5,6,7"


def slurm(tasks, nodes, local, visible, **more):
    given = dict(SLURM_STEP_NUM_TASKS=tasks, SLURM_STEP_NUM_NODES=nodes, SLURM_LOCALID=local)
    return given | dict(CUDA_VISIBLE_DEVICES=visible) | more


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (slurm("4", "4", "0", EIGHT), []),  # one task a machine takes its eight GPUs
        (slurm("32", "4", "5", EIGHT), [5]),  # eight tasks that see all eight
        (slurm("32", "4", "5", "0", SLURM_GPUS_ON_NODE="8"), []),  # eight tasks, each shown its own
        (slurm("2", "1", "1", EIGHT), [4, 5, 6, 7]),
        (slurm("2", "1", "1", "0,1,2,3", SLURM_GPUS_ON_NODE="8"), []),
        (slurm("8", "1", "3", "", SLURM_GPUS_ON_NODE="8"), [3]),
        (slurm("8", "1", "3", ""), None),  # no GPUs, or nobody says how many
        (dict(OMPI_COMM_WORLD_LOCAL_SIZE="2", OMPI_COMM_WORLD_LOCAL_RANK="1", CUDA_VISIBLE_DEVICES="0,1"), [1]),
        (slurm("32", "4", "5", EIGHT, JAX_LOCAL_DEVICE_IDS="0,1"), None),
        ({}, []),
    ],
)
def test_devices_of_a_task(environment, expected):
    assert own_devices(environment) == expected


def test_processes_given_by_variables():
    given = dict(JAX_COORDINATOR_ADDRESS="host:1234", JAX_NUM_PROCESSES="4", JAX_PROCESS_ID="0")
    assert given_processes(given) == dict(coordinator_address="host:1234", num_processes=4, process_id=0)
    assert given_processes({}) == {}
    with pytest.raises(ValueError, match="`JAX_PROCESS_ID` must be a whole number; got first"):
        given_processes({"JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "first"})


def test_nothing_to_join(monkeypatch):
    """Nothing is joined where nobody asks; who asks in vain is told what to set."""
    join_processes()
    monkeypatch.setattr(jax.distributed, "initialize", lambda **_: fail("no address"))
    with pytest.raises(ValueError, match=r"--distributed: JAX found no other processes \(no address\). Set JAX_COORD"):
        join_processes(asked=True)


def fail(message):
    raise ValueError(message)


def test_sigterm_is_a_question_that_a_loop_asks_and_another_thread_does_not():
    before, found = signal.getsignal(signal.SIGTERM), []
    with asked_to_stop() as stop:
        assert not stop(0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop(1)
    assert signal.getsignal(signal.SIGTERM) == before

    def work():
        with asked_to_stop() as stop:
            found.append(stop(0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


@pytest.mark.parametrize(
    ("address", "bound"),
    [("127.0.0.1:12", "127.0.0.1:12"), ("localhost:12", "localhost:12"), ("[::1]:12", "[::1]:12"), ("node3:12", None)],
)
def test_a_coordinator_of_one_machine_is_not_open_to_the_network(address, bound):
    assert loopback_address(dict(coordinator_address=address)) == bound
    assert loopback_address({}) is None
