"""One run in a folder at a time, by locks of the operating system, which end with their process however it ends.

Locks are those of `flock`. They hold between threads, processes and containers of one machine, and between machines
on NFS and Lustre (mounted with `flock`). Where a file system has none, a run goes on without, after a warning.
"""

import errno
import os
import platform
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxsal.core.checks import check_no_file

if sys.platform != "win32":
    import fcntl

LOCK = ".jaxsal.lock"
_BUSY = (errno.EAGAIN, errno.EACCES)


class FolderInUseError(OSError):
    """Another run holds the folder; the message says which."""


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Locks an open file or folder, if no other process or thread has: whether it did; False where there are no locks.

    The lock ends when the file is closed, at the latest with the process.
    """
    with suppress(OSError):
        _lock(descriptor, shared)
        return True
    return False


def _lock(descriptor: int, shared: bool) -> None:
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, "no locks")
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


@contextmanager
def hold_folder(folder: str | Path, job: str, *, part: str = "") -> Iterator[None]:
    """Keeps a folder, which is made if it is new, from other runs while the block lasts.

    Args:
      folder: The folder; a file ".jaxsal.lock" in it says who holds it, and goes when the block ends.
      job: What is done, for the message of others: "training".
      part: What this run does alone, of a job that several runs share on purpose: "shard 0/4". Runs of different parts
        hold the folder together, and keep out runs of the whole.

    Raises:
      FolderInUseError: If another run holds it.
      ValueError: If it is a file, or in one.
      OSError: If it cannot be written to.
    """
    folder = Path(folder)
    check_no_file("folder", folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _hold(folder, LOCK, job, shared=bool(part)):
        if not part:
            yield
            return
        with _hold(folder, f"{LOCK}.{part.replace(' ', '-').replace('/', '-of-')}", f"{job}, {part},", shared=False):
            yield


@contextmanager
def _hold(folder: Path, name: str, job: str, *, shared: bool) -> Iterator[None]:
    descriptor = _open_locked(folder, name, shared)
    try:
        note = f"{job} on {platform.node()}, process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}"
        with suppress(OSError):  # a full disk: the lock holds without the note
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, note.encode(), 0)
        yield
    finally:
        if try_lock(descriptor):  # no other run shares it
            with suppress(OSError):
                (folder / name).unlink()
        os.close(descriptor)


def _open_locked(folder: Path, name: str, shared: bool) -> int:
    """The lock file, open and locked; it is the one that is in the folder then."""
    path = folder / name
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error
        try:
            _lock(descriptor, shared)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:  # the run before has just removed it
            pass
        except OSError as error:
            if error.errno not in _BUSY:
                warnings.warn(
                    f"{folder} is on a file system without locks: make sure that no other run uses it.", stacklevel=4
                )
                return descriptor
            note = os.pread(descriptor, 500, 0).decode(errors="replace")
            os.close(descriptor)
            holder = note or "another run"
            raise FolderInUseError(
                f"{folder} is in use: {holder}. Wait until that run has ended, or choose another folder."
            ) from error
        os.close(descriptor)
