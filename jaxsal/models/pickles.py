"""Reads pickled dictionaries of NumPy arrays, running no foreign code."""

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

MOST_NESTED = 50
KINDS = "fiub"  # of the dtypes that are read: numbers without a reference in them


def read_pickled_arrays(path: str | Path) -> dict[str, Any]:
    """Reads a nested dictionary of NumPy arrays from a pickle.

    The unpickler knows three names, those that every pickled array has, and puts stand-ins in their place: nothing of
    NumPy is called until all values were checked.

    Args:
      path: A pickle of dictionaries with text as keys and arrays of numbers as values.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is damaged, names anything else than arrays, or is no nested dictionary of them.
    """
    with Path(path).open("rb") as file:
        try:
            return _arrays(_ArrayUnpickler(file).load())
        except Exception as error:  # a damaged pickle can raise nearly anything
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"`path` must be a pickled dictionary of NumPy arrays; got {path} ({reason}).") from error


class _Saved:
    """What a pickle says of an array or a dtype: the arguments of its making, and its state."""

    def __init__(self, *arguments: Any):
        self.arguments = arguments
        self.state: Any = ()

    def __setstate__(self, state: object) -> None:
        self.state = state


class BoundedUnpickler(pickle._Unpickler):
    """An unpickler whose memory and whose nesting a file cannot choose.

    It is the one in Python, for its memo grows with the file, not with a number in it. It refuses bytearrays, which are
    allocated before they are read, and tuples in tuples in tuples, whose hash overflows the stack of C.
    """

    dispatch = dict(pickle._Unpickler.dispatch)  # noqa: RUF012

    def __init__(self, file: IO[bytes]):
        super().__init__(file)
        self._depths: dict[int, tuple[int, tuple[Any, ...]]] = {}  # with the tuples, so that no number is another's

    def check_depth(self) -> None:
        """Raises UnpicklingError if the object that was just made is a tuple of too many tuples."""
        made = self.stack[-1]  # type: ignore[attr-defined]
        if isinstance(made, tuple) and id(made) not in self._depths:
            depth = 1 + max((self._depths[id(value)][0] for value in made if id(value) in self._depths), default=0)
            self._depths[id(made)] = depth, made
            if depth > MOST_NESTED:
                raise pickle.UnpicklingError("it nests tuples too deeply")

    def refuse_bytearray(self) -> None:
        """Raises UnpicklingError."""
        raise pickle.UnpicklingError("it holds a bytearray")


def _with_depth_checked(load: Callable[[Any], None]) -> Callable[[BoundedUnpickler], None]:
    def load_checked(unpickler: BoundedUnpickler) -> None:
        load(unpickler)
        unpickler.check_depth()

    return load_checked


for _opcode in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.REDUCE):
    BoundedUnpickler.dispatch[_opcode[0]] = _with_depth_checked(BoundedUnpickler.dispatch[_opcode[0]])  # type: ignore[assignment]
BoundedUnpickler.dispatch[pickle.BYTEARRAY8[0]] = BoundedUnpickler.refuse_bytearray  # type: ignore[assignment]


class _ArrayUnpickler(BoundedUnpickler):
    """Builds plain values and `_Saved`."""

    def find_class(self, module: str, name: str) -> type[_Saved]:
        if (module, name) in (("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")):
            return _Saved
        if (module, name) in (("numpy", "dtype"), ("numpy", "ndarray")):
            return _Saved
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _arrays(saved: object) -> Any:
    if isinstance(saved, _Saved):
        return _array(saved)
    if not isinstance(saved, dict) or not all(isinstance(key, str) for key in saved):
        raise ValueError(f"it holds {type(saved).__name__}")
    return {key: _arrays(value) for key, value in saved.items()}


def _array(saved: _Saved) -> np.ndarray:
    _, shape, dtype, is_fortran, raw = saved.state
    kind = np.dtype(dtype.arguments[0]).newbyteorder(dtype.state[1] if dtype.state[1] in ("<", ">") else "=")
    if kind.kind not in KINDS or not isinstance(raw, bytes):
        raise ValueError(f"it holds values of type {kind}")
    if any(type(size) is not int or size < 0 for size in shape) or math.prod(shape) * kind.itemsize != len(raw):
        raise ValueError(f"an array of shape {shape} has {len(raw)} bytes")
    return np.frombuffer(raw, kind).reshape(shape, order="F" if is_fortran else "C").astype(kind.newbyteorder("="))
