"""How a run that is asked to end ends: by an exception, wherever it is, and with the status that shells expect."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came, as schedulers send it; handled like Ctrl-C, and told apart by the exit status."""


def exit_status(error: KeyboardInterrupt) -> int:
    """143 after SIGTERM, 130 after Ctrl-C."""
    return 128 + (signal.SIGTERM if isinstance(error, TerminatedError) else signal.SIGINT)


@contextmanager
def signals_raised() -> Iterator[None]:
    """Raises in the block what SIGINT and SIGTERM ask for, and again at its end where other code swallowed it.

    Outside the main thread, which alone gets signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raised: list[KeyboardInterrupt] = []

    def end(number: int, frame: FrameType | None) -> None:
        raised.append(TerminatedError() if number == signal.SIGTERM else KeyboardInterrupt())
        raise raised[-1]

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
        if raised:
            raise raised[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
