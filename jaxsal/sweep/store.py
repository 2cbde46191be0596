"""One store for what a sweep finds: Zarr v3 arrays, on a disk or on object storage, each chunk with a checksum.

    zarr.json                   the config and the versions it ran with
    ledgers/ID/                 one per way of masking: attributes say which, `clips` names the rows
      logits                    (clip, mask, class), NaN where a mask is not scored yet
      clip_logits               (clip, class), of the untouched clips
      scored                    (clip,), how many masks are committed
      digest                    (clip, 32), SHA-256 of each clip
    cells/ID/                   one per cell of the sweep
      saliency                  (clip, time, row, column)
      deletion, insertion       (clip, step), where maps are measured
      results                   (clip, field), NaN until everything else of the clip is there
    failures/NAME.json          clips that could not be read, with the reason

A chunk concerns one clip and is written by one process, whole or not at all; xarray and zarr open it lazily.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts


class DamagedError(ValueError):
    """A chunk that cannot be decoded or does not have its checksum."""


class Store:
    """Arrays and groups by path below one folder or URL."""

    def __init__(self, url: str, *, create: bool = False):
        """Opens a store.

        Args:
          url: A folder, or a URL of TensorStore's.
          create: Whether it may be new.

        Raises:
          FileNotFoundError: If there is none and it may not be new.
          ValueError: If the URL is none that TensorStore knows.
        """
        self.url = url
        full = url if "://" in url else Path(url).absolute().as_uri()
        try:
            self._files = ts.KvStore.open(f"{full.rstrip('/')}/").result()
        except ValueError as error:
            raise ValueError(f"`store` must be a folder or a URL of TensorStore's; got {url} ({error}).") from error
        self._arrays: dict[str, Any] = {}
        self.read_only = False  # where another process writes the same
        if not create and self.attributes("") is None:
            raise FileNotFoundError(f"`store` must hold a sweep; got {url}.")

    def attributes(self, path: str) -> dict[str, Any] | None:
        """The attributes of a group, None if there is no such group."""
        found = self._files.read(_join(path, "zarr.json")).result()
        return json.loads(found.value)["attributes"] if found.state == "value" else None

    def write_group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Makes a group, or replaces its attributes."""
        meta = dict(zarr_format=3, node_type="group", attributes=dict(attributes))
        self.write_file(_join(path, "zarr.json"), meta)

    def groups(self, path: str) -> list[str]:
        """Names of the groups in a group."""
        keys = self._files.list(ts.KvStore.KeyRange(f"{path}/", f"{path}0"), strip_prefix_length=len(path) + 1)
        names = {key.decode().split("/")[0] for key in keys.result() if key.count(b"/") == 1}
        return sorted(name for name in names if self.attributes(_join(path, name)) is not None)

    def make_array(
        self, path: str, shape: Sequence[int], chunks: Sequence[int], dimensions: Sequence[str], kind: str = "float32"
    ) -> None:
        """Makes an array, or lengthens one that is there, to at least `shape`; NaN at first, or 0 for integers."""
        metadata = dict(
            shape=list(shape),
            data_type=kind,
            chunk_grid=dict(name="regular", configuration=dict(chunk_shape=list(chunks))),
            fill_value="NaN" if kind.startswith("float") else 0,
            dimension_names=list(dimensions),
            codecs=[dict(name="bytes", configuration=dict(endian="little")), dict(name="crc32c")],
        )
        if self._files.read(_join(path, "zarr.json")).result().state == "value":
            array = self._open(path)
            larger = [max(mine, asked) for mine, asked in zip(array.shape, shape, strict=True)]
            if larger != list(array.shape):
                self._guarded(lambda: array.resize(exclusive_max=larger).result(), path)
                self._arrays.pop(path)
            return
        spec = dict(driver="zarr3", kvstore=self._kvstore(path), metadata=metadata)
        self._guarded(lambda: ts.open(spec, create=True).result(), path)

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
        """
        try:
            return self._open(path)[index].read().result()
        except ValueError as error:
            raise DamagedError(f"{self.url}/{path} at {index}: {_reason(error)}") from error

    def write(self, path: str, index: Any, values: Any) -> None:
        """Writes a part of an array; back when it is on the disk.

        Raises:
          OSError: If it cannot be written, as when the disk is full.
        """
        self._guarded(lambda: self._open(path)[index].write(np.asarray(values)).result(), path)

    def write_file(self, path: str, values: Any) -> None:
        """Writes a JSON file beside the arrays, whole or not at all."""
        content = json.dumps(values, indent=1).encode()
        self._guarded(lambda: self._files.write(path, content).result(), path)

    def files(self, path: str) -> dict[str, Any]:
        """The JSON files of a folder, by name."""
        keys = self._files.list(ts.KvStore.KeyRange(f"{path}/", f"{path}0")).result()
        return {key.decode().split("/")[-1][: -len(".json")]: json.loads(self._files[key]) for key in keys}

    def delete_file(self, path: str) -> None:
        """Removes a file; it need not be there."""
        if not self.read_only:
            self._files.delete_range(ts.KvStore.KeyRange(path, path + "\0")).result()

    def forget(self) -> None:
        """Drops open arrays, since another process may have lengthened them."""
        self._arrays.clear()

    def _open(self, path: str) -> Any:
        if path not in self._arrays:
            context = ts.Context(dict(cache_pool=dict(total_bytes_limit=0)))
            self._arrays[path] = ts.open(dict(driver="zarr3", kvstore=self._kvstore(path)), context=context).result()
        return self._arrays[path]

    def _kvstore(self, path: str) -> Any:
        return (self._files / f"{path}/").spec().to_json()

    def _guarded(self, action: Callable[[], Any], path: str) -> None:
        if self.read_only:
            return
        try:
            action()
        except (ValueError, OSError) as error:
            raise OSError(
                f"`store` must take what is written; got {_reason(error)} at {self.url}/{path}. What was committed "
                "is safe, and the same command goes on from there."
            ) from error


def _reason(error: Exception) -> str:
    """The first sentence of TensorStore's message, without its pages of context."""
    return (str(error).splitlines() or [type(error).__name__])[0].split(" [")[0][:300]


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
