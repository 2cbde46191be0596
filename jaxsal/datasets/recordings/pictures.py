"""One picture of a file, with its samples as stored: 8 bits or more, grey or colour, integers or floating point."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsal.core.extras import check_installed
from jaxsal.core.limits import FRAMES, PIXELS, TooLargeError, check_limit
from jaxsal.datasets.recordings.orientation import Orientation, of_exif
from jaxsal.datasets.recordings.recording import RawFrame

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".apng", ".avif", ".jp2", ".j2k"),
    *(".pgm", ".ppm", ".pnm", ".pbm", ".pfm", ".tga"),
)
_BITS, _PHOTOMETRIC, _DESCRIPTION, _ORIENTATION, _SAMPLES, _PLANES, _EXTRA = 258, 262, 270, 274, 277, 284, 338
_COLOURS = {2: 3, 5: 4, 6: 3, 8: 3}  # of TIFF's photometric interpretations; the others are grey or a palette
_ALPHAS = ((1,), (2,))


class Picture(NamedTuple):
    """One picture as it is shown.

    Attributes:
      samples: Grey (H, W) or colour (H, W, 3).
      orientation: How it was turned.
    """

    samples: RawFrame
    orientation: Orientation


def read_picture(path: Path, page: int = 0) -> Picture:
    """Reads one picture of a file and turns it as its tag says.

    Raises:
      ValueError: If it cannot be read, or has bands beyond grey or RGB and an alpha channel.
      MissingPackageError: If a package that reads its samples as stored is not installed.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            check_limit(PIXELS, path, image.width * image.height)
            image.seek(page)
            if image.format == "TIFF":
                return _read_tiff(path, image, page)
            orientation = of_exif(image.getexif().get(_ORIENTATION))
            samples = _deep_colour(path) if _is_deep_colour(image) else _samples(image)
    except _errors() as error:
        if path.suffix.lower() in (".tif", ".tiff"):  # kinds of samples that Pillow does not know
            return _read_tiff(path, None, page)
        raise ValueError(f"`path` must hold readable images; got {path} ({error}).") from error
    return Picture(np.ascontiguousarray(orientation.apply(samples)), orientation)


def count_pictures(path: Path) -> int:
    """The pictures of a file; 1 where it cannot be read, which reading then says."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            count = int(getattr(image, "n_frames", 1))
            check_limit(FRAMES, path, count)
            return count
    except _errors():
        return _count_tiff_pages(path) if path.suffix.lower() in (".tif", ".tiff") else 1


def _errors() -> tuple[type[Exception], ...]:
    from PIL import Image, UnidentifiedImageError

    return UnidentifiedImageError, OSError, SyntaxError, EOFError, Image.DecompressionBombError


def _samples(image: Any) -> np.ndarray:
    """What Pillow keeps as it is: grey of up to 32 bits and all pictures of 8 bits."""
    if image.mode == "I" and image.format == "PPM":  # Pillow stretches samples to 16 bits
        largest = _ppm_maximum(image)
        return np.rint(np.asarray(image) * (largest / 65535)).astype(np.uint16)
    if image.mode.startswith("I") or image.mode == "F":
        return np.asarray(image)
    return np.asarray(image.convert("RGB"))


def _ppm_maximum(image: Any) -> int:
    """The sample of white, in the header of a .pgm or .ppm file."""
    with Path(image.filename).open("rb") as file:
        head = file.read(1024)
    words: list[bytes] = []
    for line in head.split(b"\n"):
        words += line.partition(b"#")[0].split()
        if len(words) >= 4:
            break
    return int(words[3])


def _png_bits(image: Any) -> int:
    """Bits of a sample, byte 24 of a PNG file."""
    with Path(image.filename).open("rb") as file:
        return file.read(25)[24]


def _is_deep_colour(image: Any) -> bool:
    """Whether Pillow would cut the samples to 8 bits."""
    if image.format == "PNG":
        return _png_bits(image) == 16 and not image.mode.startswith("I")
    if image.format == "PPM":
        return image.mode == "RGB" and _ppm_maximum(image) > 255
    return image.format == "JPEG2000" and image.mode not in ("L", "I;16")


def _deep_colour(path: Path) -> np.ndarray:
    """Decodes a picture with FFmpeg, which keeps 16 bits a colour."""
    check_installed("av")
    import av

    from jaxsal.datasets.recordings.samples import samples_of

    try:
        with av.open(path) as container:
            return samples_of(next(container.decode(video=0)))
    except (av.FFmpegError, StopIteration) as error:
        raise ValueError(f"`path` must hold readable images; got {path} ({error}).") from error


def _read_tiff(path: Path, image: Any, page: int) -> Picture:
    """A page of a TIFF: with Pillow where it keeps the samples, else with tifffile."""
    if image is not None:
        _check_bands(path, image.tag_v2)
        orientation = of_exif(image.tag_v2.get(_ORIENTATION))
        if max(image.tag_v2.get(_BITS, (1,))) <= 8 or image.mode.startswith("I") or image.mode == "F":
            samples = _samples(image)  # loading turns the picture
            return Picture(samples, orientation)
    check_installed("tifffile")
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            tags = {tag.code: tag.value for tag in file.pages[page].tags.values()}  # type: ignore[union-attr]
            _check_bands(path, tags)
            check_limit(PIXELS, path, int(tags.get(256, 0)) * int(tags.get(257, 0)))
            samples = file.pages[page].asarray()
            if tags.get(_PLANES) == 2 and samples.ndim == 3:  # planes one after another
                samples = np.moveaxis(samples, 0, -1)
    except TooLargeError:
        raise
    except (tifffile.TiffFileError, ValueError, IndexError, OSError) as error:
        raise ValueError(f"`path` must hold readable images; got {path} ({error}).") from error
    colours = 3 if samples.ndim == 3 else 1
    orientation = of_exif(int(tags.get(_ORIENTATION, 1)))
    samples = samples[..., :colours] if colours == 3 else samples
    return Picture(np.ascontiguousarray(orientation.apply(samples)), orientation)


def _check_bands(path: Path, tags: Any) -> None:
    """Raises ValueError if a page of a TIFF has bands that are neither colours nor alpha, or its pages are channels."""
    bands = int(tags.get(_SAMPLES, 1))
    extra = tags.get(_EXTRA, ())
    extra = tuple(map(int, extra)) if isinstance(extra, tuple | list) else (int(extra),)
    colours = _COLOURS.get(int(tags.get(_PHOTOMETRIC, 1)), 3 if bands == 3 else 1)
    if bands != colours and not (bands == colours + 1 and extra in _ALPHAS):
        raise ValueError(
            f"`path` must hold grey or RGB pictures; got {path}, with {bands} bands. Save the bands to use, one or "
            "three, as an array (L, H, W) or (L, H, W, 3) in a .npy file."
        )
    channels = str(tags.get(_DESCRIPTION, "")).partition("channels=")[2].split("\n")[0]
    if channels.isdecimal() and int(channels) > 1:
        raise ValueError(
            f"`path` must hold one picture a page; got {path}, whose pages are {channels} channels in turn. "
            "Save each channel as a file."
        )


def _count_tiff_pages(path: Path) -> int:
    check_installed("tifffile")
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return len(file.pages)
    except (tifffile.TiffFileError, ValueError, OSError):
        return 1
