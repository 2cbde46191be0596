"""The error of files that hold no pictures, and libraries' errors as it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxsal.core.extras import MissingPackageError
from jaxsal.core.limits import TooLargeError


class UnfitError(ValueError):
    """A file that holds no pictures that can be read."""


@contextmanager
def reading_pictures(path: Path) -> Iterator[None]:
    """Names the file in whatever a library raises in the block; of damaged files that is nearly anything.

    Raises:
      UnfitError: If the block raises another error than those of jaxsal.
    """
    try:
        yield
    except (UnfitError, TooLargeError, MissingPackageError, MemoryError):
        raise
    except Exception as error:
        raise UnfitError(f"`path` must hold readable images; got {path} ({error}).") from error
