"""One store for what a sweep finds: Zarr v3 arrays, on a disk or on object storage, each chunk with a checksum.

    zarr.json                   the config and the versions it ran with
    ledgers/ID/                 one per way of masking: attributes say which, `clips` names the rows
      logits                    (clip, mask, class), NaN where a mask is not scored yet
      clip_logits               (clip, class), of the untouched clips
      digest                    (clip, word), SHA-256 of each clip, 0 before it was used
    cells/ID/                   one per cell of the sweep
      saliency                  (clip, time, row, column)
      deletion, insertion       (clip, step), where maps are measured
      digest                    (clip, word)
      results                   (clip, field), NaN until everything else of the clip is there
    failures/ID/                clips that could not be used, with the reason

`clip`, `class` and `field` in a group are the names along these axes. A chunk of scores or results concerns one clip
and is written by one process, whole or not at all; xarray and zarr open it lazily.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

_NAMES_PER_CHUNK = 1024
_DAMAGE = ("DATA_LOSS", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "NOT_FOUND", "OUT_OF_RANGE")


class DamagedError(ValueError):
    """A chunk or a description that is missing, cannot be decoded or does not have its checksum."""


@cache
def _context() -> Any:
    """What all stores of this process share: stores in memory, and no cache, so that reads see the disk."""
    return ts.Context(dict(cache_pool=dict(total_bytes_limit=0)))


class Store:
    """Arrays and groups by path below one folder or URL."""

    def __init__(self, url: str, *, create: bool = False):
        """Opens a store.

        Args:
          url: A folder, or a URL of TensorStore's.
          create: Whether it may be new.

        Raises:
          FileNotFoundError: If there is none and it may not be new.
          ValueError: If the URL is none that TensorStore knows, or the store's own description is damaged.
        """
        self.url = url
        full = url if "://" in url else Path(url).absolute().as_uri()
        try:
            self._files = ts.KvStore.open(f"{full.rstrip('/')}/", context=_context()).result()
        except ValueError as error:
            raise ValueError(f"`store` must be a folder or a URL of TensorStore's; got {url} ({error}).") from error
        self._arrays: dict[str, Any] = {}
        self._in_flight: tuple[Any, str] | None = None
        self.read_only = False  # where another process writes the same
        if self.attributes("") is None and not create:
            raise FileNotFoundError(f"`store` must hold a sweep; got {url}.")

    def attributes(self, path: str) -> dict[str, Any] | None:
        """The attributes of a group, None if there is no such group.

        Raises:
          DamagedError: If they cannot be read.
        """
        found = self._files.read(_join(path, "zarr.json")).result()
        return self._parse(found.value, path) if found.state == "value" else None

    def _parse(self, content: bytes, path: str) -> dict[str, Any]:
        try:
            return dict(json.loads(content)["attributes"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._bad_description(path, "no JSON with attributes") from error

    def _bad_description(self, path: str, reason: str) -> DamagedError:
        place = f"the folder {'/'.join(path.split('/')[:2])}" if path else "that file"
        return DamagedError(
            f"`store` must have whole descriptions; got {reason} in {self.url}/{_join(path, 'zarr.json')}. Remove "
            f"{place}: the same command makes it again."
        )

    def update_group(self, path: str, change: Callable[[dict[str, Any] | None], Mapping[str, Any]]) -> dict[str, Any]:
        """Makes a group or changes its attributes, and returns them; of several jobs that do, none undoes another's.

        Args:
          path: Of the group.
          change: From the attributes before, None where there is no group, to those after.
        """
        key = _join(path, "zarr.json")
        while True:
            found = self._files.read(key).result()
            before = self._parse(found.value, path) if found.state == "value" else None
            after = json.loads(json.dumps(change(before), default=list))
            if after == before:
                return after
            content = json.dumps(dict(zarr_format=3, node_type="group", attributes=after), indent=1).encode()
            if self._write_if_same(key, content, found.stamp.generation):
                return after

    def _write_if_same(self, key: str, content: bytes, generation: bytes) -> bool:
        """Writes a file unless another job has changed it since it was of that generation; whether it did."""
        stamp = self._guarded(lambda: self._files.write(key, content, if_equal=generation).result(), key)
        return stamp is None or bool(stamp.generation)

    def delete_group(self, path: str) -> None:
        """Removes a group without arrays; it need not be there."""
        if not self.read_only:
            key = _join(path, "zarr.json")
            self._files.delete_range(ts.KvStore.KeyRange(key, key + "\0")).result()

    def groups(self, path: str) -> list[str]:
        """Names of the groups in a group."""
        keys = self._files.list(ts.KvStore.KeyRange(f"{path}/", f"{path}0"), strip_prefix_length=len(path) + 1)
        parts = (key.decode().split("/") for key in keys.result())
        return sorted(part[0] for part in parts if len(part) == 2 and part[1] == "zarr.json")

    def make_array(
        self, path: str, shape: Sequence[int], chunks: Sequence[int], dimensions: Sequence[str], kind: str = "float32"
    ) -> None:
        """Makes an array, or lengthens one that is there, to at least `shape`; NaN at first, or 0 for integers."""
        fill = "NaN" if kind.startswith("float") else 0
        codecs = [dict(name="bytes", configuration=dict(endian="little")), dict(name="crc32c")]
        metadata = _array_metadata(shape, chunks, dimensions, kind, fill, codecs)
        spec = dict(driver="zarr3", kvstore=self._kvstore(path), metadata=metadata)
        while True:
            self._arrays.pop(path, None)
            try:
                if not self.has(path):
                    self._guarded(lambda: ts.open(spec, create=True, context=_context()).result(), path)
                else:
                    self._lengthen(path, shape)
                return
            except OSError as error:
                if not any(reason in str(error.__cause__) for reason in ("ALREADY_EXISTS", "would shrink")):
                    raise  # else another job made or lengthened it meanwhile

    def _lengthen(self, path: str, shape: Sequence[int]) -> None:
        array = self._open(path)
        larger = [max(mine, asked) for mine, asked in zip(array.shape, shape, strict=True)]
        if larger != list(array.shape):
            self._guarded(lambda: array.resize(exclusive_max=larger, expand_only=True).result(), path)
            self._arrays.pop(path)

    def write_names(self, path: str, names: Sequence[str]) -> None:
        """Writes the names along an axis, which is called as the array is, for xarray."""
        padded = [*names, *[""] * (-len(names) % _NAMES_PER_CHUNK)]
        files = {
            f"{path}/c/{start // _NAMES_PER_CHUNK}": _encoded(padded[start : start + _NAMES_PER_CHUNK])
            for start in range(0, len(padded), _NAMES_PER_CHUNK)
        }
        dimension = path.split("/")[-1]
        metadata = _array_metadata(
            [len(names)], [_NAMES_PER_CHUNK], [dimension], "string", "", [dict(name="vlen-utf8")]
        )
        files[f"{path}/zarr.json"] = json.dumps(metadata).encode()  # last: chunks may hold more names than it says
        for key, content in files.items():
            found = self._files.read(key).result()
            if found.value != content:
                self._write_if_same(key, content, found.stamp.generation)

    def shape(self, path: str) -> tuple[int, ...]:
        """The shape of an array."""
        return tuple(self._open(path).shape)

    def has(self, path: str) -> bool:
        """Whether there is such an array or group."""
        return self._files.read(_join(path, "zarr.json")).result().state == "value"

    def read(self, path: str, index: Any = ...) -> np.ndarray:
        """A part of an array.

        Raises:
          DamagedError: If a chunk is cut off or altered.
          OSError: If it cannot be read for another reason.
        """
        try:
            return self._open(path)[index].read().result()
        except DamagedError:
            raise
        except (ValueError, IndexError) as error:
            place = f"{self.url}/{path} at {index}"
            if not str(error).startswith(_DAMAGE) and not isinstance(error, IndexError):
                raise OSError(f"`store` must be readable; got {_reason(error)} at {place}.") from error
            raise DamagedError(f"{place}: {_reason(error)}") from error

    def write(self, path: str, index: Any, values: Any) -> None:
        """Begins to write a part of an array, once what was written before is on the disk: in order, one in flight.

        Raises:
          OSError: If what was written before could not be, as when the disk is full.
        """
        self.settle()
        if not self.read_only:
            future = self._guarded(lambda: self._open(path)[index].write(np.array(values)), path)
            future.commit.force()
            self._in_flight = future, path

    def settle(self) -> None:
        """Waits until everything that was written is on the disk; errors as `write`."""
        if self._in_flight is not None:
            future, path = self._in_flight
            self._in_flight = None
            self._guarded(lambda: future.result(), path)

    def _open(self, path: str) -> Any:
        if path not in self._arrays:
            spec = dict(driver="zarr3", kvstore=self._kvstore(path))
            try:
                self._arrays[path] = ts.open(spec, context=_context()).result()
            except ValueError as error:
                if str(error).startswith(_DAMAGE):
                    raise self._bad_description(path, _reason(error)) from error
                raise OSError(f"`store` must be readable; got {_reason(error)} at {self.url}/{path}.") from error
        return self._arrays[path]

    def _kvstore(self, path: str) -> Any:
        return (self._files / f"{path}/").spec().to_json()

    def _guarded(self, action: Callable[[], Any], path: str) -> Any:
        if self.read_only:
            return None
        try:
            return action()
        except DamagedError:
            raise
        except (ValueError, OSError) as error:
            raise OSError(
                f"`store` must take what is written; got {_reason(error)} at {self.url}/{path}. What was committed "
                "is safe, and the same command goes on from there."
            ) from error


def _array_metadata(shape: Any, chunks: Any, dimensions: Any, kind: str, fill: Any, codecs: Any) -> dict[str, Any]:
    return dict(
        zarr_format=3,
        node_type="array",
        shape=list(shape),
        data_type=kind,
        chunk_grid=dict(name="regular", configuration=dict(chunk_shape=list(chunks))),
        chunk_key_encoding=dict(name="default", configuration=dict(separator="/")),
        fill_value=fill,
        dimension_names=list(dimensions),
        codecs=codecs,
        attributes={},
    )


def _encoded(names: Sequence[str]) -> bytes:
    """Strings as the codec vlen-utf8 has them: how many, then the length and the bytes of each."""
    encoded = [name.encode() for name in names]
    return b"".join([len(encoded).to_bytes(4, "little"), *(len(b).to_bytes(4, "little") + b for b in encoded)])


def _reason(error: Exception) -> str:
    """The first sentence of TensorStore's message, without its pages of context."""
    return (str(error).splitlines() or [type(error).__name__])[0].split(" [")[0][:300]


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
