"""Videos: whatever PyAV opens; which frames a file shows, and the decoding of some of them alone."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxsal.core.extras import check_installed
from jaxsal.core.limits import PIXELS, check_limit
from jaxsal.datasets.recordings.container import open_container
from jaxsal.datasets.recordings.orientation import Orientation, of_display_matrix
from jaxsal.datasets.recordings.recording import RawFrame, Recording
from jaxsal.datasets.recordings.samples import SampleFormat, sample_format, samples_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Disposition
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_NO_VIDEO = ("tty",)  # FFmpeg shows text files as pictures of the text
_HIDDEN_FRAMES = ("vp8", "vp6", "vp6f", "vp6a")  # codecs with packets that give no frame
_WORTH_SEEKING = 32
"""Frames that are not wanted, up to the next key frame, from which on it is sought and they are not decoded."""


class _Frame(NamedTuple):
    """What the first frame says of all."""

    size: tuple[int, int]
    samples: SampleFormat
    orientation: Orientation


class _Index(NamedTuple):
    """The frames that a stream shows, in the order of their times.

    Attributes:
      stamps: Timestamp of each, in units of the stream; by number where the container has none.
      keys: Timestamps of the frames at which decoding can begin; empty where it must begin at the first.
      unit: Seconds of a unit of the timestamps; None where frames have no times.
      first: The first frame.
      end: Why the file ends early; empty if it is whole.
      notes: Sentences on what was chosen.
    """

    stamps: np.ndarray
    keys: np.ndarray
    unit: float | None
    first: _Frame
    end: str
    notes: tuple[str, ...]


def open_video(path: Path, stream: int | None = None) -> Recording:
    """Opens a video file; its packets are read, one frame is decoded.

    Raises:
      ValueError: If PyAV cannot read it, or it has no such stream.
    """
    check_installed("av")
    status = path.stat()
    index = _index(path, stream, status.st_size, status.st_mtime_ns)
    times = None if index.unit is None else (index.stamps - index.stamps[0]) * index.unit
    size = index.first.size[::-1] if index.first.orientation.swapped else index.first.size
    return Recording(
        path,
        size,
        len(index.stamps),
        partial(_decode, path, stream, index),
        times,
        index.first.samples.full_range,
        index.first.samples.is_converted,
        index.notes,
        index.end,
    )


@contextmanager
def _opened(path: Path, number: int | None) -> "Iterator[tuple[InputContainer, VideoStream]]":
    """The container and its video stream of a number, pictures of covers left out."""
    with open_container(path) as container:
        streams = [stream for stream in container.streams.video if not stream.disposition & _covers()]
        if not streams or container.format.name in _NO_VIDEO:
            raise ValueError(f"`path` must hold a video stream; got {path}.")
        if number is not None and number >= len(streams):
            raise ValueError(f"`stream` must be below {len(streams)}, the video streams of {path}; got {number}.")
        context = streams[number or 0].codec_context
        check_limit(PIXELS, path, context.width * context.height)
        streams[number or 0].thread_type = "AUTO"
        yield container, streams[number or 0]


def _covers() -> "Disposition":
    from av.stream import Disposition

    return Disposition.attached_pic | Disposition.timed_thumbnails


@lru_cache(maxsize=64)
def _index(path: Path, number: int | None, file_size: int, modified: int) -> _Index:
    """Reads the packets of a stream; decodes all of it only where packets do not tell which frames it shows."""
    import av

    num_read = 0
    try:
        with _opened(path, number) as (container, stream):
            notes = _notes(path, number, container, stream)
            unit = float(stream.time_base) if stream.time_base else None
            announced, can_skip = stream.frames, "mov" in container.format.name
            first = _first_frame(path, stream, container)
            check_limit(PIXELS, path, math.prod(first.size))  # the stream may say another size than its file
        with _opened(path, number) as (container, stream):
            stamps, keys, end = _packets(container, stream, file_size)
            num_read = len(stamps or ())
        if stamps is None or stream.codec_context.name in _HIDDEN_FRAMES:
            stamps, keys, end = _count_frames(path, number)
            num_read = len(stamps)
            rate = stream.average_rate
            unit = unit if _are_times(stamps) else (float(1 / rate) if rate else None)
            stamps = stamps if _are_times(stamps) else list(range(num_read))
    except av.FFmpegError as error:
        raise ValueError(
            f"`path` must be a whole, readable video; got {path}, "
            f"where decoding failed after {num_read} frames ({error.strerror})."
        ) from error
    if not end and num_read < announced and not can_skip:
        end = f"which announces {announced} frames and holds {num_read} (stop={num_read} reads those)"
    turned = first.orientation.text
    notes += (f"Frames of {path} are {turned}, as the file says.",) if turned else ()
    return _Index(np.sort(np.asarray(stamps)), np.sort(np.asarray(keys)), unit, first, end, notes)


def _first_frame(path: Path, stream: "VideoStream", container: "InputContainer") -> _Frame:
    frame = next(container.decode(stream), None)
    if frame is None:
        raise ValueError(f"`path` must hold at least one frame; got {path}.")
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")  # of which PyAV's types know nothing
    turned = of_display_matrix(None if matrix is None else bytes(matrix))
    return _Frame((frame.height, frame.width), sample_format(frame), turned)


def _packets(
    container: "InputContainer", stream: "VideoStream", file_size: int
) -> tuple[list[int] | None, list[int], str]:
    """Timestamps of the shown frames and of the key frames, and why the file ends early; no timestamps if doubtful."""
    import av

    stamps: list[int] = []
    keys: list[int] = []
    end = ""
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.pts is None or (not keys and not packet.is_keyframe):
                return None, [], ""
            if packet.is_corrupt:
                end = "is cut"
                break
            if packet.is_keyframe:
                keys.append(packet.pts)
            if not packet.is_discard:
                stamps.append(packet.pts)
    except av.FFmpegError:
        end = "is cut"
    if len(set(stamps)) < len(stamps) or not stamps:
        return None, [], ""
    beyond = any(entry.pos + entry.size > file_size for entry in stream.index_entries)
    if end or beyond:
        end = f"where decoding failed after {len(stamps)} frames: the file is cut off (stop={len(stamps)} reads those)"
    return stamps, keys, end


def _count_frames(path: Path, number: int | None) -> tuple[list[Any], list[int], str]:
    """Decodes a whole stream for the timestamps of its frames."""
    import av

    stamps: list[Any] = []
    try:
        with _opened(path, number) as (container, stream):
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise av.error.InvalidDataError(0, "corrupt frame", str(path))
                stamps.append(frame.pts)
    except av.FFmpegError:
        if not stamps:
            raise
        end = f"where decoding failed after {len(stamps)} frames (stop={len(stamps)} reads those)"
        return stamps, [], end
    return stamps, [], ""


def _are_times(stamps: list[Any]) -> bool:
    return None not in stamps and all(early < late for early, late in pairwise(stamps))


def _notes(path: Path, number: int | None, container: "InputContainer", stream: "VideoStream") -> tuple[str, ...]:
    notes = []
    count = sum(not other.disposition & _covers() for other in container.streams.video)
    if count > 1 and number is None:
        notes.append(f"{path} has {count} video streams; stream 0 is read, `stream` picks another.")
    ratio = stream.sample_aspect_ratio
    if ratio and ratio != 1:
        notes.append(f"Pixels of {path} are {ratio} times as wide as high; they are used as squares.")
    return tuple(notes)


def _decode(path: Path, number: int | None, index: _Index, indices: Sequence[int]) -> Iterator[RawFrame]:
    """Decodes each run of wanted frames from the nearest key frame before it to its last frame."""
    import av

    missing = iter(indices)
    try:
        with _opened(path, number) as (container, stream):
            for first, run in _runs(index, indices):
                frames = _frames_from(first, container, stream, index, path)
                for wanted in run:
                    frame = next((frame for at, frame in frames if at == wanted), None)
                    if frame is None:
                        raise av.error.InvalidDataError(0, "no such frame came out of the decoder", str(path))
                    yield np.ascontiguousarray(index.first.orientation.apply(samples_of(frame)))
                    next(missing)
    except av.FFmpegError as error:
        raise ValueError(
            f"`path` must be a whole, readable video; got {path}, where decoding failed at frame {next(missing)} "
            f"({error.strerror})."
        ) from error


def _runs(index: _Index, wanted: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """Parts of increasing numbers of frames, each with the frame at which its decoding begins.

    A part ends where a key frame lies so far ahead that going there takes less than decoding what lies between.
    """
    numbers = np.asarray(wanted, int)
    if len(numbers) == 0:
        return
    keys = np.unique(np.r_[0, np.searchsorted(index.stamps, index.keys[index.keys >= index.stamps[0]])])
    first = keys[np.searchsorted(keys, numbers, side="right") - 1]
    edges = 1 + np.flatnonzero(first[1:] - numbers[:-1] > _WORTH_SEEKING)
    for run in np.split(np.arange(len(numbers)), edges):
        yield int(first[run[0]]), [int(number) for number in numbers[run]]


def _frames_from(
    first: int, container: "InputContainer", stream: "VideoStream", index: _Index, path: Path
) -> Iterator[tuple[int, "VideoFrame"]]:
    """Decodes the shown frames from a key frame on, with their numbers, until one does not have its time."""
    import av

    if first:
        container.seek(int(index.stamps[first]), stream=stream)
    at = first
    for frame in container.decode(stream):
        if frame.is_corrupt:
            raise av.error.InvalidDataError(0, "corrupt frame", str(path))
        if len(index.keys):
            if frame.pts < index.stamps[at]:
                continue  # before the key frame; may lack what it refers to
            if frame.pts != index.stamps[at]:
                return
        yield at, frame
        at += 1
        if at == len(index.stamps):
            return
