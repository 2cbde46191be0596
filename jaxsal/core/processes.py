"""Several processes as one run, by JAX's own distributed runtime.

A process that is lost does not take the others with it: they finish what needs nobody else, then say which was lost.
Process 0 keeps the books of the runtime, so all end where it is killed.
"""

import atexit
import contextlib
import ctypes
import itertools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from jaxsal.core.schedulers import given_processes, own_devices, several_started

_GOES_ON = "What was committed is safe, and the same command goes on from there."
_LOST = f"jaxsal: another process was lost, and JAX ends this one with it. {_GOES_ON}\n".encode()
_meetings = itertools.count()
_kept: list[Any] = []  # what C calls must not be collected


def join_processes(asked: bool = False, *, survive: bool = False, heartbeat_seconds: int = 30) -> None:
    """Joins the processes of a run, if it has several; call it before JAX computes anything.

    Machines without a scheduler say who they are by JAX_COORDINATOR_ADDRESS (host:port of process 0),
    JAX_NUM_PROCESSES and JAX_PROCESS_ID. JAX finds SLURM, Open MPI, Kubernetes and Cloud TPU by itself; it is asked to
    where the user wants it, or where SLURM or Open MPI started more than one task.

    Args:
      asked: Whether the user wants it.
      survive: Whether a process goes on when another one is lost, until it waits for it; all end at once if not.
      heartbeat_seconds: A process is lost if it was not heard of for so long.

    Raises:
      ValueError: If JAX finds nothing to join, or only some of the three variables are set.
    """
    given = given_processes(os.environ)
    if jax.distributed.is_initialized() or not (asked or given or several_started(os.environ)):
        return
    jax.config.update("jax_enable_recoverability", survive)
    try:
        jax.distributed.initialize(
            **given,
            local_device_ids=own_devices(os.environ),
            heartbeat_timeout_seconds=heartbeat_seconds,
            shutdown_timeout_seconds=heartbeat_seconds,
        )
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"`distributed` must have processes to join; got none that JAX finds ({error}).") from error
    _explain_abort()
    if survive and jax.process_index() == 0:
        atexit.register(_leave_last)


def is_first() -> bool:
    """Whether this is the process that writes what there is one of."""
    return not jax.distributed.is_initialized() or jax.process_index() == 0


def wait_for_all(place: str, failure: Exception | None = None) -> None:
    """Waits until every process is at the same place.

    Args:
      place: What is done then, for messages.
      failure: What went wrong here, if something did.

    Raises:
      OSError: In all processes, if something went wrong in one of several, or one was lost.
      Exception: `failure`, where there are no others.
    """
    if jax.process_count() == 1:
        if failure is not None:
            raise failure
        return
    client, meeting = _client(), f"jaxsal/{next(_meetings)}"
    client.key_value_set(f"{meeting}/{jax.process_index()}", "" if failure is None else _reason(failure))
    alive = client.get_live_nodes(list(range(jax.process_count())))
    said = {int(key.rsplit("/", 1)[-1]): reason for key, reason in client.key_value_dir_get(meeting)}
    problems = [f"process {number} failed: {reason}" for number, reason in sorted(said.items()) if reason]
    missing = [number for number in range(jax.process_count()) if number not in alive or number not in said]
    problems += [f"process {number} was lost before {place}" for number in missing]
    if problems:
        raise OSError(f"{'; '.join(problems)}. {_GOES_ON}") from failure


@contextmanager
def then_wait_for_all(place: str) -> Iterator[None]:
    """Does what is inside, then waits for the others; what fails in one process is raised in all."""
    failure = None
    try:
        yield
    except Exception as error:
        failure = error
    wait_for_all(place, failure)


@contextmanager
def in_step(*, poll_seconds: float = 0.5) -> Iterator[None]:
    """Inside, all processes compute together: where one fails, the others end at once instead of waiting for it.

    Raises:
      OSError: What failed here, with the number of the process, where it is one of several.
    """
    if jax.process_count() == 1:
        yield
        return
    client, meeting, over = _client(), f"jaxsal/{next(_meetings)}", threading.Event()
    arguments = (client, meeting, over, poll_seconds)
    threading.Thread(target=_end_with_the_first, args=arguments, daemon=True).start()
    try:
        yield
    except Exception as error:
        over.set()
        said = f"process {jax.process_index()} failed: {_reason(error)}"
        client.key_value_set(f"{meeting}/{jax.process_index()}", said)
        threading.Event().wait(4 * poll_seconds)  # the others read it before this one's connections close
        raise OSError(f"{said}. {_GOES_ON}") from error
    finally:
        over.set()


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
    from jaxsal.core.devices import device_mesh

    if not device_mesh().is_multi_process:
        return value
    from jax.experimental.multihost_utils import process_allgather

    return bool(process_allgather(jax.numpy.asarray(value)).all())


def _client() -> Any:
    """JAX's connection to its coordination service, which orbax too takes from there."""
    from jax._src import distributed

    return distributed.global_state.client


def _reason(error: Exception) -> str:
    text = str(error).strip().removesuffix(_GOES_ON).strip().removesuffix(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _end_with_the_first(client: Any, meeting: str, over: threading.Event, poll_seconds: float) -> None:
    """Ends this process when another one says that it failed; the main thread may be waiting for it inside XLA."""
    while not over.wait(poll_seconds):
        for _, said in client.key_value_dir_get(meeting):
            if not over.is_set():
                print(f"jaxsal: {said}. {_GOES_ON}", file=sys.stderr, flush=True)
                if jax.process_index() == 0:
                    _leave_last()
                os._exit(1)


def _leave_last() -> None:
    """Waits at the end of process 0 until no other is left, since they cannot do without its books."""
    with contextlib.suppress(Exception):
        while len(_client().get_live_nodes(list(range(jax.process_count())))) > 1:
            pass


def _explain_abort() -> None:
    """Puts a line after the C++ messages with which JAX ends a process that it cannot keep."""
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: os.write(2, _LOST) and None)
    install = ctypes.CDLL(None).signal
    install.restype, install.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    install(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
    _kept.append(handler)
