"""The study's set as it lies in a folder of one's own: a folder of numbered frames per clip, in two spectra.

    root/
      IR/<clip>/0000.png 0001.png ...
      TV/<clip>/0000.png 0001.png ...
      train.txt  test.txt         one clip a line: its name and its action
      classes.txt                 optional: one action a line, in the order of the network's classes
      spectra.json                optional: {"IR": {"value_range": [black, white]}} for frames of 16 bits

Every listed clip is in both trees, its frames numbered from 0 without a gap. One split serves both spectra.
"""

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxsal.core.files import is_entry
from jaxsal.datasets.clips import read_frames
from jaxsal.datasets.paired import stored_value_ranges
from jaxsal.datasets.recordings.part import Part
from jaxsal.datasets.recordings.values import RangeChoice
from jaxsal.datasets.records import SPECTRA, SPLITS, ClipRecord, ClipSet

FRAME_NAME = "{:04d}.png"
CLASSES_FILE = "classes.txt"


def multispectral_folder(root: str | Path) -> ClipSet:
    """Lists the clips of a folder in the layout above; frames are read when a record is loaded.

    Args:
      root: The folder.

    Returns:
      Two records per clip, named "clip-IR" and "clip-TV", in the order of the lists, train before test.

    Raises:
      FileNotFoundError: If a list or the folder of a listed clip is missing.
      ValueError: If a line is not a clip with an action, a clip is listed twice, or an action is not a class.
    """
    root = Path(root)
    listed = {split: _read_list(root / f"{split}.txt") for split in SPLITS}
    ranges = stored_value_ranges(root)
    classes = _classes(root, {action for pairs in listed.values() for _, action in pairs})
    records: dict[str, ClipRecord] = {}
    for split, pairs in listed.items():
        for clip, action in pairs:
            if action not in classes:
                raise ValueError(f"`{split}.txt` must name actions out of {classes}; got {action!r} for {clip!r}.")
            for spectrum in SPECTRA:
                folder = root / spectrum / clip
                if not folder.is_dir():
                    raise FileNotFoundError(f"`{split}.txt` must list clips that are there; got no {folder}.")
                name = f"{clip}-{spectrum}"
                if name in records:
                    raise ValueError(f"`{split}.txt` must list clips once, in one split; got {clip!r} again.")
                load = partial(read_numbered_frames, folder, value_range=ranges[spectrum])
                part = Part(folder, value_range=ranges[spectrum])
                records[name] = ClipRecord(name, classes.index(action), spectrum, split, load, parts={spectrum: part})
    return ClipSet(classes, tuple(records.values()))


def read_numbered_frames(folder: Path, *, value_range: RangeChoice = None) -> UInt8[np.ndarray, "L H W 3"]:
    """All frames of a clip's folder, 0000.png to the last.

    Args:
      folder: The folder.
      value_range: (black, white) in raw counts; the full range of the files' type if None.

    Raises:
      ValueError: If a number is missing, or a frame cannot be read.
    """
    names = {path.name for path in folder.glob("*.png")}
    missing = [name for name in map(FRAME_NAME.format, range(len(names))) if name not in names]
    if missing:
        raise ValueError(f"`{folder}` must hold frames numbered from 0 without a gap; got no {missing[0]}.")
    return read_frames(folder, value_range=value_range)


def _read_list(path: Path) -> list[tuple[str, str]]:
    if not path.is_file():
        raise FileNotFoundError(f"`manual_dir` must hold {path.name}; got {path.parent}.")
    pairs = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split()
        if words and len(words) != 2:
            raise ValueError(f"`{path.name}` must have a clip and its action in line {number}; got {line!r}.")
        if words and not is_entry(words[0]):
            raise ValueError(f"`{path.name}` must name folders of IR and TV; got {words[0]!r} in line {number}.")
        if words:
            pairs.append((words[0], words[1]))
    return pairs


def _classes(root: Path, actions: set[str]) -> tuple[str, ...]:
    path = root / CLASSES_FILE
    return tuple(path.read_text().split()) if path.is_file() else tuple(sorted(actions))
