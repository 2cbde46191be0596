"""Installs the project with what its tests need, and checks it: style, types, tests.

    python tests/check.py          all but the slow tests
    python tests/check.py --all    also the tests that start processes, play the report in a browser, build the pages,
                                   run the benchmarks or explain networks of full size

Further words go to pytest. The README and the continuous integration run this file.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SLOW = "process or docs or browser or bench or network"


def run(*words: str) -> None:
    """Runs a command in the project's folder and ends where it fails."""
    print("+", *words, flush=True)
    start = time.monotonic()
    status = subprocess.run(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": ""}).returncode
    print(f"  {time.monotonic() - start:.0f} s", flush=True)
    if status:
        sys.exit(status)


def main(words: list[str]) -> None:
    """Runs all checks, the quick ones first."""
    chosen = [] if "--all" in words else ["-m", f"not ({SLOW})"]
    python = [sys.executable, "-m"]
    run(*python, "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--editable", ".[test]")
    run(*python, "ruff", "check", ".")
    run(*python, "ruff", "format", "--check", ".")
    run(*python, "mypy")
    run(*python, "pytest", "-n", "2", *chosen, *(word for word in words if word != "--all"))


if __name__ == "__main__":
    main(sys.argv[1:])
