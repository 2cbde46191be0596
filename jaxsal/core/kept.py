"""What was made of an array, kept as long as the array lives."""

import weakref
from typing import Generic, TypeVar

import jax

from jaxsal.core.types import AnyArray

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Values by array. JAX's arrays do not change; those of NumPy may, so nothing is kept of them."""

    def __init__(self) -> None:
        self._values: dict[int, Value] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, array: AnyArray) -> Value | None:
        """The value of an array; None if there is none."""
        return self._values.get(id(array))

    def set(self, array: AnyArray, value: Value) -> None:
        """Keeps the value of an array; it must not refer to the array, which then would live for ever."""
        if isinstance(array, jax.Array):
            if id(array) not in self._values:
                weakref.finalize(array, self._values.pop, id(array)).atexit = False
            self._values[id(array)] = value
