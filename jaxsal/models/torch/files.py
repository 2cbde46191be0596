"""Reads tensors from torch's own files and from safetensors files, without torch, running no foreign code."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import PyTree
from safetensors import safe_open

from jaxsal.models.torch.unpickler import TensorUnpickler, Unread

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
NUM_SHOWN = 3  # names that a message shows of one kind


def read_tensors(path: str | Path) -> PyTree:
    """Reads a checkpoint: torch's zip files, its older files (before torch 1.6), or safetensors.

    The kind is told from the content, not from the name. Pickles may hold what `torch.load(weights_only=True)`
    reads; nothing of them is run. What describes tensors (a size, a type, a device) comes back as a tuple or a text.

    Args:
      path: A `.pth`, `.pt`, `.pth.tar`, `.ckpt` or `.safetensors` file.

    Returns:
      The saved object, mostly a (nested) dictionary, with NumPy arrays for tensors (bfloat16 by ml_dtypes).

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is damaged, cut short or of another kind, or names what torch does not allow beside
        weights; the message then has the line of Python that saves the weights alone.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(9)
        file.seek(0)
        try:
            if head.startswith(b"PK\x03\x04"):
                return _read_zip(file)
            if _of_safetensors(head):
                with safe_open(path, framework="numpy") as tensors:
                    return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
            return _read_legacy(file, path.stat().st_size)
        except _NotTensorsError as error:
            names, line = ", ".join(error.names[:NUM_SHOWN]), error.way_out(path.name)
            raise ValueError(
                f"`path` must hold tensors only; got {path}, which names {names}. This line of Python, for a file that "
                f"you trust, saves the weights alone: {line}"
            ) from error
        except Exception as error:  # a damaged pickle can raise nearly anything
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"`path` must be a whole torch or safetensors file; got {path} ({reason}).") from error


Tensors = Mapping[str, np.ndarray]


def mappings_of_tensors(saved: object) -> dict[tuple[str, ...], Tensors]:
    """All mappings in a saved object that hold tensors by name, each under the keys that lead to it."""
    found: dict[tuple[str, ...], Tensors] = {}
    waiting: list[tuple[tuple[str, ...], object]] = [((), saved)]
    seen: set[int] = set()
    while waiting:
        keys, value = waiting.pop(0)
        if not isinstance(value, Mapping) or id(value) in seen:
            continue
        seen.add(id(value))
        tensors = {str(name): np.asarray(tensor) for name, tensor in value.items() if hasattr(tensor, "__array__")}
        if tensors:
            found[keys] = tensors
        waiting += [((*keys, str(name)), inner) for name, inner in value.items()]
    return found


def read_metadata(path: str | Path) -> dict[str, str]:
    """The metadata of a safetensors file; empty where there is none, and for torch's own files.

    Raises:
      FileNotFoundError: If there is no such file.
    """
    with Path(path).open("rb") as file:
        if not _of_safetensors(file.read(9)):
            return {}
    with safe_open(path, framework="numpy") as tensors:
        return tensors.metadata() or {}


def _of_safetensors(head: bytes) -> bool:
    """Whether a file begins as safetensors files do: the length of the header in eight bytes, and the header."""
    return head[8:] == b"{"


def _read_zip(file: BinaryIO) -> PyTree:
    size = file.seek(0, os.SEEK_END)  # entries may claim more
    with zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("compressed entries")
        roots = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError("no data.pkl of its own")
        root = roots[0]
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("byte order must be little")
        with archive.open(f"{root}data.pkl") as pickled:
            unpickler = TensorUnpickler(pickled, size)
            saved = _unpickle(unpickler)
        for key, storage in unpickler.storages.items():
            content = archive.read(f"{root}data/{key}")
            if len(content) != storage.nbytes:
                raise ValueError(f"storage {key} holds {len(content)} bytes instead of {storage.nbytes}")
            storage.view(np.uint8)[:] = np.frombuffer(content, np.uint8)
    return saved


def _read_legacy(file: BinaryIO, file_size: int) -> PyTree:
    """Five pickles (magic number, version, system, the object, the storages' keys), then the storages."""
    if _unpickle(TensorUnpickler(file, file_size)) != LEGACY_MAGIC:
        raise ValueError("no magic number")
    _unpickle(TensorUnpickler(file, file_size))
    system = _unpickle(TensorUnpickler(file, file_size))
    if not system["little_endian"]:
        raise ValueError("byte order must be little")
    unpickler = TensorUnpickler(file, file_size)
    saved = _unpickle(unpickler)
    keys = _unpickle(TensorUnpickler(file, file_size))
    if set(keys) != set(unpickler.storages):
        raise ValueError("the storages are not those of the tensors")
    for key in keys:
        storage = unpickler.storages[key]
        if int.from_bytes(file.read(8), "little") != storage.size:
            raise ValueError(f"storage {key} is of another length than its tensors")
        if file.readinto(storage.view(np.uint8)) != storage.nbytes:  # type: ignore[attr-defined]
            raise ValueError(f"storage {key} is cut short")
    return saved


def _unpickle(unpickler: TensorUnpickler) -> PyTree:
    saved = unpickler.load()
    if unpickler.refused:
        raise _NotTensorsError(unpickler.refused, saved)
    return saved


class _NotTensorsError(Exception):
    """A pickle names something that torch does not allow in a file of weights.

    Attributes:
      names: What it names.
      saved: What the file holds, with stand-ins for what it names.
    """

    def __init__(self, names: list[str], saved: object):
        super().__init__(names)
        self.names, self.saved = names, saved

    def way_out(self, name: str) -> str:
        """The line of Python that saves the weights of a file alone."""
        mappings = mappings_of_tensors(self.saved)
        keys = max(mappings, key=lambda keys: len(mappings[keys]), default=())
        if mappings:
            weights = "".join(f"[{key!r}]" for key in keys)
        else:  # a whole module, or one under a key
            modules = self.saved.items() if isinstance(self.saved, Mapping) else ()
            weights = next((f"[{key!r}]" for key, value in modules if isinstance(value, Unread)), "")
            weights += ".state_dict()"
        if any(name.startswith("__torch__.") for name in self.names):
            return f"import torch; torch.save(torch.jit.load({name!r}).state_dict(), 'weights.pth')"
        return f"import torch; torch.save(torch.load({name!r}, weights_only=False){weights}, 'weights.pth')"
