"""What is read from the variables of schedulers, for jobs that this machine cannot start."""

import pytest

from jaxsal.core.schedulers import given_processes, own_devices, several_started

EIGHT = "0,1,2,3,4,5,6,7"


def slurm(tasks, local, visible, **more):
    return dict(SLURM_STEP_TASKS_PER_NODE=tasks, SLURM_LOCALID=local, CUDA_VISIBLE_DEVICES=visible) | more


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (slurm("1(x4)", "0", EIGHT), []),  # one task a machine takes its eight GPUs
        (slurm("8(x4)", "5", EIGHT), [5]),  # eight tasks that see all eight
        (slurm("8(x4)", "5", "0", SLURM_GPUS_ON_NODE="8"), []),  # eight tasks, each shown its own
        (slurm("2", "1", "0,1,2,3,4,5,6,7"), [4, 5, 6, 7]),
        (slurm("2", "1", "0,1,2,3", SLURM_GPUS_ON_NODE="8"), []),
        (slurm("2", "1", "4,5,6,7", SLURM_GPUS_PER_TASK="a100:4"), []),
        (slurm("8", "3", EIGHT, SLURM_GPUS_PER_TASK="1"), [3]),  # --gpu-bind=none
        (slurm("8(x2),4", "1", EIGHT, SLURM_NODEID="2"), [2, 3]),
        (slurm("8", "3", "", SLURM_GPUS_ON_NODE="8"), [3]),
        (slurm("8", "3", ""), None),  # no GPUs, or nobody says how many
        (dict(SLURM_LOCALID="1"), None),
        (dict(OMPI_COMM_WORLD_LOCAL_SIZE="2", OMPI_COMM_WORLD_LOCAL_RANK="1", CUDA_VISIBLE_DEVICES="0,1"), [1]),
        (slurm("8", "5", EIGHT, JAX_LOCAL_DEVICE_IDS="0,1"), None),
        ({}, None),
    ],
)
def test_devices_of_a_task(environment, expected):
    assert own_devices(environment) == expected


def test_processes_given_by_variables():
    given = dict(JAX_COORDINATOR_ADDRESS="host:1234", JAX_NUM_PROCESSES="4", JAX_PROCESS_ID="0")
    assert given_processes(given) == dict(coordinator_address="host:1234", num_processes=4, process_id=0)
    assert given_processes({"JAX_COORDINATOR_ADDRESS": "host:1234"}) == dict(coordinator_address="host:1234")
    assert given_processes({}) == {}


def test_variables_that_do_not_fit():
    with pytest.raises(
        ValueError, match="`JAX_NUM_PROCESSES` and `JAX_PROCESS_ID` must be set together; got 2 and None"
    ):
        given_processes({"JAX_NUM_PROCESSES": "2"})
    with pytest.raises(ValueError, match="`JAX_PROCESS_ID` must be a whole number; got first"):
        given_processes({"JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "first"})


@pytest.mark.parametrize("name", ["SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"])
def test_several_tasks_are_noticed(name):
    assert several_started({name: "2"})
    assert not several_started({name: "1"})
    assert not several_started({})
