"""What libraries print of an error beside raising it; the command line says it in one line, --debug shows all."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("absl", "asyncio", "tifffile")


@contextmanager
def libraries_quiet() -> Iterator[None]:
    """In the block, the loggers of some libraries say nothing, nor does Python of errors in their callbacks."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
