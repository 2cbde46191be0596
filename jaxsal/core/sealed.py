"""JSON under a checksum: what is read is what was written, or is said to be damaged.

A sealed object has the SHA-256 of its other fields as the field "sha256". Files of before this was kept lack it, and
are read as they are.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxsal.core.files import DamagedError, write_text

_SEAL = "sha256"

Fields = dict[str, Any]


def checksum(value: object) -> str:
    """SHA-256 of a value as JSON gives it back: tuples are lists, keys are sorted."""
    return hashlib.sha256(json.dumps(json.loads(json.dumps(value)), sort_keys=True).encode()).hexdigest()


def sealed(fields: Mapping[str, Any]) -> Fields:
    """Fields and their checksum."""
    return {**fields, _SEAL: checksum(fields)}


def unsealed(fields: object) -> Fields:
    """Fields without their checksum.

    Raises:
      DamagedError: If they are not what was sealed.
    """
    if not isinstance(fields, dict):
        raise DamagedError("it is no object of JSON")
    rest = {name: value for name, value in fields.items() if name != _SEAL}
    if _SEAL in fields and fields[_SEAL] != checksum(rest):
        raise DamagedError("it does not have its checksum")
    return rest


def parse(content: bytes) -> Fields:
    """Fields of a sealed object as it was written.

    Raises:
      DamagedError: If it is not what was written.
    """
    try:
        return unsealed(json.loads(content.decode()))
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, DamagedError) else DamagedError(f"it is no JSON ({error})") from error


def write_json(path: str | Path, fields: Mapping[str, Any]) -> None:
    """Writes fields as a sealed file, whole or not at all."""
    write_text(path, json.dumps(sealed(fields), indent=2) + "\n")


def read_json(path: str | Path, remedy: str) -> Fields:
    """Reads a file that `write_json` wrote.

    Args:
      path: The file.
      remedy: A sentence on how to get a whole one, for the message.

    Raises:
      FileNotFoundError: If there is none.
      DamagedError: If it is damaged.
    """
    try:
        return parse(Path(path).read_bytes())
    except DamagedError as error:
        raise DamagedError(f"{path} is damaged: {error}. {remedy}") from error
