"""Files of one folder or bucket, by key, through TensorStore: each is written whole or not at all."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import tensorstore as ts

from jaxsal.core.checks import check_no_file
from jaxsal.core.files import DamagedError, system_reason

_HOUR = 3600.0


@cache
def _context() -> ts.Context:
    """Shared by all of this process, for files in memory. Files need no locks, for no two writers write the same."""
    return ts.Context(dict(cache_pool=dict(total_bytes_limit=0), file_io_locking=dict(mode="none")))


class Objects:
    """The files below one folder or URL."""

    def __init__(self, url: str):
        """Opens a folder, or a URL that TensorStore knows; ValueError if it is neither."""
        self.url = url
        if "://" not in url:
            check_no_file("store", url)
        full = url if "://" in url else Path(url).absolute().as_uri()
        try:
            self._files = ts.KvStore.open(f"{full.rstrip('/')}/", context=_context()).result()
        except ValueError as error:
            raise ValueError(f"`store` must be a folder or a URL of TensorStore's; got {url} ({error}).") from error

    def reading(self, key: str, place: slice | None = None) -> Callable[[], bytes | None]:
        """Begins to read a file, or a part of it; what is returned waits for the bytes, None if there is no file.

        Waiting raises DamagedError if the file is shorter than `place`, and OSError if it cannot be read.
        """
        future = self._files.read(key, byte_range=place)

        def wait() -> bytes | None:
            try:
                found = future.result()
            except (ValueError, OSError) as error:
                if str(error).startswith("OUT_OF_RANGE"):
                    raise DamagedError("it is cut off") from error
                raise OSError(f"Cannot read {self.url}/{key}: {system_reason(error)}.") from error
            return found.value if found.state == "value" else None

        return wait

    def writing(self, key: str, content: bytes | None) -> Callable[[], None]:
        """Begins to write a file, or to remove it; what is returned waits for the disk, and raises OSError."""
        future = self._files.write(key, content)
        future.force()

        def wait() -> None:
            try:
                future.result()
            except (ValueError, OSError) as error:
                raise OSError(
                    f"Cannot write {self.url}/{key}: {system_reason(error)}. What was committed is safe; the same "
                    "command resumes."
                ) from error

        return wait

    def keys(self, folder: str) -> set[str]:
        """The whole files of a folder; a file that is being written is not among them."""
        try:
            return {key.decode() for key in self._files.list(ts.KvStore.KeyRange(f"{folder}/", f"{folder}0")).result()}
        except (ValueError, OSError) as error:
            raise OSError(f"Cannot list {self.url}/{folder}: {system_reason(error)}.") from error

    def clear(self) -> None:
        """Removes every file."""
        self._files.delete_range(ts.KvStore.KeyRange()).result()

    def remove_leftovers(self, folder: str) -> None:
        """Removes what killed writers left half written in a folder on a disk, an hour ago or earlier."""
        if self._files.spec().to_json()["driver"] == "file":
            for path in (Path(self._files.path) / folder).glob("*.__lock"):
                with suppress(FileNotFoundError):  # it was moved into its place meanwhile
                    if path.stat().st_mtime < time.time() - _HOUR:
                        path.unlink()
