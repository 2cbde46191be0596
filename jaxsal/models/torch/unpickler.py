"""Unpickles what torch saves: plain values, NumPy arrays for tensors, and inert stand-ins for everything else."""

import collections
import math
import pickle
from collections.abc import Callable
from typing import IO, Any

import ml_dtypes
import numpy as np

from jaxsal.models.pickles import BoundedUnpickler

STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
    "QInt8Storage": "int8",
    "QUInt8Storage": "uint8",
    "QInt32Storage": "int32",
    "QUInt4x2Storage": "uint8",
    "QUInt2x4Storage": "uint8",
}
OF_ML_DTYPES = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
DTYPES = {name: np.dtype(getattr(ml_dtypes, name)) for name in OF_ML_DTYPES}
DTYPES |= {name: np.dtype(name) for name in STORAGES.values() if name not in DTYPES}
DTYPES |= {name: np.dtype(name) for name in ("uint16", "uint32", "uint64")}
OTHER_NAMES = (  # of torch, that only describe tensors
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)),
    *("complex32", "quint8", "qint8", "qint32", "quint4x2", "quint2x4", "Tensor"),
    *("per_tensor_affine", "per_tensor_symmetric", "per_channel_affine", "per_channel_symmetric"),
    "per_channel_affine_float_qparams",
)


class Unread:
    """An object that is neither a plain value nor a tensor; nothing of it was run, and it does nothing.

    Attributes:
      name: Of the class or the function, such as "argparse.Namespace".
    """

    name: str = ""

    def __new__(cls, *_arguments: object, **_keywords: object) -> "Unread":
        """An object that remembers none of its arguments."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Forgets the state."""

    def __setitem__(self, key: object, value: object) -> None:
        """Forgets an item."""

    def append(self, value: object) -> None:
        """Forgets a value."""

    def extend(self, values: object) -> None:
        """Forgets values."""

    def __call__(self, *_arguments: object) -> "Unread":
        """Itself."""
        return self


class _Maker:
    """A function that a pickle may call; unlike a function it has no attributes that a pickle could change."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]):
        self._make = make

    def __call__(self, *arguments: object) -> object:
        return self._make(*arguments)


class TensorUnpickler(BoundedUnpickler):
    """Reads what `torch.load(weights_only=True)` reads; tensors are views of `storages`, to be filled after loading.

    What a pickle can reach are strings, immutable types, `_Maker`s and classes of `Unread` of its own, so that it
    can neither call nor change anything else.

    Attributes:
      storages: The storages of the tensors, by key.
      refused: Names that the pickle uses and torch does not allow in files of weights, in their order.
    """

    def __init__(self, file: IO[bytes], max_bytes: int):
        super().__init__(file)
        self.storages: dict[str, np.ndarray] = {}
        self.refused: list[str] = []
        self._bytes_left = max_bytes
        self._known = {name: _Maker(make) for name, make in MAKERS.items()} | {
            "collections.OrderedDict": collections.OrderedDict,
            "torch.storage.UntypedStorage": "UntypedStorage",
            "torch.nn.parameter.Parameter": "torch.nn.Parameter",
        }
        self._known |= {f"torch.{name}": f"torch.{name}" for name in (*DTYPES, *OTHER_NAMES)}
        self._known |= {f"torch.{storage}": storage for storage in STORAGES}

    def find_class(self, module: str, name: str) -> object:
        """What stands for a name."""
        full = f"{module}.{name}".replace("__builtin__.", "builtins.")
        if full not in self._known:
            if not full.startswith("torch._utils._rebuild_"):  # of kinds of tensors that no network here has
                self.refused.append(full)
            self._known[full] = type("Unread", (Unread,), {"name": full})
        return self._known[full]

    def persistent_load(self, pid: tuple[Any, ...]) -> object:
        """The storage of a tensor, of zeros for now."""
        if pid[0] == "module":  # a class with its source code, in old files of whole modules
            return pid[1]
        kind, storage_type, key, _location, size, *view = pid
        if kind != "storage" or any(view):
            raise pickle.UnpicklingError(f"it refers to a {kind} in a way that tensors do not")
        dtype = DTYPES[STORAGES[storage_type]]
        if key not in self.storages:
            self._bytes_left -= size * dtype.itemsize
            if size < 0 or self._bytes_left < 0:
                raise ValueError(f"storage {key} of {size} values does not fit into the file")
            self.storages[key] = np.zeros(size, dtype)
        if self.storages[key].size != size or self.storages[key].dtype != dtype:
            raise ValueError(f"storage {key} is described in two ways")
        return self.storages[key]


def _tensor(storage: np.ndarray, offset: int, shape: tuple, stride: tuple, *_autograd: object) -> np.ndarray:
    numbers = (offset, *shape, *stride)
    if len(shape) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError(f"no tensor has shape {shape}, stride {stride}, offset {offset}")
    last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    num_values = math.prod(shape)
    if num_values > storage.size or (num_values and last >= storage.size):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage of {storage.size} values")
    strides = [step * storage.itemsize for step in stride]
    return np.ndarray(shape, storage.dtype, storage, offset * storage.itemsize, strides)


def _tensor_of_untyped_storage(
    storage: np.ndarray, offset: int, shape: tuple, stride: tuple, _grad: object, _hooks: object, dtype: str, *_: object
) -> np.ndarray:
    return _tensor(storage.view(DTYPES[dtype.removeprefix("torch.")]), offset, shape, stride)


def _first(value: object, *_others: object) -> object:
    return value


def _bytes(text: str | bytes = b"", encoding: str = "latin1") -> bytes:
    return text if isinstance(text, bytes) else text.encode(encoding)


def _device(kind: str, index: int | None = None) -> str:
    return str(kind) if index is None else f"{kind}:{index}"


MAKERS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_untyped_storage,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._tensor._rebuild_from_type_v2": lambda make, _kind, arguments, _state: make(*arguments),
    "torch.serialization._get_layout": _first,
    "torch.device": _device,
    "torch.Size": lambda sizes=(): tuple(sizes),
    "collections.Counter": lambda counts=(): dict(counts),
    "builtins.set": lambda values=(): set(values),
    "builtins.complex": complex,
    "builtins.bytearray": _bytes,
    "_codecs.encode": _bytes,
}
"""Functions that a pickle may call, by their names in it."""
