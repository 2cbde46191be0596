"""A folder of your own recordings, in one spectrum or in two, as a clip set.

    root/
      IR/  TV/          one entry per recording: a video, an array file, or a folder of images
      segments.csv      recording,label,split,ir_start,ir_end,tv_start,tv_end and, optionally, actor
      spectra.json      optional: {"IR": {"value_range": [2500, 3300]}}, see `read_frames`

A row is one labelled segment. `recording` is the name of its files without the ending, `split` is "train" or
"test", the others are frame indices, ends exclusive. Two empty cells stand for the whole recording. A
spectrum whose two columns or whose file is not there is not there for that segment. `actor` is who is seen: clips of
one actor count as one cluster in intervals and tests; without it every segment is its own.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.core.checks import hint
from jaxsal.datasets.clips import read_frames
from jaxsal.datasets.recordings.values import RangeChoice
from jaxsal.datasets.records import SPECTRA, SPLITS, ClipRecord, ClipSet

SEGMENTS_FILE = "segments.csv"
_NO_RECORDINGS = (".txt", ".csv", ".json", ".md", ".xml", ".log", ".srt", ".yaml", ".yml", ".pdf", ".html", ".ini")
SPECTRA_FILE = "spectra.json"
COLUMNS = {spectrum: (f"{spectrum.lower()}_start", f"{spectrum.lower()}_end") for spectrum in SPECTRA}


class _Row(NamedTuple):
    number: int
    cells: dict[str, str]


def paired_actions(
    root: str | Path,
    *,
    classes: Sequence[str] | None = None,
    value_ranges: Mapping[str, RangeChoice] | None = None,
) -> ClipSet:
    """Lists the labelled segments of a folder of recordings; frames are read when a record is loaded.

    Args:
      root: The folder, laid out as this module's docstring says.
      classes: Names of the classes in the order of their indices; the sorted labels of all rows if None.
      value_ranges: By spectrum, the raw values that become 0 and 255; goes before spectra.json.

    Returns:
      One record per segment and spectrum, named "recording:start-end:IR", in the order of the rows.

    Raises:
      FileNotFoundError: If `root` holds no segments.csv.
      ValueError: If segments.csv lacks columns or rows, a row names a split, label or recording that is not
        there or frames that are no range, two files are one recording, or a spectrum is unknown.
    """
    root = Path(root)
    rows = _read_rows(root)
    ranges = stored_value_ranges(root) | _known_spectra("value_ranges", value_ranges or {})
    files = {spectrum: _recordings(root / spectrum) for spectrum in SPECTRA}
    if classes is None:
        classes = sorted({row.cells["label"] for row in rows})
    records: dict[str, ClipRecord] = {}
    for row in rows:
        for record in _records(row, tuple(classes), files, ranges):
            if record.name in records:
                raise ValueError(f"{_place(row)} must differ from the rows before; got {record.name!r} again.")
            records[record.name] = record
    return ClipSet(tuple(classes), tuple(records.values()))


def _place(row: _Row) -> str:
    return f"Row {row.number} of `{SEGMENTS_FILE}`"


def _read_rows(root: Path) -> list[_Row]:
    """The rows with the columns that are known; a line without any value is passed over."""
    path = root / SEGMENTS_FILE
    if not path.is_file():
        raise FileNotFoundError(f"`root` must hold {SEGMENTS_FILE}; got {root}.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True, restval="")
        present = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = present
        _check_columns(present)
        rows = []
        for line in reader:
            cells = {name: (line[name] or "").strip() for name in present}
            if any(cells.values()):
                rows.append(_Row(reader.line_num, cells))
    if not rows:
        raise ValueError(f"`{SEGMENTS_FILE}` must hold at least one row; got none in {root}.")
    return rows


def _check_columns(present: Sequence[str]) -> None:
    wanted = ["recording", "label", "split"]
    some = [name for pair in COLUMNS.values() if set(pair) & set(present) for name in pair]
    wanted += some or [name for pair in COLUMNS.values() for name in pair]
    missing = [name for name in wanted if name not in present]
    if missing:
        raise ValueError(f"`{SEGMENTS_FILE}` must have the columns {missing}; got {list(present)}.")


def stored_value_ranges(root: Path) -> dict[str, RangeChoice]:
    """By spectrum, the raw values that are black and white as a folder's spectra.json says; None where it does not.

    Raises:
      ValueError: If the file names another spectrum.
    """
    path = root / SPECTRA_FILE
    stored = _known_spectra(SPECTRA_FILE, json.loads(path.read_text()) if path.is_file() else {})
    ranges = {spectrum: stored.get(spectrum, {}).get("value_range") for spectrum in SPECTRA}
    return {spectrum: None if pair is None else (pair[0], pair[1]) for spectrum, pair in ranges.items()}


def _known_spectra(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = [spectrum for spectrum in given if spectrum not in SPECTRA]
    if unknown:
        raise ValueError(f"`{name}` must name spectra out of {SPECTRA}; got {unknown[0]!r}.")
    return dict(given)


def _recordings(folder: Path) -> dict[str, list[Path]]:
    """What lies in the folder of one spectrum, by the recording's name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir():
            found.setdefault(path.name, []).append(path)
        elif path.suffix.lower() not in _NO_RECORDINGS and path.name[0] != ".":
            found.setdefault(path.stem, []).append(path)
    return found


def _records(
    row: _Row,
    classes: tuple[str, ...],
    files: Mapping[str, Mapping[str, list[Path]]],
    ranges: Mapping[str, RangeChoice],
) -> Iterator[ClipRecord]:
    """The clips of one row, one per spectrum that it has."""
    cells = row.cells
    recording, label, split = cells["recording"], cells["label"], cells["split"]
    if split not in SPLITS:
        raise ValueError(f"{_place(row)}: `split` must be one of {SPLITS}; got {split!r}.{hint(split, SPLITS)}")
    if label not in classes:
        raise ValueError(f"{_place(row)}: `label` must be one of {classes}; got {label!r}.{hint(label, classes)}")
    spectra = [s for s in SPECTRA if COLUMNS[s][0] in cells and recording in files[s]]
    if not spectra:
        folders = " or ".join(f"{s}/" for s in SPECTRA if COLUMNS[s][0] in cells)
        raise ValueError(f"{_place(row)}: `recording` must have a file in {folders}; got {recording!r}.")
    for spectrum in spectra:
        paths = files[spectrum][recording]
        if len(paths) > 1:
            names = [path.name for path in paths]
            raise ValueError(f"{_place(row)}: `recording` must match one file in {spectrum}/; got {names}.")
        start, stop = _frame_range(row, *COLUMNS[spectrum])
        name = f"{recording}:{start}-{'end' if stop is None else stop}:{spectrum}"
        load = partial(read_frames, paths[0], start=start, stop=stop, value_range=ranges[spectrum])
        scene = f"{recording}:row {row.number}"
        yield ClipRecord(name, classes.index(label), spectrum, split, load, scene=scene, actor=cells.get("actor", ""))


def _frame_range(row: _Row, start_column: str, end_column: str) -> tuple[int, int | None]:
    start, end = row.cells[start_column], row.cells[end_column]
    if not start and not end:
        return 0, None
    if not (start.isdecimal() and end.isdecimal() and int(start) < int(end)):
        raise ValueError(
            f"{_place(row)}: `{start_column}` and `{end_column}` must be frames, 0 <= start < end, "
            f"or both empty; got {start!r} and {end!r}."
        )
    return int(start), int(end)
