"""Recordings as pictures: a folder of numbered ones, or a file of several pages or an animation."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from jaxsal.datasets.recordings.pictures import IMAGE_SUFFIXES, count_pictures, read_picture
from jaxsal.datasets.recordings.recording import RawFrame, Recording
from jaxsal.datasets.recordings.tiff import is_tiff
from jaxsal.datasets.recordings.unfit import reading_pictures
from jaxsal.datasets.recordings.values import FULL_RANGES

_PAGED = (".tif", ".tiff", ".webp", ".gif", ".apng")
_NUMBER = re.compile(r"\d+")

Page = tuple[Path, int]


def open_folder(folder: Path, pattern: str | None = None) -> Recording:
    """Opens a folder of pictures, in the order of the numbers in their names; a file of several pages gives them all.

    Args:
      folder: The folder.
      pattern: Which of its files are meant, such as "*_T.JPG", in any case; all pictures if None.

    Raises:
      ValueError: If there is no picture, or the names are of several series.
    """
    paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
    if not paths:
        raise ValueError(f"`path` must hold images ({' '.join(IMAGE_SUFFIXES)}); got {folder}{_what_is_there(folder)}.")
    if pattern is not None:
        named, paths = paths, [path for path in paths if fnmatchcase(path.name.casefold(), pattern.casefold())]
        if not paths:
            raise ValueError(f"`pattern` must match files of {folder}, such as {named[0].name}; got {pattern!r}.")
    elif len(series := series_of([path.name for path in paths])) > 1:
        raise ValueError(
            f"`path` must hold one series of images; got {folder}, with {' and '.join(series)}. "
            f"`pattern` picks one, such as {series[0]!r}; '*' takes all as one."
        )
    paths.sort(key=_natural_key)
    has_pages = {path.suffix.lower() for path in paths if path.suffix.lower() in _PAGED}
    if paths[0].suffix.lower() not in has_pages and count_pictures(paths[0]) > 1:
        has_pages.add(paths[0].suffix.lower())  # animated PNG
    pages = [
        (path, page)
        for path in paths
        for page in range(count_pictures(path) if path.suffix.lower() in has_pages else 1)
    ]
    return _open_pages(folder, pages)


def open_pages(path: Path) -> Recording:
    """Opens a file of several pictures: a TIFF of several pages, an animated WebP, PNG or GIF.

    Raises:
      ValueError: If it has one picture alone, or cannot be read.
    """
    count = count_pictures(path)
    if count < 2:
        read_picture(path)
        raise ValueError(f"`path` must hold several frames; got {path}, one picture: give the folder that it is in.")
    return _open_pages(path, [(path, page) for page in range(count)], _seconds(path, count))


def _open_pages(path: Path, pages: Sequence[Page], times: np.ndarray | None = None) -> Recording:
    first, orientation = read_picture(*pages[0])
    turned = orientation.text
    notes = [f"Frames of {path} are {turned}, as {pages[0][0].name} says."] if turned else []
    if _is_radiometric_jpeg(pages[0][0]):
        notes.append(
            f"{pages[0][0]} has a thermal camera's raw values beside its picture; the picture is read. "
            "Export the raw values as TIFF to use those."
        )
    height, width = first.shape[:2]
    full_range = FULL_RANGES.get(first.dtype.name)
    return Recording(path, (height, width), len(pages), partial(_take, pages), times, full_range, notes=tuple(notes))


def _take(pages: Sequence[Page], indices: Sequence[int]) -> Iterator[RawFrame]:
    for index in indices:
        yield read_picture(*pages[index]).samples


def _seconds(path: Path, count: int) -> np.ndarray | None:
    """When each picture of an animation is shown, in seconds; None for pages of a TIFF."""
    from PIL import Image

    if is_tiff(path):
        return None
    durations = []
    with reading_pictures(path), Image.open(path) as image:
        for page in range(count):
            image.seek(page)
            image.load()
            durations.append(float(image.info.get("duration", 0)))
    starts = np.cumsum([0.0, *durations[:-1]]) / 1000
    return starts if (np.diff(starts) > 0).all() else None


def _is_radiometric_jpeg(path: Path) -> bool:
    from PIL import Image, UnidentifiedImageError

    if path.suffix.lower() not in (".jpg", ".jpeg"):
        return False
    try:
        with Image.open(path) as image:
            return any(content.startswith(b"FLIR\0") for _, content in getattr(image, "applist", ()))
    except (UnidentifiedImageError, OSError):
        return False


def _what_is_there(folder: Path) -> str:
    """Of a folder without pictures, the first entries, for a message; empty if it is empty."""
    entries = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if path.name[0] != ".")
    return f", which holds {', '.join(entries[:4])}{', ...' * (len(entries) > 4)}" if entries else ", which is empty"


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Sorts frame_2 before frame_10, and frame_2 as frame_02."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def series_of(names: Sequence[str]) -> list[str]:
    """The series of frames that file names are of, each as a pattern such as "*_T.JPG"; in order of their names.

    Names of one series differ in their numbers alone. Where several numbers change and every value of one comes with
    all values of the others, as of two cameras, that number tells series apart.
    """
    by_words: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        words = _NUMBER.sub("*", name)
        by_words[words.casefold() if "*" in words else "*"].append(name)
    if len(by_words) > 1:
        return [
            _shortest(of[0], [name for other in by_words.values() if other is not of for name in other])
            for of in by_words.values()
        ]
    return _cameras(next(iter(by_words.values())))


def _shortest(name: str, others: Sequence[str]) -> str:
    """A pattern for the names like one name: its ending with as many words as tell it from others."""
    parts = _NUMBER.split(name)
    for pattern in (f"*{parts[-1]}", f"{parts[0]}*", f"{parts[0]}*{parts[-1]}"):
        if not any(fnmatchcase(other.casefold(), pattern.casefold()) for other in others):
            return pattern
    return "*".join(parts)


def _cameras(names: Sequence[str]) -> list[str]:
    numbers = np.array([tuple(map(int, _NUMBER.findall(name))) for name in names], dtype=object).reshape(len(names), -1)
    changing = [column for column in range(numbers.shape[1]) if len(set(numbers[:, column])) > 1]
    values = [sorted(set(numbers[:, column])) for column in changing]
    rows = {tuple(row) for row in numbers[:, changing]}
    if len(changing) < 2 or rows != set(product(*values)):
        return ["*"]
    tells = changing[int(np.argmin([len(of_column) for of_column in values]))]
    patterns: dict[str, None] = {}
    for name in names:
        matches = list(_NUMBER.finditer(name))
        pieces, end = [], 0
        for column, match in enumerate(matches):
            pieces += [name[end : match.start()], match[0] if column == tells else "*"]
            end = match.end()
        patterns["".join([*pieces, name[end:]])] = None
    return list(patterns)
