"""A folder of your own recordings, in one spectrum or in two, as a clip set.

    root/
      IR/  TV/          one entry per recording: a video, an array file, or a folder of images
      segments.csv      recording,label,split,ir_start,ir_end,tv_start,tv_end and, optionally, actor
      spectra.json      optional: {"IR": {"value_range": [2500, 3300]}}, see `read_frames`

A row is one labelled segment. `recording` is the name of its files without the ending, `split` is "train" or
"test", the others are frames (12) or seconds (12.5s), ends exclusive. Two empty cells stand for the whole recording. A
spectrum whose two columns or whose file is not there is not there for that segment. `actor` is who is seen: clips of
one actor count as one cluster in intervals and tests; without it every segment is its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxsal.core.checks import hint
from jaxsal.core.files import file_name
from jaxsal.datasets.recordings.moments import Moment, amount, check_moment
from jaxsal.datasets.recordings.part import Part
from jaxsal.datasets.recordings.values import RangeChoice
from jaxsal.datasets.records import SPECTRA, SPLITS, ClipRecord, ClipSet
from jaxsal.datasets.tables import Row, composed, read_settings, read_table

SEGMENTS_FILE = "segments.csv"
_NO_RECORDINGS = (".txt", ".csv", ".json", ".md", ".xml", ".log", ".srt", ".yaml", ".yml", ".pdf", ".html", ".ini")
SPECTRA_FILE = "spectra.json"
EXAMPLE = '{"IR": {"value_range": [2500, 3300]}}'
COLUMNS = {spectrum: (f"{spectrum.lower()}_start", f"{spectrum.lower()}_end") for spectrum in SPECTRA}


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
            before = records.setdefault(file_name(record.name), record)
            if before.name == record.name and before is not record:
                raise ValueError(f"{_place(row)} must differ from the rows before; got {record.name!r} again.")
            if before is not record:
                raise ValueError(
                    f"{_place(row)} must have a name that differs from the rows before in letters or numbers; got "
                    f"{record.name!r} and {before.name!r}, both {file_name(record.name)!r} as files. Rename a "
                    "recording."
                )
    return ClipSet(tuple(classes), tuple(records.values()))


def _place(row: Row) -> str:
    return f"Row {row.number} of `{SEGMENTS_FILE}`"


def _read_rows(root: Path) -> list[Row]:
    """The rows with the columns that are known; a line without any value is passed over."""
    path = root / SEGMENTS_FILE
    if not path.is_file():
        raise FileNotFoundError(f"`root` must hold {SEGMENTS_FILE}; got {root}.")
    columns, rows = read_table(path)
    _check_columns(columns)
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
      ValueError: If the file is not as `EXAMPLE`, or names another spectrum.
    """
    path = root / SPECTRA_FILE
    stored = _known_spectra(SPECTRA_FILE, read_settings(path, EXAMPLE) if path.is_file() else {})
    return {spectrum: _stored_range(path, spectrum, stored.get(spectrum, {})) for spectrum in SPECTRA}


def _stored_range(path: Path, spectrum: str, settings: object) -> RangeChoice:
    pair = settings.get("value_range") if isinstance(settings, dict) and set(settings) <= {"value_range"} else ()
    if pair is None or pair == "auto":
        return pair
    numbers = [value for value in pair if isinstance(value, int | float)] if isinstance(pair, list) else []
    if not isinstance(pair, list) or len(pair) != 2 or len(numbers) != 2 or numbers[0] >= numbers[1]:
        raise ValueError(
            f'`{SPECTRA_FILE}` must give {spectrum} a value_range of two numbers, low < high, or "auto"; got '
            f"{settings!r} in {path}. An example: {EXAMPLE}"
        )
    return numbers[0], numbers[1]


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
            found.setdefault(composed(path.name), []).append(path)
        elif path.suffix.lower() not in _NO_RECORDINGS and path.name[0] != ".":
            found.setdefault(composed(path.stem), []).append(path)
    return found


def _records(
    row: Row,
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
        known = [name for of_spectrum in files.values() for name in of_spectrum]
        closest = hint(recording, known) or hint(Path(recording).stem, known)
        raise ValueError(f"{_place(row)}: `recording` must have a file in {folders}; got {recording!r}.{closest}")
    for spectrum in spectra:
        paths = files[spectrum][recording]
        if len(paths) > 1:
            names = [path.name for path in paths]
            raise ValueError(f"{_place(row)}: `recording` must match one file in {spectrum}/; got {names}.")
        start, stop = _frame_range(row, *COLUMNS[spectrum])
        name = f"{recording}:{start}-{'end' if stop is None else stop}:{spectrum}"
        part = Part(paths[0], start, stop, ranges[spectrum])
        scene = f"{recording}:row {row.number}"
        actor = cells.get("actor", "")
        number = classes.index(label)
        yield ClipRecord(name, number, spectrum, split, part.read, scene=scene, actor=actor, parts={spectrum: part})


def _frame_range(row: Row, start_column: str, end_column: str) -> tuple[Moment, Moment | None]:
    start, end = row.cells[start_column], row.cells[end_column]
    if not start and not end:
        return 0, None
    try:
        moments = check_moment(start_column, start), check_moment(end_column, end)
        ordered = type(moments[0]) is not type(moments[1]) or amount(moments[0]) < amount(moments[1])
    except ValueError:
        ordered = False
    if not ordered:
        raise ValueError(
            f"{_place(row)}: `{start_column}` and `{end_column}` must be frames, 0 <= start < end, or seconds such as "
            f"12.5s, or both empty; got {start!r} and {end!r}."
        )
    return moments
