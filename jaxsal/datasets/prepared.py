"""Prepared sets: written once as shards under a data folder, then opened by name as sets of clips.

A set lies in `data_dir/name/config/version`. The data folder is $TFDS_DATA_DIR, or data/tfds where that is not set.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from jaxsal.core.checks import check_choice, check_positive
from jaxsal.datasets.records import SPLITS, ClipRecord, ClipSet

NAMES = ("multispectral_actions", "paired_actions", "synthetic_actions")
WITHOUT_SOURCE = ("synthetic_actions",)
FULL = "full"  # the config with frames as they are recorded
INFO_FILE = "dataset_info.json"
RENDERED_FRAMES = 20  # as a network of 16 frames is trained on, with four to choose among


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


def prepare_clips(
    name: str,
    *,
    manual_dir: str | Path | None = None,
    data_dir: str | Path | None = None,
    size: int | None = None,
    antialias: bool = False,
    num_frames: int | None = None,
    config: str | None = None,
) -> Prepared:
    """Writes a set as shards, or finds it written.

    Args:
      name: One of `NAMES`.
      manual_dir: The folder of the recordings; none for the embedded set.
      data_dir: Where to; `default_data_dir` if None.
      size: Stores frames resized and cut to squares of this side, as training at this size does it: less to
        keep and to read. Frames as they are recorded if None.
      antialias: Of the resizing to `size`; the network's own (PAN's is antialiased) for training on the squares.
      num_frames: Of the clips of the embedded set, 20 if None; recordings have their own.
      config: Tells sets of one name apart; if None "full", or "square<size>", "frames<num_frames>" and "antialias",
        what there is of them, with dashes between.

    Returns:
      Where it lies; a set that is being written is not there until it is whole.

    Raises:
      FileNotFoundError: If a file of the layout is missing.
      ValueError: If the name is unknown, `manual_dir` does not fit it, the layout is not as it must be, or the
        config holds another set.
    """
    check_choice("name", name, NAMES)
    if size is not None:
        check_positive("size", size)
    if size is None and antialias:
        raise ValueError("`antialias` must come with a `size` to resize to; got none.")
    if size is not None and config == FULL:
        raise ValueError(f"`config` must not be {FULL!r}, frames as they are recorded, with a `size`; got {size}.")
    if (manual_dir is None) != (name in WITHOUT_SOURCE):
        rule = "be left out" if name in WITHOUT_SOURCE else "be the folder of the recordings"
        raise ValueError(f"`manual_dir` must {rule} for {name}; got {manual_dir}.")
    if num_frames is not None:
        check_positive("num_frames", num_frames)
        if name not in WITHOUT_SOURCE or config == FULL:
            raise ValueError(f"`num_frames` must be left out for {name} {config or ''}; got {num_frames}.")
    if manual_dir is not None and not Path(manual_dir).is_dir():
        raise FileNotFoundError(f"`manual_dir` must be a folder; got {manual_dir}.")
    import tensorflow_datasets as tfds

    from jaxsal.datasets.builders import BUILDERS, ClipConfig

    parts = [f"square{size}"] * (size is not None) + [f"frames{num_frames}"] * (num_frames is not None)
    config = config or "-".join(parts + ["antialias"] * antialias) or FULL
    stored: Any = dict(size=size, antialias=antialias, num_frames=num_frames or RENDERED_FRAMES)
    root = Path(data_dir or default_data_dir()).absolute()
    with contextlib.redirect_stdout(sys.stderr):
        chosen = FULL if config == FULL else ClipConfig(name=config, **stored)
        builder = BUILDERS[name](data_dir=root, config=chosen)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual_dir))
    found = Prepared(f"{name}/{config}", Path(builder.data_dir))
    source = None if manual_dir is None else str(Path(manual_dir).absolute())
    _check_same(found, dict(source=source, **stored))
    return found


def _check_same(found: Prepared, wanted: dict[str, Any]) -> None:
    held = dict(num_frames=RENDERED_FRAMES) | _builder(found.folder).info.metadata  # older sets do not say
    for key, value in wanted.items():
        if held[key] != value:
            raise ValueError(f"`config` must be new; got {found.name!r}, which has {key} {held[key]}, not {value}.")


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
    info = _builder(folder).info
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
        for number, (name, label, spectrum, *scene) in enumerate(tables.get(split, [])):
            read = partial(_read, folder, split, number, name)
            load_mask = partial(read, "actor") if has_actors else None
            yield ClipRecord(name, label, spectrum, split, partial(read, "frames"), load_mask, *scene[:1])


def _read(folder: Path, split: str, number: int, name: str, field: str) -> Shaped[np.ndarray, "L H W *_"]:
    try:
        example = _data_source(folder, split)[number]
        if example["name"].decode() != name:
            raise ValueError(f"it holds {example['name'].decode()}")
        return example[field]
    except Exception as error:  # array_record and the decoding raise many kinds for damaged files
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ValueError(f"`data` must be whole; got no clip {name} out of {folder}: {reason}") from error


@lru_cache(maxsize=16)
def _data_source(folder: Path, split: str) -> Any:
    return _builder(folder).as_data_source(split)


def _builder(folder: Path) -> Any:
    import tensorflow_datasets as tfds

    return tfds.core.read_only_builder.builder_from_directory(folder)
