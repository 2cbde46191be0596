"""How much a file may ask for before anything of it is decoded: a small file can announce a giant picture.

Each limit is far above what recordings have, and an environment variable raises it for a file that is truly larger.
"""

import os
from pathlib import Path
from typing import NamedTuple


class Limit(NamedTuple):
    """A limit.

    Attributes:
      variable: The environment variable that raises it.
      default: What holds without the variable.
      unit: What is counted.
    """

    variable: str
    default: int
    unit: str

    @property
    def value(self) -> int:
        """The limit that holds now.

        Raises:
          ValueError: If the variable is no whole number above 0.
        """
        text = os.environ.get(self.variable, "") or str(self.default)
        if not text.isdecimal() or not int(text):
            raise ValueError(f"`{self.variable}` must be a whole number above 0; got {text!r}.")
        return int(text)


PIXELS = Limit("JAXSAL_MAX_PIXELS", 2**26, "pixels a frame")
FRAMES = Limit("JAXSAL_MAX_FRAMES", 10**7, "frames")
UNPACKED = Limit("JAXSAL_MAX_UNPACKED", 2**30, "bytes when unpacked")


class TooLargeError(ValueError):
    """A file announces more than a limit allows."""


def check_limit(limit: Limit, path: str | Path, count: int) -> None:
    """Raises TooLargeError, which names the file, the limit and what raises it, if a file announces more than that."""
    if count > limit.value:
        raise TooLargeError(
            f"`path` must have at most {limit.value:,} {limit.unit}; got {path}, which announces {count:,}. If you "
            f"trust the file and the memory is there, raise the limit: export {limit.variable}={count}"
        )
