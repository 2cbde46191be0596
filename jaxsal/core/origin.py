"""What made a result: the state of the source code, the versions of the packages, the devices."""

import subprocess
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

_VERSIONED = ("jaxsal", "jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")


def origin(**notes: object) -> dict[str, Any]:
    """Versions of the packages that numbers depend on, the git revision if there is one, the devices, further notes."""
    versions = {name: version(name) for name in _VERSIONED}
    kinds = Counter(f"{device.platform}: {device.device_kind}" for device in jax.devices())
    return dict(versions=versions, git_revision=git_revision(), devices=dict(kinds), **notes)


def git_revision(folder: str | Path = Path(__file__).parent) -> str | None:
    """The commit of the code in a folder, with "+dirty" if files have changed since.

    Returns:
      None where the code is in no repository, or in one that does not track it, as an installed copy within the
      folder of another project.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *words], capture_output=True, text=True, check=True
        ).stdout

    try:
        if not git("ls-files", "*.py"):
            return None
        changed = git("status", "--porcelain", "--untracked-files=no")  # `describe` would write the index, with a lock
        return git("rev-parse", "HEAD").strip() + "+dirty" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return None
