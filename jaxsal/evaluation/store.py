"""The store: what all runs of all processes have found, as immutable parts in one folder or bucket.

    store.json                 the config and the versions, with a checksum
    parts/WRITER-NUMBER.part   records that were committed together, see `jaxsal.evaluation.parts`
    damaged/                   parts without a whole header, which `compact` sets aside

Why not one Zarr array a series: here no two writers ever write the same file (WRITER is random), so that jobs need not
know of each other. A commit is one file, there whole or not at all, with the manifest of what it holds. Files are few.
Every byte is under a checksum. Merging is copying.

Parts are replaced by writing the new one before the old ones are deleted: a crash leaves a record twice, never nowhere.
A reader that misses a part lists the store again.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

from jaxsal.core.checks import check_choice
from jaxsal.core.sealed import checksum
from jaxsal.evaluation.parts import PER_MASK, Part, Place, Record, Rows, Span, encode, merge_spans
from jaxsal.evaluation.reader import Clips, Description, Reader

KINDS = ("clip", "scores", "result", "failure")
_SECONDS, _BYTES = 10.0, 1 << 24  # between two commits
_LARGE = 1 << 26  # bytes of the arrays in a part that `compact` writes


class Store(Reader):
    """A store to write to, and to read from.

    Attributes:
      read_only: Whether nothing is written: of processes that compute together, only the first writes.
    """

    def __init__(self, url: str, *, create: bool = False):
        """Opens a store; arguments and errors as those of `Reader`."""
        self.read_only = False
        self._writer, self._number, self._committed = uuid.uuid4().hex, 0, time.monotonic()
        self._pending: list[Record] = []
        self._gathered = 0  # bytes
        self._in_flight: tuple[Callable[[], None], Part] | None = None
        self._told: dict[str, Description] = {}
        super().__init__(url, create=create)

    def write_about(self, about: Mapping[str, Any]) -> None:
        """Notes the config and the versions of a run, in the place of those before."""
        about = json.loads(json.dumps(about, default=list))
        self._write("store.json", json.dumps(dict(sha256=checksum(about), about=about), indent=1).encode())

    def describe(self, series: str, description: Mapping[str, Any]) -> None:
        """Says what a series is, before records of it are put; saved with them, and again where it was lost."""
        self._told[series] = json.loads(json.dumps(description, default=list))

    def description(self, series: str) -> Description | None:
        """What a series is, None if that is not known."""
        return self._told.get(series, super().description(series))

    def verify(self) -> list[str]:
        """Reads every byte, and returns `damaged`."""
        self.commit()
        return super().verify()

    def put(
        self,
        kind: str,
        series: str,
        clip: str,
        arrays: Mapping[str, Any],
        *,
        note: Mapping[str, Any] | None = None,
        span: Span = (0, 0),
    ) -> None:
        """Takes a record. It is committed with others: 10 s after the last commit, or when 16 MB have gathered.

        Args:
          kind: "scores", "result" or "failure".
          series: Id of what the record belongs to, which was described.
          clip: Name of the clip.
          arrays: By name, of NumPy's own types. In scores, `logits` and `masks` have one row per mask.
          note: Small values, as JSON has them.
          span: (start, stop) of the masks of scores; masks with gaps between them are several records.

        Raises:
          OSError: If earlier records cannot be written, as when the disk is full.
        """
        check_choice("kind", kind, KINDS)
        record = Record(kind, series, clip, span, dict(note or {}), {k: np.array(v) for k, v in arrays.items()})
        if self.description(series) is None:
            raise ValueError(f"`series` must be described before a record is put; got {series}.")
        for name, array in record.arrays.items():
            if np.dtype(array.dtype.str) != array.dtype or array.dtype.hasobject:
                raise TypeError(f"`arrays` must be of NumPy's own types; got {array.dtype} for {name}.")
            if kind == "scores" and name in PER_MASK and len(array) != span[1] - span[0]:
                raise ValueError(f"`{name}` must have one row per mask of {span}; got {len(array)}.")
        with self._lock:
            if not self.read_only:
                self._pending.append(record)
                self._gathered += record.size
            if self._gathered >= _BYTES or time.monotonic() - self._committed >= _SECONDS:
                self.commit(wait=False)

    def commit(self, *, wait: bool = True) -> None:
        """Writes what was put, as one part; errors as `put`.

        Args:
          wait: Whether to return only when the part is on the disk. One part is in flight at a time.
        """
        with self._lock:
            self._settle()
            used = {record.series for record in self._pending} | {series for _, series in self._index}
            new = {s: d for s, d in self._told.items() if s in used and d != self._described.get(s)}
            if not self.read_only and (self._pending or new):
                self._begin_part(self._pending, new, time.time())
            self._pending, self._gathered, self._committed = [], 0, time.monotonic()
            if wait:
                self._settle()

    def delete(self, kind: str, series: str, clip: str) -> None:
        """Removes the records of a clip: the parts that hold them are written again without them."""
        with self._lock:
            while not self.read_only and (found := self._clips(kind, series).get(clip)):
                self._rewrite([part for part, _ in found], without=(kind, series, clip))

    def clear(self) -> None:
        """Removes everything, as what was kept in memory for a while."""
        self._settle()
        self._files.clear()
        self.refresh()

    def compact(self, *, idle: float = 3600.0) -> None:
        """Writes small parts together as few large ones of up to 64 MB, without duplicates and damaged records.

        Args:
          idle: Another writer's parts are taken if it committed nothing for this many seconds. Processes that compact
            the same parts at the same time leave duplicates, no harm.
        """
        with self._lock:
            self.commit()
            self.refresh()
            if self.read_only:
                return
            last = {part.writer: part.time for part in sorted(self._parts.values(), key=lambda part: part.time)}
            busy = {writer for writer, seconds in last.items() if seconds > time.time() - idle} - {self._writer}
            self._rewrite(self._worth_rewriting([part for part in self._parts.values() if part.writer not in busy]))
            for key in self._bad:
                self._write(key.replace("parts/", "damaged/"), self._files.reading(key)())
                self._write(key, None)
            self._bad.clear()
            self._files.remove_leftovers("parts")

    def merge(self, other: "Store") -> dict[tuple[str, str], int]:
        """Copies the parts of another store that hold a record that this one lacks; returns what `counts` grew by.

        Raises:
          ValueError: If a clip of the same name is another clip there.
        """
        before = self.counts()
        other.commit()
        self.damaged += other.damaged
        lacks = {
            key: [self._lacks(part, *found, other.url) for found in part.places()] for key, part in other._parts.items()
        }
        for key in [key for key, lacking in lacks.items() if any(lacking)]:
            self._write(key, other._files.reading(key)())
        self.refresh()
        return {key: count - before.get(key, 0) for key, count in self.counts().items()}

    def _groups(self, series: str | None = None) -> dict[tuple[str, str], Clips]:
        """The index; what was put of the series is committed first."""
        with self._lock:
            if any(series in (None, record.series) for record in self._pending):
                self.commit()
            self._settle()
            return self._index

    def _begin_part(self, records: list[Record], described: dict[str, Description], seconds: float) -> None:
        key = f"parts/{self._writer}-{self._number:06d}.part"
        self._number += 1
        content = encode(records, described, writer=self._writer, time=seconds)
        self._in_flight = self._files.writing(key, content), Part.of(key, content)

    def _settle(self) -> None:
        """Waits for the part that is being written, and then knows it."""
        if self._in_flight is not None:
            (wait, part), self._in_flight = self._in_flight, None
            wait()
            self._add(part)

    def _write(self, key: str, content: bytes | None) -> None:
        if not self.read_only:
            self._files.writing(key, content)()

    def _rewrite(self, parts: list[Part], *, without: Place | None = None) -> None:
        """Replaces parts by fewer with the same records, each once."""
        if not parts:
            return
        described = {s: d for part in sorted(parts, key=lambda p: p.time) for s, d in part.described.items()}
        newest = max(part.time for part in parts)
        for batch in _batches(chain.from_iterable(map(self._records, parts)), without):
            self._begin_part(batch, described, newest)
            self._settle()
            described = {}
        if described:
            self._begin_part([], described, newest)
            self._settle()
        for wait in [self._files.writing(part.key, None) for part in parts]:
            wait()
        self.refresh()

    def _worth_rewriting(self, parts: list[Part]) -> list[Part]:
        """Parts with damaged records or duplicates, and small ones."""
        holders: dict[tuple[Place, Span], set[str]] = {}
        for part in parts:
            for place, rows in part.places():
                for span in part.spans(rows):
                    holders.setdefault((place, span), set()).add(part.key)
        twice = set().union(*(keys for keys in holders.values() if len(keys) > 1))
        bad = {part.key for part in parts if part.key in twice or not part.whole.all()}
        chosen = [part for part in parts if part.key in bad or part.size < _LARGE // 2]
        return chosen if bad or len(chosen) > 1 else []

    def _lacks(self, part: Part, place: Place, rows: Rows, url: str) -> bool:
        """Whether rows of another store's part are of masks that this store lacks; an error if of another clip."""
        kind, series, clip = place
        mine = self._clips(kind, series).get(clip, [])
        held = merge_spans(span for other, own in mine for span in other.spans(own))
        digests = {one.note(int(found[0])).get("digest") for one, found in [(part, rows), *mine]}
        if len(digests - {None}) > 1:
            raise ValueError(f"`merge` must name stores of the same clips; got another {clip} in {url}.")
        return merge_spans([*held, *part.spans(rows)]) != held


def _batches(records: Iterator[Record], without: Place | None) -> Iterator[list[Record]]:
    """Records in lists of up to 64 MB, each once."""
    seen: set[tuple[Place, Span]] = set()
    batch: list[Record] = []
    size = 0
    for record in records:
        place = record[:3], record.span
        if place in seen or record[:3] == without:
            continue
        seen.add(place)
        if batch and size + record.size > _LARGE:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += record.size
    if batch:
        yield batch
