"""Pages of TIFF files, with samples of any depth, by tifffile."""

import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxsal.core.extras import check_installed
from jaxsal.core.limits import PIXELS, check_limit
from jaxsal.datasets.recordings.orientation import Orientation, of_exif
from jaxsal.datasets.recordings.recording import RawFrame
from jaxsal.datasets.recordings.unfit import UnfitError, reading_pictures

BITS, ORIENTATION = 258, 274
_PHOTOMETRIC, _DESCRIPTION, _SAMPLES, _PLANES, _EXTRA = 262, 270, 277, 284, 338
_COLOURS = {2: 3, 5: 4, 6: 3, 8: 3}  # of photometric interpretations; the others are grey or a palette
_ALPHAS = ((1,), (2,))
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_UNPACKERS: dict[int, Callable[[], Any]] = {
    8: zlib.decompressobj,
    32946: zlib.decompressobj,
    34925: lzma.LZMADecompressor,
}
"""By number of a compression that packs a thousandfold and more; each gives at most as many bytes as it is asked."""


def is_tiff(path: Path) -> bool:
    """Whether a file begins as TIFF files do."""
    with path.open("rb") as file:
        return file.read(4) in _MAGIC


def count_tiff_pages(path: Path) -> int:
    """The pages of a file; 1 where it cannot be read, which reading then says."""
    check_installed("tifffile")
    import tifffile

    try:
        with reading_pictures(path), tifffile.TiffFile(path) as file:
            return len(file.pages)
    except UnfitError:
        return 1


def read_tiff(path: Path, page: int) -> tuple[RawFrame, Orientation]:
    """A page as it is shown, and how it was turned; errors as of `read_picture`."""
    check_installed("tifffile")
    import tifffile

    with reading_pictures(path), tifffile.TiffFile(path) as file:
        chosen: Any = file.pages[page]
        tags = {tag.code: tag.value for tag in chosen.tags.values()}
        check_bands(path, tags)
        check_limit(PIXELS, path, int(chosen.imagewidth) * int(chosen.imagelength))
        _check_strips(path, chosen)
        samples = chosen.asarray()
        if tags.get(_PLANES) == 2 and samples.ndim == 3:  # planes one after another
            samples = np.moveaxis(samples, 0, -1)
        orientation = of_exif(int(tags.get(ORIENTATION, 1)))
    samples = samples[..., :3] if samples.ndim == 3 else samples
    return np.ascontiguousarray(orientation.apply(samples)), orientation


def _check_strips(path: Path, page: Any) -> None:
    """Raises UnfitError if a strip or tile of a page is not all in the file, or unpacks to more than it must hold."""
    places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if any(offset + count > path.stat().st_size for offset, count in places):
        raise UnfitError(f"`path` must hold whole images; got {path}, whose strips go beyond its end.")
    if page.compression not in _UNPACKERS:
        return
    most = int(np.prod(page.chunks)) * page.dtype.itemsize
    with path.open("rb") as file:
        for offset, count in places:
            file.seek(offset)
            if len(_UNPACKERS[page.compression]().decompress(file.read(count), most + 1)) > most:
                raise UnfitError(f"`path` must hold whole images; got {path}, where a strip of {most} bytes has more.")


def check_bands(path: Path, tags: Mapping[int, Any]) -> None:
    """Raises UnfitError if a page of a TIFF has bands that are neither colours nor alpha, or its pages are channels."""
    bands = int(tags.get(_SAMPLES, 1))
    extra = tags.get(_EXTRA, ())
    extra = tuple(map(int, extra)) if isinstance(extra, tuple | list) else (int(extra),)
    colours = _COLOURS.get(int(tags.get(_PHOTOMETRIC, 1)), 3 if bands == 3 else 1)
    if bands != colours and not (bands == colours + 1 and extra in _ALPHAS):
        raise UnfitError(
            f"`path` must hold grey or RGB pictures; got {path}, with {bands} bands. Save the bands to use, one or "
            "three, as an array (L, H, W) or (L, H, W, 3) in a .npy file."
        )
    channels = str(tags.get(_DESCRIPTION, "")).partition("channels=")[2].split("\n")[0]
    if channels.isdecimal() and int(channels) > 1:
        raise UnfitError(
            f"`path` must hold one picture a page; got {path}, whose pages are {channels} channels in turn. "
            "Save each channel as a file."
        )
