"""Files that FFmpeg opens: each by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer


@contextmanager
def open_container(path: Path) -> "Iterator[InputContainer]":
    """PyAV's container of a file.

    A playlist names other files and addresses, which FFmpeg would open by its protocols. The only one that it has here
    reads what is open already.
    """
    import av

    with path.open("rb") as file:
        options = dict(fd=str(file.fileno()), protocol_whitelist="fd")
        with av.open("fd:", options=options) as container:
            yield container
