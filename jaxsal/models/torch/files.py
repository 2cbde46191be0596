"""Reads tensors from torch's own files and from safetensors files, without torch, running no foreign code."""

import collections
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np
from safetensors import safe_open

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
STORAGE_DTYPES = {
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ShortStorage": np.dtype(np.int16),
    "CharStorage": np.dtype(np.int8),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
}


def read_tensors(path: str | Path) -> Any:
    """Reads a checkpoint: torch's zip files, its older files (before torch 1.6), or safetensors.

    The kind is told from the content, not from the name. Pickles are read by an unpickler that builds
    dictionaries, lists, numbers, strings and tensors, and refuses every other name.

    Args:
      path: A `.pth`, `.pt`, `.pth.tar` or `.safetensors` file.

    Returns:
      The saved object, mostly a (nested) dictionary, with NumPy arrays for tensors (bfloat16 by ml_dtypes).

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is damaged, cut short, of another kind, or names anything else than tensors.
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
            raise ValueError(f"`path` must hold tensors only; got {path}, which {error}.") from error
        except Exception as error:  # a damaged pickle can raise nearly anything
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"`path` must be a whole torch or safetensors file; got {path} ({reason}).") from error


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


def _read_zip(file: BinaryIO) -> Any:
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
            unpickler = _TensorUnpickler(pickled, sum(entry.file_size for entry in archive.infolist()))
            saved = unpickler.load()
        for key, storage in unpickler.storages.items():
            content = archive.read(f"{root}data/{key}")
            if len(content) != storage.nbytes:
                raise ValueError(f"storage {key} holds {len(content)} bytes instead of {storage.nbytes}")
            storage.view(np.uint8)[:] = np.frombuffer(content, np.uint8)
    return saved


def _read_legacy(file: BinaryIO, file_size: int) -> Any:
    """Five pickles (magic number, version, system, the object, the storages' keys), then the storages."""
    if _TensorUnpickler(file, file_size).load() != LEGACY_MAGIC:
        raise ValueError("no magic number")
    _TensorUnpickler(file, file_size).load()
    system = _TensorUnpickler(file, file_size).load()
    if not system["little_endian"]:
        raise ValueError("byte order must be little")
    unpickler = _TensorUnpickler(file, file_size)
    saved = unpickler.load()
    keys = _TensorUnpickler(file, file_size).load()
    if set(keys) != set(unpickler.storages):
        raise ValueError("the storages are not those of the tensors")
    for key in keys:
        storage = unpickler.storages[key]
        if int.from_bytes(file.read(8), "little") != storage.size:
            raise ValueError(f"storage {key} is of another length than its tensors")
        if file.readinto(storage.view(np.uint8)) != storage.nbytes:  # type: ignore[attr-defined]
            raise ValueError(f"storage {key} is cut short")
    return saved


class _NotTensorsError(pickle.UnpicklingError):
    """A pickle names something that a file of tensors has no need of."""


class _TensorUnpickler(pickle.Unpickler):
    """Builds plain values and tensors; tensors are views of `storages`, which are filled after loading.

    What a pickle can reach are strings (immutable), the class OrderedDict and two bound methods, so that it can
    neither call nor change anything else.
    """

    def __init__(self, file: Any, max_bytes: int):
        super().__init__(file)
        self.storages: dict[str, np.ndarray] = {}
        self._bytes_left = max_bytes

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor"): self._rebuild_tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): self._rebuild_parameter,
        } | {("torch", storage): storage for storage in STORAGE_DTYPES}
        if (module, name) not in allowed:
            raise _NotTensorsError(f"names {module}.{name}")
        return allowed[module, name]

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, storage_type, key, _location, size, *view = pid
        if kind != "storage" or any(view):
            raise _NotTensorsError(f"refers to a {kind} in a way that tensors do not")
        dtype = STORAGE_DTYPES[storage_type]
        if key not in self.storages:
            self._bytes_left -= size * dtype.itemsize
            if size < 0 or self._bytes_left < 0:
                raise ValueError(f"storage {key} of {size} values does not fit into the file")
            self.storages[key] = np.zeros(size, dtype)
        if self.storages[key].size != size or self.storages[key].dtype != dtype:
            raise ValueError(f"storage {key} is described in two ways")
        return self.storages[key]

    def _rebuild_tensor(
        self, storage: np.ndarray, offset: int, shape: tuple, stride: tuple, *_autograd: object
    ) -> np.ndarray:
        numbers = (offset, *shape, *stride)
        if len(shape) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError(f"no tensor has shape {shape}, stride {stride}, offset {offset}")
        last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
        num_values = math.prod(shape)
        if num_values > storage.size or (num_values and last >= storage.size):
            raise ValueError(f"a tensor of shape {shape} reaches beyond its storage of {storage.size} values")
        strides = [step * storage.itemsize for step in stride]
        return np.ndarray(shape, storage.dtype, storage, offset * storage.itemsize, strides)

    def _rebuild_parameter(self, tensor: np.ndarray, *_autograd: object) -> np.ndarray:
        return tensor
