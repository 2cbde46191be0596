"""Installs the project with what its tests need, and checks it: style, types, tests.

    python tests/check.py                  as the continuous integration does
    python tests/check.py --nightly        long tests, too, which have a smaller one of their kind
    python tests/check.py -m "not browser" words are for pytest

The README and the continuous integration run this file.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETTINGS = {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "", "OPENBLAS_NUM_THREADS": "1"}
"""Of the environment: this folder's package alone, modules compiled once for all processes that tests start, and no
threads of NumPy's, which wait busily for each other where two workers share the processors."""


def run(*words: str) -> None:
    """Runs a command in the project's folder and ends where it fails."""
    print("+", *words, flush=True)
    start = time.monotonic()
    status = subprocess.run(words, cwd=ROOT, env=os.environ | SETTINGS).returncode
    print(f"  {time.monotonic() - start:.0f} s", flush=True)
    if status:
        sys.exit(status)


def main(words: list[str]) -> None:
    """Runs all checks, the quick ones first."""
    python = [sys.executable, "-m"]
    run(*python, "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--editable", ".[test]")
    run(*python, "ruff", "check", ".")
    run(*python, "ruff", "format", "--check", ".")
    run(*python, "mypy")
    chosen = [word for word in words if word != "--nightly"]
    if not words:
        chosen = ["-m", "not nightly"]
    run(*python, "pytest", "-n", "2", *chosen)


if __name__ == "__main__":
    main(sys.argv[1:])
