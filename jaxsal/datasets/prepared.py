"""Prepared sets, opened by name; `jaxsal.datasets.builders` writes them as shards under a data folder.

A set lies in `data_dir/name/config/version`. The data folder is $TFDS_DATA_DIR, or data/tfds where that is not set.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from jaxsal.core.extras import check_installed
from jaxsal.core.files import DamagedError
from jaxsal.core.sealed import read_json, write_json
from jaxsal.datasets.records import SPLITS, ClipRecord, ClipSet

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

NAMES = ("multispectral_actions", "paired_actions", "synthetic_actions")
INFO_FILE = "dataset_info.json"
_CHECKSUMS = "checksums.json"  # of the other small files of a set; shards have their own


class Prepared(NamedTuple):
    """Where a prepared set lies.

    Attributes:
      name: "name/config", as it is opened.
      folder: Its folder, with the version.
    """

    name: str
    folder: Path


def default_data_dir() -> Path:
    """The data folder that is used where none is named."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "data/tfds")


def is_prepared_name(data: str) -> bool:
    """Whether a name is that of a set to be prepared, with or without a config."""
    return data.split("/")[0] in NAMES


def list_prepared(data_dir: str | Path | None = None) -> list[Prepared]:
    """All prepared sets of a data folder, the newest version of each."""
    root = Path(data_dir or default_data_dir())
    newest = {
        f"{info.parts[-4]}/{info.parts[-3]}": info.parent
        for name in NAMES
        for info in sorted(root.glob(f"{name}/*/[0-9]*.*.*/{INFO_FILE}"))
    }
    return [Prepared(name, folder) for name, folder in newest.items()]


def find_prepared(data: str, data_dir: str | Path | None = None) -> Prepared:
    """Finds a prepared set by name; without a config, the only one there is.

    Raises:
      FileNotFoundError: If it has not been prepared.
      ValueError: If there are several and no config is named.
    """
    name, _, config = data.partition("/")
    found = [p for p in list_prepared(data_dir) if p.name == data or (not config and p.name.split("/")[0] == name)]
    if not found:
        where, known = data_dir or default_data_dir(), ", ".join(p.name for p in list_prepared(data_dir)) or "nothing"
        remedy = f" (`jaxsal data prepare {name}`)" if name in NAMES else ""
        raise FileNotFoundError(f"`data` must be prepared{remedy}; got {data!r}, not in {where}, which holds {known}.")
    if len(found) > 1:
        raise ValueError(f"`data` must name one of {tuple(p.name for p in found)}; got {data!r}.")
    return found[0]


def prepared_clips(folder: str | Path) -> ClipSet:
    """Opens a prepared set: clips are listed at once and read one by one when loaded.

    Raises:
      ValueError: If a shard is missing or empty.
    """
    folder = Path(folder)
    info = open_builder(folder).info
    for split in info.splits.values():
        for path in map(Path, split.filepaths):
            if not path.is_file() or path.stat().st_size == 0:
                raise ValueError(
                    f"`data` must be whole; got none or an empty {path.name} in {folder}: prepare it anew."
                )
    records = _records(folder, info.metadata["clips"], has_actors="actor" in info.features)
    return ClipSet(tuple(info.metadata["classes"]), tuple(records))


def _records(folder: Path, tables: dict[str, list[Any]], *, has_actors: bool) -> Iterator[ClipRecord]:
    for split in SPLITS:
        for number, (name, label, spectrum, *rest) in enumerate(tables.get(split, [])):
            read = partial(_read, folder, split, number, name)
            load_mask = partial(read, "actor") if has_actors else None
            yield ClipRecord(name, label, spectrum, split, partial(read, "frames"), load_mask, *rest[:2])


def _read(folder: Path, split: str, number: int, name: str, field: str) -> Shaped[np.ndarray, "L H W *_"]:
    try:
        example = _data_source(folder, split)[number]
        if example["name"].decode() != name:
            raise ValueError(f"it holds {example['name'].decode()}")
        return example[field]
    except Exception as error:  # array_record and the decoding raise many kinds for damaged files
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DamagedError(
            f"`data` must be whole; got no clip {name} out of {folder}, which is damaged: {reason}. Remove the folder "
            "and prepare the set again."
        ) from error


@lru_cache(maxsize=16)
def _data_source(folder: Path, split: str) -> Sequence[Mapping[str, Any]]:
    return open_builder(folder).as_data_source(split)


def open_builder(folder: Path) -> "DatasetBuilder":
    """TFDS's reader of a prepared set's folder."""
    check_installed("tensorflow_datasets")
    import tensorflow_datasets as tfds

    if (folder / _CHECKSUMS).is_file():
        check_small_files(folder)
    return tfds.core.read_only_builder.builder_from_directory(folder)


def seal_small_files(folder: Path) -> None:
    """Notes the checksums of the small files of a set that was just written: its JSON, its lists of names."""
    if not (folder / _CHECKSUMS).is_file():
        write_json(folder / _CHECKSUMS, dict(files=_checksums(folder)))


def check_small_files(folder: Path) -> None:
    """Raises DamagedError if a small file of a set is not what was written."""
    remedy = f"Remove {folder} and prepare the set again."
    saved, held = read_json(folder / _CHECKSUMS, remedy).get("files") or {}, _checksums(folder)
    for name in sorted(saved.keys() | {name for name in held if name.endswith(".json")}):  # once, texts had none
        if held.get(name) != saved.get(name):
            raise DamagedError(f"{folder / name} is damaged: it does not have its checksum. {remedy}")


def _checksums(folder: Path) -> dict[str, str]:
    paths = sorted(path for kind in ("json", "txt") for path in folder.glob(f"*.{kind}") if path.name != _CHECKSUMS)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
