"""Runs that are asked to end."""

import os
import signal
from contextlib import suppress

import pytest

from jaxsal.core.signals import TerminatedError, exit_status, signals_raised


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("swallowed", [False, True])
def test_a_signal_ends_the_block_also_where_other_code_swallows_it(number, status, swallowed):
    before = signal.getsignal(number)
    swallow = suppress(KeyboardInterrupt if swallowed else ())
    with pytest.raises(KeyboardInterrupt) as raised, signals_raised(), swallow:
        os.kill(os.getpid(), number)
    assert exit_status(raised.value) == status
    assert isinstance(raised.value, TerminatedError) == (number == signal.SIGTERM)
    assert signal.getsignal(number) == before
