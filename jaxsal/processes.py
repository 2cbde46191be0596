"""Several processes as one run, by JAX's own distributed runtime."""

import json
import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

_SCHEDULERS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")


def join_processes(asked: bool = False) -> None:
    """Joins the processes of a run, if it has several; call it before JAX computes anything.

    JAX finds SLURM, Open MPI, Kubernetes and Cloud TPU by itself. It is asked to where the user wants it, where
    JAX_COORDINATOR_ADDRESS is set, or where SLURM or Open MPI started more than one task.

    Args:
      asked: Whether the user wants it.

    Raises:
      ValueError: If JAX finds nothing to join.
    """
    started = any(int(os.environ.get(name, "1")) > 1 for name in _SCHEDULERS)
    if jax.distributed.is_initialized() or not (asked or started or "JAX_COORDINATOR_ADDRESS" in os.environ):
        return
    try:
        jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"`distributed` must have processes to join; got none that JAX finds ({error}).") from error


def is_first() -> bool:
    """Whether this is the process that writes what there is one of."""
    return not jax.distributed.is_initialized() or jax.process_index() == 0


def wait_for_all(place: str) -> None:
    """Waits until every process is at the same place."""
    if jax.process_count() > 1:
        from jax.experimental.multihost_utils import sync_global_devices

        sync_global_devices(place)


def from_first(make: Callable[[], Any]) -> Any:
    """What `make` finds in the first process, as JSON gives it back, in every process.

    Args:
      make: Called in the first process alone; returns what JSON has.

    Raises:
      ValueError: In the others, if `make` raises an error in the first, which raises that.
    """
    found, problem = None, None
    if is_first():
        try:
            found = make()
        except (ValueError, TypeError, OSError) as error:
            if jax.process_count() == 1:
                raise
            problem = error
    if jax.process_count() == 1:
        return json.loads(json.dumps(found))
    from jax.experimental.multihost_utils import broadcast_one_to_all

    content = json.dumps(dict(found=found, problem=problem and str(problem))).encode()
    length = int(broadcast_one_to_all(np.int32(len(content))))
    padded = np.zeros(1 << length.bit_length(), np.uint8)  # few sizes, so few programs
    padded[: min(len(content), len(padded))] = np.frombuffer(content, np.uint8)[: len(padded)]
    sent = json.loads(np.asarray(broadcast_one_to_all(padded))[:length].astype(np.uint8).tobytes())
    if problem is not None:
        raise problem
    if sent["problem"] is not None:
        raise ValueError(sent["problem"])
    return sent["found"]


def all_agree(value: bool) -> bool:
    """Whether a thing holds in every process that works with this one."""
    from jaxsal.devices import device_mesh

    if not device_mesh().is_multi_process:
        return value
    from jax.experimental.multihost_utils import process_allgather

    return bool(process_allgather(jax.numpy.asarray(value)).all())
