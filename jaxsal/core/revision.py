"""Which state of the source code is running."""

import subprocess
from pathlib import Path


def git_revision(folder: str | Path = Path(__file__).parent) -> str | None:
    """The commit that the code is of, with "+dirty" where files have changed since.

    Args:
      folder: Of the code.

    Returns:
      None where the code is in no repository, or in one that does not track it, as an installed copy within the
      folder of another project.
    """
    git = ["git", "-C", str(folder)]
    describe = ["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+dirty"]
    try:
        if not _output([*git, "ls-files", "*.py"]):
            return None
        return _output([*git, *describe])
    except (OSError, subprocess.CalledProcessError):
        return None


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
