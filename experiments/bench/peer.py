"""A second Python environment that works alongside, so that its runs can take turns with ours.

The peer's script calls `serve` with its functions; ours asks for them by name. Requests and answers are lines of
JSON over the process's standard input and output; arrays are exchanged as files. Needs nothing but Python.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


class Peer:
    """A process of another Python environment; `ask` returns when its function has."""

    def __init__(self, python: str | Path, script: str | Path, *, threads: int | None = None):
        """Starts `script`; `threads` bounds the threads of its numerical libraries."""
        bounds = {} if threads is None else {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [str(python), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | bounds,
        )

    def ask(self, name: str, **arguments: Any) -> Any:
        """Calls the peer's function `name` and returns what it returns.

        Raises:
          RuntimeError: If the function raised, or the peer ended.
        """
        self.process.stdin.write(json.dumps([name, arguments]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"The peer ended in `{name}` with code {self.process.wait()}.")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"The peer's `{name}` failed: {answer['error']}")
        return answer["result"]

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def resident_peak_mb() -> float:
    """The most memory that this process has had.

    `ru_maxrss` is not that: a process takes over the peak of the one that started it.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Answers requests until the other side closes; what the functions print goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"result": functions[name](**arguments)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
