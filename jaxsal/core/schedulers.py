"""What SLURM, Open MPI and the user's own variables say of the processes of a run and of their devices."""

from collections.abc import Mapping
from typing import Any

_TASKS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")
_GIVEN = {
    "coordinator_address": "JAX_COORDINATOR_ADDRESS",
    "num_processes": "JAX_NUM_PROCESSES",
    "process_id": "JAX_PROCESS_ID",
}
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")


def several_started(environment: Mapping[str, str]) -> bool:
    """Whether a scheduler started more than one task."""
    return any(int(environment.get(name, "1")) > 1 for name in _TASKS)


def given_processes(environment: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of `jax.distributed.initialize` that a user set by variables; JAX itself reads the first only.

    Raises:
      ValueError: If the number of processes and this one's are not both set, or are no numbers.
    """
    found: dict[str, Any] = {name: environment[key] for name, key in _GIVEN.items() if environment.get(key)}
    if ("num_processes" in found) != ("process_id" in found):
        raise ValueError(
            "`JAX_NUM_PROCESSES` and `JAX_PROCESS_ID` must be set together; got "
            f"{environment.get('JAX_NUM_PROCESSES')} and {environment.get('JAX_PROCESS_ID')}."
        )
    for name in ("num_processes", "process_id"):
        if name in found:
            if not found[name].isdigit():
                raise ValueError(f"`{_GIVEN[name]}` must be a whole number; got {found[name]}.")
            found[name] = int(found[name])
    return found


def own_devices(environment: Mapping[str, str]) -> list[int] | None:
    """The GPUs of this process, by their place among those that it sees; [] for all of them.

    JAX gives a task of SLURM or Open MPI one GPU, the one of its own number on the machine. Here a task has all GPUs
    that it alone sees, and tasks that see the same GPUs have equal parts of them.

    Returns:
      None where JAX's own rule stays: JAX_LOCAL_DEVICE_IDS is set, or how many tasks or GPUs there are is not known.
    """
    if "JAX_LOCAL_DEVICE_IDS" in environment:
        return None
    tasks, number = _tasks_here(environment)
    if tasks == 1:
        return []
    visible = _visible(environment)
    if tasks is None or visible is None:
        return None
    on_machine = int(environment.get("SLURM_GPUS_ON_NODE", visible))
    asked = environment.get("SLURM_GPUS_PER_TASK", "").split(":")[-1]
    if visible < max(tasks, on_machine) or asked == str(visible):
        return []  # the scheduler shows each task its own
    share = visible // tasks
    return list(range(number * share, (number + 1) * share))


def _tasks_here(environment: Mapping[str, str]) -> tuple[int | None, int]:
    """How many tasks of the run this machine has, and which of them this is."""
    if "OMPI_COMM_WORLD_LOCAL_SIZE" in environment:
        return int(environment["OMPI_COMM_WORLD_LOCAL_SIZE"]), int(environment["OMPI_COMM_WORLD_LOCAL_RANK"])
    number = int(environment.get("SLURM_LOCALID", "0"))
    if "SLURM_STEP_TASKS_PER_NODE" not in environment:
        return None, number
    counts: list[int] = []  # "2(x3),1" says 2, 2, 2, 1
    for part in environment["SLURM_STEP_TASKS_PER_NODE"].split(","):
        count, _, times = part.rstrip(")").partition("(x")
        counts += [int(count)] * int(times or 1)
    return counts[min(int(environment.get("SLURM_NODEID", "0")), len(counts) - 1)], number


def _visible(environment: Mapping[str, str]) -> int | None:
    """How many GPUs this process sees, None if nobody says."""
    for name in _VISIBLE:
        if environment.get(name):
            return len(environment[name].split(","))
    return int(environment["SLURM_GPUS_ON_NODE"]) if "SLURM_GPUS_ON_NODE" in environment else None
