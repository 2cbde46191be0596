"""Recordings as arrays of NumPy: .npy, or .npz with one array of frames and, optionally, their seconds."""

import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import numpy as np

from jaxsal.core.arrays import parse_npy, read_entry
from jaxsal.core.limits import UNPACKED, TooLargeError, check_limit
from jaxsal.datasets.recordings.recording import RawFrame, Recording
from jaxsal.datasets.recordings.values import FULL_RANGES

ARRAY_SUFFIXES = (".npy", ".npz")
TIME_NAMES = ("seconds", "times")


def open_array(path: Path, pattern: str | None = None) -> Recording:
    """Opens an array file, (L, H, W), (L, H, W, 1) or (L, H, W, 3).

    Args:
      path: The file; frames of a .npy file are read when they are needed.
      pattern: Name of the array in an .npz file that holds several, such as "ir*".

    Raises:
      ValueError: If the file cannot be read, or holds no frames or several arrays of frames.
    """
    array, times = _load(path, pattern)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] not in (1, 3)):
        raise ValueError(f"`path` must hold (L, H, W) or (L, H, W, 3) values; got {path}, with {array.shape}.")
    if 0 in array.shape:
        raise ValueError(f"`path` must hold at least one frame; got {path}, with {array.shape}.")
    length, height, width = array.shape[:3]
    full_range = FULL_RANGES.get(array.dtype.name)
    return Recording(path, (height, width), length, partial(_take, array), times, full_range)


def _take(array: np.ndarray, indices: Sequence[int]) -> Iterator[RawFrame]:
    for index in indices:
        frame = np.asarray(array[index])
        yield frame[..., 0] if frame.shape[2:] == (1,) else frame


def _load(path: Path, pattern: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The frames, and their seconds from the first where an .npz file holds them."""
    try:
        if path.suffix.lower() == ".npy":
            return np.lib.format.open_memmap(path, mode="r"), None
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            check_limit(UNPACKED, path, sum(e.file_size for e in entries if e.compress_type != zipfile.ZIP_STORED))
            arrays = {entry.filename.removesuffix(".npy"): parse_npy(read_entry(archive, entry)) for entry in entries}
    except TooLargeError:
        raise
    except Exception as error:  # zipfile and NumPy raise many kinds for files of others
        raise ValueError(f"`path` must be a readable array file; got {path} ({error}).") from error
    videos = [name for name, array in arrays.items() if array.ndim in (3, 4) and fnmatch(name, pattern or "*")]
    if len(videos) != 1:
        remedy = "; `pattern` picks one" if len(videos) > 1 else ""
        raise ValueError(
            f"`path` must hold one array of 3 or 4 axes; got {path}, with {videos} of {list(arrays)}{remedy}."
        )
    frames = arrays[videos[0]]
    for name in TIME_NAMES:
        times = arrays.get(name, np.empty(0))
        if times.shape == frames.shape[:1] and times.dtype.kind in "iuf" and (np.diff(times) > 0).all():
            return frames, (times - times[0]).astype(np.float64)
    return frames, None
