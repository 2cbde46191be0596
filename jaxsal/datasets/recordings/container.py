"""Files that FFmpeg opens: each by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jaxsal.datasets.recordings.boxes import check_announced

if TYPE_CHECKING:
    from av.container import InputContainer


@contextmanager
def open_container(path: Path) -> "Iterator[InputContainer]":
    """PyAV's container of a file.

    A playlist names other files and addresses, which FFmpeg would open by its protocols. The only one that it has here
    reads what is open already.

    Raises:
      ValueError: If the file announces more frames than the limit of `jaxsal.core.limits`.
    """
    import av

    with path.open("rb", buffering=0) as file:  # a buffer would read ahead of FFmpeg
        check_announced(path, file)
        file.seek(0)
        options = dict(fd=str(file.fileno()), protocol_whitelist="fd")
        with av.open("fd:", options=options) as container:
            yield container
