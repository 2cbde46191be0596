"""How many frames an MP4 or MOV file announces: FFmpeg keeps an index of all of them in memory, seen or not.

Such a file is a tree of boxes: a size (4 bytes), a name (4), a content. A track whose frames have one size says how
many there are without a byte for each, so that a file of a kilobyte can announce a hundred million.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxsal.core.limits import FRAMES, check_limit

_CONTAINERS = frozenset(b"moov trak mdia minf stbl moof traf mvex edts dinf udta free hoov cmov".split())
_READ = {b"hdlr": 12, b"stsz": 12, b"stz2": 12, b"stts": 16, b"stsc": 2**30, b"stco": 8, b"co64": 8, b"trun": 8}
"""By name, boxes of numbers that are read, and how many bytes of them."""
_PIECE = 160
"""Samples of plain sound that FFmpeg takes together, at least."""


@dataclass
class _Track:
    """What a track says of its frames.

    Attributes:
      frames: How many there are.
      chunks: In how many runs of bytes they lie.
      in_chunk: How many the longest run has.
      kinds: Its handlers, "soun" for sound.
      steps: The number of entries in its table of times, and the first duration.
    """

    frames: int = 0
    chunks: int = 0
    in_chunk: int = 0
    kinds: set[bytes] = field(default_factory=set)
    steps: set[tuple[int, int]] = field(default_factory=set)

    @property
    def entries(self) -> int:
        """Entries of the index; samples of plain sound, each a frame by itself, are taken together."""
        plain_sound = b"soun" in self.kinds and b"vide" not in self.kinds and self.steps == {(1, 1)}
        return self.chunks * (1 + self.in_chunk // _PIECE) if plain_sound else self.frames


def check_announced(path: Path, file: BinaryIO) -> None:
    """Raises ValueError if the boxes of a file announce more frames than the limit, or a header that hides how many."""
    tracks, fragments = [_Track()], 0
    for kind, content in _boxes(file):
        numbers, track = np.frombuffer(content[: len(content) // 4 * 4], ">u4").astype(int), tracks[-1]
        if kind == b"trak":
            tracks.append(_Track())
        elif kind == b"hdlr":
            track.kinds.add(content[8:])
        elif kind in (b"stsz", b"stz2"):
            track.frames = max(track.frames, *numbers[2:])
        elif kind == b"stts":
            track.steps.add((int(numbers[1]), int(numbers[3])))
        elif kind == b"stsc":
            track.in_chunk = max(track.in_chunk, int(numbers[3::3].max(initial=0)))
        elif kind in (b"stco", b"co64"):
            track.chunks = max(track.chunks, *numbers[1:])
        elif kind == b"trun":
            fragments += int(numbers[1])
        elif kind == b"cmov":
            raise ValueError(
                f"`path` must have a plain header; got {path}, whose header is compressed. This writes it plain: "
                "ffmpeg -i OLD.mov -c copy NEW.mov"
            )
    check_limit(FRAMES, path, int(fragments + sum(track.entries for track in tracks)))


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of a file by name, with the first bytes of those that are read; a box comes before those in it."""
    ends, place = [file.seek(0, os.SEEK_END)], 0
    while ends:
        if place + 8 > ends[-1]:
            place = ends.pop()
            continue
        file.seek(place)
        size, kind = struct.unpack(">I4s", file.read(8))
        start, whole = place + 8, size
        if size == 1:
            start, whole = place + 16, int.from_bytes(file.read(8), "big")
        end = min(place + whole, ends[-1]) if whole >= 8 else ends[-1]  # 0 is up to the end of what it lies in
        wanted = _READ.get(kind, 0)
        content = file.read(min(wanted, max(end - start, 0)))
        if kind in _CONTAINERS or len(content) >= min(wanted, 16) > 0:
            yield kind, content
        if kind in _CONTAINERS:
            ends.append(end)
        place = start if kind in _CONTAINERS else end
