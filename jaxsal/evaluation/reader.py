"""What a store holds, for those who read: an index of the headers of all parts, and records that are checked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from jaxsal.core.files import DamagedError
from jaxsal.core.sealed import checksum
from jaxsal.evaluation.objects import Objects
from jaxsal.evaluation.parts import PRELUDE, Part, Record, Rows, Span, header_place, merge_spans

Description = dict[str, Any]
Clips = dict[str, list[tuple[Part, Rows]]]
_LISTINGS = 100


class Reader:
    """Records of clips by kind, series and clip, below one folder or URL.

    Attributes:
      url: Where the store is.
      damaged: What was found damaged, one message each. A damaged record counts as missing from then on.
    """

    def __init__(self, url: str, *, create: bool = False):
        """Opens a store and reads the headers of its parts.

        Args:
          url: A folder, or a URL of TensorStore's.
          create: Whether it may be new.

        Raises:
          FileNotFoundError: If there is none and it may not be new.
          ValueError: If the URL is none that TensorStore knows.
          OSError: If it cannot be read.
        """
        self.url = url
        self.damaged: list[str] = []
        self._files, self._lock = Objects(url), threading.RLock()
        self._parts: dict[str, Part] = {}
        self._bad: set[str] = set()  # parts without a whole header
        self._index_parts()
        self.refresh()
        if not (create or self._parts or self._bad or self._files.reading("store.json")() is not None):
            raise FileNotFoundError(f"`store` must hold results; got {url}.")

    def about(self) -> dict[str, Any] | None:
        """What `write_about` noted, None if nothing; DamagedError if it is damaged."""
        content = self._files.reading("store.json")()
        if content is None:
            return None
        try:
            fields = json.loads(content.decode())
            if fields["sha256"] == checksum(fields["about"]):
                return fields["about"]
        except (ValueError, KeyError, TypeError):
            pass
        raise DamagedError(f"{self.url}/store.json is damaged. Remove it: the same command writes it again.")

    def description(self, series: str) -> Description | None:
        """What a series is, None if that is not known."""
        return self._described.get(series)

    def descriptions(self, kind: str) -> dict[str, Description]:
        """What the series are that hold records of a kind; those whose description is lost are named in `damaged`."""
        known = {series: self.description(series) for of_kind, series in sorted(self._groups()) if of_kind == kind}
        for series in [series for series, description in known.items() if description is None]:
            self._name_damage("parts", f"no whole part describes series {series}")
        return {series: description for series, description in known.items() if description is not None}

    def held(self, kind: str, series: str) -> dict[str, list[Span]]:
        """By clip, the mask numbers whose scores are held, as few spans; [(0, 0)] for other kinds. Reads no array."""
        clips = self._clips(kind, series)
        return {clip: _spans(clips[clip]) for clip in sorted(clips)}

    def spans(self, kind: str, series: str, clip: str) -> list[Span]:
        """`held` of one clip, [] if nothing is."""
        return _spans(self._clips(kind, series).get(clip, []))

    def clips(self, kind: str, series: str) -> list[str]:
        """The clips of which there is a record, by name. Reads no array."""
        return sorted(self._clips(kind, series))

    def note(self, kind: str, series: str, clip: str) -> dict[str, Any] | None:
        """The note of a clip's record, of scores the first; None if there is none. Reads no array."""
        found = self._clips(kind, series).get(clip)
        if not found:
            return None
        part, row, _ = _choose(found)[0]
        return part.note(row)

    def notes(self, kind: str, series: str) -> dict[str, dict[str, Any]]:
        """By clip, the note of its record; of scores, of the first. Reads no array."""
        clips = self._clips(kind, series)
        chosen = {clip: _choose(clips[clip])[0] for clip in sorted(clips)}
        return {clip: part.note(row) for clip, (part, row, _) in chosen.items()}

    def counts(self) -> dict[tuple[str, str], int]:
        """By (kind, series): how many masks have scores, or how many clips have a record. Reads no array."""
        return {
            (kind, series): sum(stop - start for spans in self.held(kind, series).values() for start, stop in spans)
            if kind == "scores"
            else len(clips)
            for (kind, series), clips in sorted(self._groups().items())
        }

    def read(self, kind: str, series: str, clip: str) -> list[Record]:
        """The records of a clip, each checked: of scores, every mask once, ascending; of other kinds, at most one.

        A damaged record is named in `damaged` and held no longer. Another of the same masks takes its place.

        Raises:
          OSError: If the store cannot be read.
        """
        with self._lock:
            while True:
                chosen = _choose(self._clips(kind, series).get(clip, []))
                waits = [self._files.reading(part.key, part.bytes_of(row)) for part, row, _ in chosen]
                records = [self._finish(*row[:2], wait) for row, wait in zip(chosen, waits, strict=True)]
                whole = [record for record in records if record is not None]
                if len(whole) == len(chosen):
                    return [record.from_mask(row[2]) for record, row in zip(whole, chosen, strict=True)]

    def verify(self) -> list[str]:
        """Reads every byte, and returns `damaged`."""
        self.refresh()
        for part in list(self._parts.values()):
            for _ in self._records(part):
                pass
        try:
            self.about()
        except DamagedError as error:
            self.damaged.append(str(error))
        return self.damaged

    def refresh(self) -> None:
        """Looks for parts that other writers have committed or replaced."""
        with self._lock:
            keys = self._files.keys("parts")
            for _ in range(_LISTINGS):
                again = self._files.keys("parts")  # one listing may miss a part and what replaces it; two do not
                if keys <= again and self._open(again - self._parts.keys() - self._bad):
                    break
                keys = again
            else:
                raise OSError(f"Cannot read {self.url}: its parts vanish as soon as they are listed.")
            self._bad &= again
            if not self._parts.keys() <= again:
                self._parts = {key: part for key, part in self._parts.items() if key in again}
                self._index_parts()

    def _open(self, keys: set[str]) -> bool:
        """Reads the headers of parts; whether all were still there."""
        headers, parts = [], []
        preludes = [(key, self._files.reading(key, slice(0, PRELUDE.size))) for key in sorted(keys)]
        for key, wait in preludes:
            with self._damage_named(key):
                if (prelude := wait()) is not None:
                    headers.append((key, prelude, self._files.reading(key, header_place(prelude))))
        for key, prelude, wait in headers:
            with self._damage_named(key):
                if (header := wait()) is not None:
                    parts.append(Part(key, prelude, header))
        for part in sorted(parts, key=lambda part: part.time):
            self._add(part)
        return keys <= self._parts.keys() | self._bad

    @contextmanager
    def _damage_named(self, key: str) -> Iterator[None]:
        try:
            yield
        except DamagedError as error:
            self._bad.add(key)
            self._name_damage(key, str(error))

    def _name_damage(self, place: str, reason: str) -> None:
        message = f"{self.url}/{place}: {reason}. The next run makes it again."
        if message not in self.damaged:
            self.damaged.append(message)

    def _index_parts(self) -> None:
        """Makes the index anew, of all whole rows of all parts."""
        self._index: dict[tuple[str, str], Clips] = {}
        self._described: dict[str, Description] = {}
        for part in sorted(self._parts.values(), key=lambda part: part.time):
            self._add(part)

    def _add(self, part: Part) -> None:
        self._parts[part.key] = part
        self._described |= part.described
        for (kind, series, clip), rows in part.places():
            self._index.setdefault((kind, series), {}).setdefault(clip, []).append((part, rows))

    def _drop(self, part: Part, row: int, reason: str) -> None:
        """Takes a damaged record out of the index."""
        part.whole[row] = False
        kind, series, clip = part.place(row)
        ((start, stop),) = part.spans(np.array([row]))
        masks = f", masks {start} to {stop - 1}" if kind == "scores" else ""
        self._name_damage(part.key, f"{reason} ({kind} of {clip} in series {series}{masks})")
        clips = self._index.get((kind, series), {})
        left = [(other, rows[other.whole[rows]]) for other, rows in clips.pop(clip, [])]
        if any(len(rows) for _, rows in left):
            clips[clip] = [(other, rows) for other, rows in left if len(rows)]

    def _groups(self, series: str | None = None) -> dict[tuple[str, str], Clips]:
        """The index, for a look at one series or at all."""
        return self._index

    def _clips(self, kind: str, series: str) -> Clips:
        """The rows of a series by clip."""
        return self._groups(series).get((kind, series), {})

    def _finish(self, part: Part, row: int, wait: Callable[[], bytes | None]) -> Record | None:
        """A record that is being read; None if it is damaged or its part is gone, and the index is another now."""
        try:
            if (content := wait()) is not None:
                return part.record(row, content)
            self.refresh()
        except DamagedError as error:
            self._drop(part, row, str(error))
        return None

    def _records(self, part: Part) -> Iterator[Record]:
        """The whole records of a part; none if it is gone."""
        content = self._files.reading(part.key)()
        if content is None:
            return
        for row in np.flatnonzero(part.whole).tolist():
            try:
                yield part.record(row, content[part.bytes_of(row)])
            except DamagedError as error:
                self._drop(part, row, str(error))


def _spans(places: list[tuple[Part, Rows]]) -> list[Span]:
    return merge_spans(span for part, rows in places for span in part.spans(rows))


def _choose(places: list[tuple[Part, Rows]]) -> list[tuple[Part, int, int]]:
    """The records of a clip that hold every mask once: the part, the row, and the first mask that counts."""
    found = [
        (start, -stop, part.key, row, part)
        for part, rows in places
        for (start, stop), row in zip(part.spans(rows), rows.tolist(), strict=True)
    ]
    chosen, reached = [], -1
    for start, minus_stop, _, row, part in sorted(found, key=lambda item: item[:4]):
        if -minus_stop > reached:
            chosen.append((part, row, max(start, reached)))
            reached = -minus_stop
    return chosen
