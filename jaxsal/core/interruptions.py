"""SIGTERM, by which schedulers ask a process to end, as a question that a loop asks when it can."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax


@contextmanager
def asked_to_stop() -> Iterator[Callable[[int], bool]]:
    """Gives a function of the step's number that says whether to end after it; asked in every step of a loop.

    Joined processes end after the same step, by JAX's preemption service. Outside the main thread nothing is noticed.
    """
    if jax.process_count() > 1:
        from jax.experimental.multihost_utils import reached_preemption_sync_point

        yield reached_preemption_sync_point
        return
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield lambda step: False
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
    try:
        yield lambda step: asked.is_set()
    finally:
        signal.signal(signal.SIGTERM, before)
