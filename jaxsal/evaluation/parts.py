"""A part of a store: records that were committed together, in one file that is never changed.

    prelude  magic and version (8 bytes), length of the header (8), SHA-256 of the header (32)
    header   JSON: writer, time, descriptions of series, and the records by column: a million are read in seconds
    data     the arrays of record 0, of record 1, ..., without gaps

The header says what the part holds; `layout` of a record is the number of a list of (name, dtype, shape), from which
the places of its arrays follow. `crc` is the CRC-32 of all arrays of a record, which is read as a whole.
"""

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import methodcaller
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from jaxsal.core.files import DamagedError

MAGIC = b"jaxsal\x00\x01"
PRELUDE = struct.Struct("<8sQ32s")
PER_MASK = ("logits", "masks")
"""Arrays of scores whose first axis is the masks; the others are of the clip."""

Span = tuple[int, int]
Place = tuple[str, str, str]
Rows = Int[np.ndarray, " _"]
_COLUMNS = ("group", "clip", "start", "stop", "note", "layout", "crc")
_LONGEST_HEADER = 1 << 36


class Record(NamedTuple):
    """What was found of one clip.

    Attributes:
      kind: "scores", "result" or "failure".
      series: Id of what the record belongs to.
      clip: Name of the clip.
      span: (start, stop) of the mask numbers of scores; (0, 0) of other kinds.
      note: Small values, as JSON has them.
      arrays: By name.
    """

    kind: str
    series: str
    clip: str
    span: Span
    note: dict[str, Any]
    arrays: Mapping[str, np.ndarray]

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    def from_mask(self, start: int) -> "Record":
        """The record without the masks before one."""
        skip = start - self.span[0]
        arrays = {name: array[skip:] if name in PER_MASK else array for name, array in self.arrays.items()}
        return self._replace(span=(start, self.span[1]), arrays=arrays)


class _Numbers(dict[Any, int]):
    """Numbers values in the order in which they come."""

    def __missing__(self, value: object) -> int:
        self[value] = len(self)
        return self[value]


def encode(records: Sequence[Record], described: Mapping[str, Any], *, writer: str, time: float) -> bytes:
    """The content of a part.

    Args:
      records: What it holds.
      described: Descriptions of series, by id.
      writer: Id of the writer.
      time: Seconds since 1970.
    """
    groups, clips, notes, layouts = tables = [_Numbers() for _ in range(4)]
    rows, data = [], []
    for record in records:
        layout = tuple((name, array.dtype.str, array.shape) for name, array in record.arrays.items())
        note = json.dumps(record.note, default=methodcaller("item"))
        content = b"".join(array.tobytes() for array in record.arrays.values())
        place = groups[record.kind, record.series], clips[record.clip]
        rows.append((*place, *record.span, notes[note], layouts[layout], zlib.crc32(content)))
        data.append(content)
    columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    fields = dict(writer=writer, time=time, described=described, tables=list(map(list, tables)), columns=columns)
    header = json.dumps(fields, separators=(",", ":")).encode()
    return b"".join([PRELUDE.pack(MAGIC, len(header), hashlib.sha256(header).digest()), header, *data])


def header_place(prelude: bytes) -> slice:
    """Where the header of a part is; DamagedError if a part does not begin so."""
    magic, length, _ = PRELUDE.unpack(prelude)
    if magic != MAGIC or length > _LONGEST_HEADER:
        raise DamagedError("it does not begin as a part of this version does")
    return slice(PRELUDE.size, PRELUDE.size + length)


class Part:
    """The header of a part.

    Attributes:
      key: Path of the file in the store.
      writer: Id of the writer.
      time: When it was written, in seconds since 1970.
      described: Descriptions of series, by id.
      whole: Which rows are not known to be damaged.
      size: Bytes of the file.
    """

    def __init__(self, key: str, prelude: bytes, header: bytes):
        """Reads a header; DamagedError if it is not what was written."""
        if hashlib.sha256(header).digest() != PRELUDE.unpack(prelude)[2]:
            raise DamagedError("its header does not have its checksum")
        fields = json.loads(header)
        self.key, self.writer, self.time = key, str(fields["writer"]), float(fields["time"])
        self.described: dict[str, dict[str, Any]] = fields["described"]
        self._groups, self._clips, self._notes, self._layouts = fields["tables"]
        columns = (np.array(column, np.int64) for column in fields["columns"])
        self._group, self._clip, self._start, self._stop, self._note, self._layout, self._crc = columns
        lengths = [sum(np.dtype(d).itemsize * math.prod(shape) for _, d, shape in layout) for layout in self._layouts]
        ends = np.cumsum(np.array(lengths, np.int64)[self._layout])
        self._ends = PRELUDE.size + len(header) + np.concatenate([[0], ends])
        self.size, self.whole = int(self._ends[-1]), np.ones(len(self._crc), bool)

    @classmethod
    def of(cls, key: str, content: bytes) -> "Part":
        """The part whose file is given whole."""
        prelude = content[: PRELUDE.size]
        return cls(key, prelude, content[header_place(prelude)])

    def place(self, row: int) -> Place:
        """(kind, series, clip) of a row."""
        return *self._groups[self._group[row]], self._clips[self._clip[row]]

    def places(self) -> Iterator[tuple[Place, Rows]]:
        """For every kind, series and clip of the part: the whole rows of its records."""
        order = np.lexsort((self._clip, self._group))
        order = order[self.whole[order]]
        groups, clips = self._group[order], self._clip[order]
        starts = np.flatnonzero((np.diff(groups, prepend=-1) != 0) | (np.diff(clips, prepend=-1) != 0))
        bounds = zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True) if len(order) else ()
        names = zip(groups[starts].tolist(), clips[starts].tolist(), strict=True)
        for (group, clip), (start, stop) in zip(names, bounds, strict=True):
            yield (*self._groups[group], self._clips[clip]), order[start:stop]

    def spans(self, rows: Rows) -> list[Span]:
        """(start, stop) of some rows."""
        return list(zip(self._start[rows].tolist(), self._stop[rows].tolist(), strict=True))

    def note(self, row: int) -> dict[str, Any]:
        """The note of a row."""
        return json.loads(self._notes[self._note[row]])

    def bytes_of(self, row: int) -> slice:
        """Where in the file the arrays of a row are."""
        return slice(int(self._ends[row]), int(self._ends[row + 1]))

    def record(self, row: int, content: bytes) -> Record:
        """The record of a row, from the bytes of its arrays; DamagedError if they are not what was written."""
        place = self.bytes_of(row)
        if len(content) != place.stop - place.start or zlib.crc32(content) != self._crc[row]:
            raise DamagedError("arrays do not have their checksum")
        arrays, offset = {}, 0
        for name, dtype, shape in self._layouts[self._layout[row]]:
            arrays[name] = np.ndarray(shape, dtype, content, offset).copy()
            offset += arrays[name].nbytes
        (span,) = self.spans(np.array([row]))
        return Record(*self.place(row), span, self.note(row), arrays)


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """The same numbers in as few spans as there can be, ascending."""
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged
