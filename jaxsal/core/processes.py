"""Several processes as one run, joined by JAX's own distributed runtime, and how a run is asked to end.

JAX ends all processes of a run when one of them is lost or ends with an error: within the time-outs that
`join_processes` sets, with an exit status that is not 0, and with lines of C++ on standard error after the reason.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from jaxsal.core.devices import device_mesh
from jaxsal.core.files import remove_leftovers
from jaxsal.core.locks import hold_folder

_GIVEN = {
    "coordinator_address": "JAX_COORDINATOR_ADDRESS",
    "num_processes": "JAX_NUM_PROCESSES",
    "process_id": "JAX_PROCESS_ID",
}
_REASON_BYTES = 500

Result = TypeVar("Result")


def join_processes(asked: bool = False, *, timeout_seconds: int = 30) -> None:
    """Joins the processes of a run, if it has several; call it before JAX computes anything.

    Machines without a scheduler are told by JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and
    JAX_PROCESS_ID. JAX recognises SLURM, Open MPI, Kubernetes and Cloud TPU; it is asked to if the user wants it, or
    if SLURM or Open MPI started more than one task.

    Args:
      asked: Whether the user wants it.
      timeout_seconds: JAX ends all processes if one is silent, or has ended before the others, for this long.

    Raises:
      ValueError: If there is nothing to join, or a variable is not a number.
    """
    given = given_processes(os.environ)
    started = (os.environ.get(name, "1") for name in ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"))
    if jax.distributed.is_initialized() or not (asked or given or any(int(number) > 1 for number in started)):
        return
    try:
        jax.distributed.initialize(
            **given,
            coordinator_bind_address=loopback_address(given),
            local_device_ids=own_devices(os.environ),
            heartbeat_timeout_seconds=timeout_seconds,
            shutdown_timeout_seconds=timeout_seconds,
        )
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"--distributed: JAX found no other processes ({error}). Set JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES "
            "and JAX_PROCESS_ID, or run under SLURM."
        ) from error


def given_processes(environment: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of `jax.distributed.initialize` that a user set by variables; JAX itself reads the first only.

    Raises:
      ValueError: If a number is none.
    """
    given: dict[str, Any] = {name: environment[key] for name, key in _GIVEN.items() if environment.get(key)}
    for name in given.keys() & {"num_processes", "process_id"}:
        if not given[name].isdigit():
            raise ValueError(f"`{_GIVEN[name]}` must be a whole number; got {given[name]}.")
        given[name] = int(given[name])
    return given


def loopback_address(given: Mapping[str, Any]) -> str | None:
    """Where the coordinator listens if it is for this machine alone; None, for JAX's rule: on all interfaces."""
    address = str(given.get("coordinator_address", ""))
    return address if address.rpartition(":")[0] in ("localhost", "127.0.0.1", "[::1]") else None


def own_devices(environment: Mapping[str, str]) -> list[int] | None:
    """The GPUs of this process, by their place among the GPUs that it sees; [] for all of them.

    JAX alone gives each task of SLURM or Open MPI a single GPU. Here a task has all GPUs that only it sees, and tasks
    that see the same GPUs have equal parts of them.

    Returns:
      None where JAX's rule stays: JAX_LOCAL_DEVICE_IDS is set, or the number of GPUs is unknown.
    """

    def number(name: str, default: int) -> int:
        return int(environment.get(name, default))

    if "JAX_LOCAL_DEVICE_IDS" in environment:
        return None
    tasks = -(-number("SLURM_STEP_NUM_TASKS", 1) // number("SLURM_STEP_NUM_NODES", 1))
    tasks = number("OMPI_COMM_WORLD_LOCAL_SIZE", tasks)
    names = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
    listed = next((len(environment[name].split(",")) for name in names if environment.get(name)), 0)
    visible = listed or number("SLURM_GPUS_ON_NODE", 0)
    if tasks > 1 and not visible:
        return None
    if tasks == 1 or visible < max(tasks, number("SLURM_GPUS_ON_NODE", 0)):
        return []  # the scheduler shows each task its own
    share, task = visible // tasks, number("OMPI_COMM_WORLD_LOCAL_RANK", number("SLURM_LOCALID", 0))
    return list(range(task * share, (task + 1) * share))


def is_first() -> bool:
    """Whether this is the process that prints, and writes files of which there is one."""
    return not jax.distributed.is_initialized() or jax.process_index() == 0


def wait_for_all(place: str, failure: Exception | None = None) -> None:
    """Waits until every process is here.

    Args:
      place: What is done here, for messages: "the sweep is done".
      failure: What went wrong in this process, None if nothing did.

    Raises:
      OSError: In all of several processes, if something went wrong in one of them.
      Exception: `failure`, where there are no others.
    """
    if jax.process_count() == 1:
        if failure is not None:
            raise failure
        return
    from jax.experimental.multihost_utils import process_allgather

    _meet()
    reason = "" if failure is None else f"{type(failure).__name__}: {failure}".removesuffix(".")
    padded = reason.encode()[:_REASON_BYTES].ljust(_REASON_BYTES, b"\0")
    reasons = [bytes(row).rstrip(b"\0") for row in process_allgather(np.frombuffer(padded, np.uint8))]
    failed = [f"process {n} failed: {said.decode(errors='ignore')}" for n, said in enumerate(reasons) if said]
    if failed:
        raise OSError(f"Before {place}, {'; '.join(failed)}.") from failure


def _meet() -> None:
    """Waits for all processes, however long it takes; a collective of CPUs by itself gives up after 30 minutes."""
    from jax.experimental.multihost_utils import live_devices

    with live_devices(jax.devices()):
        pass


@contextmanager
def then_wait_for_all(place: str) -> Iterator[None]:
    """Runs the block, then waits for the other processes; what fails in one of them is raised in all."""
    failure = None
    try:
        yield
    except Exception as error:
        failure = error
    wait_for_all(place, failure)


@contextmanager
def held_by_first(folder: str | Path, job: str, *, part: str = "") -> Iterator[None]:
    """Holds a folder for all processes that JAX joined, the first of which locks it, and sweeps up what kills left.

    Arguments and errors are those of `jaxsal.core.locks.hold_folder`; what fails in the first is raised in all.
    """
    with ExitStack() as held:
        with then_wait_for_all(f"{folder} is locked"):
            if is_first():
                held.enter_context(hold_folder(folder, job, part=part))
                remove_leftovers(folder)
        yield


def from_first(make: Callable[[], Result]) -> Result:
    """The result of `make` in the first process, as JSON gives it back, in every process.

    Args:
      make: Called in the first process alone; returns what JSON can hold.

    Raises:
      ValueError: In the others, if `make` raises ValueError, TypeError or OSError in the first, which raises that.
    """
    if jax.process_count() == 1:
        return json.loads(json.dumps(make()))
    from jax.experimental.multihost_utils import broadcast_one_to_all

    result, failure = None, None
    if is_first():
        try:
            result = make()
        except (ValueError, TypeError, OSError) as error:
            failure = error
    content = json.dumps([result, failure and str(failure)]).encode()
    _meet()
    length = int(broadcast_one_to_all(np.int32(len(content))))
    padded = content[:length].ljust(1 << length.bit_length(), b" ")  # few lengths, so few programs
    sent = np.asarray(broadcast_one_to_all(np.frombuffer(padded, np.uint8))).astype(np.uint8)
    if failure is not None:
        raise failure
    result, problem = json.loads(sent.tobytes())
    if problem is not None:
        raise ValueError(problem)
    return result


def least(value: float) -> float:
    """The least of a number over the processes that work with this one."""
    if not device_mesh().is_multi_process:
        return value
    from jax.experimental.multihost_utils import process_allgather

    return process_allgather(np.float64(value)).min().item()


def all_agree(value: bool) -> bool:
    """Whether a thing holds in every process that works with this one."""
    return bool(least(value))


@contextmanager
def asked_to_stop() -> Iterator[Callable[[int], bool]]:
    """Yields a function of a step's number that says whether SIGTERM has asked the run to end after that step.

    A loop calls it in every step. Joined processes end after the same step, by JAX's preemption service. Outside the
    main thread no signal is noticed.
    """
    if jax.process_count() > 1:
        from jax.experimental.multihost_utils import reached_preemption_sync_point

        yield reached_preemption_sync_point
    elif threading.current_thread() is not threading.main_thread():
        yield lambda step: False
    else:
        asked = threading.Event()
        before = signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
        try:
            yield lambda step: asked.is_set()
        finally:
            signal.signal(signal.SIGTERM, before)
