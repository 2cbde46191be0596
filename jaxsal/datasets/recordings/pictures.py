"""One picture of a file, with its samples as stored: 8 bits or more, grey or colour, integers or floating point."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxsal.core.extras import check_installed
from jaxsal.core.limits import FRAMES, PIXELS, check_limit
from jaxsal.datasets.recordings.orientation import Orientation, of_exif
from jaxsal.datasets.recordings.recording import RawFrame
from jaxsal.datasets.recordings.tiff import BITS, ORIENTATION, check_bands, count_tiff_pages, is_tiff, read_tiff
from jaxsal.datasets.recordings.unfit import UnfitError, reading_pictures

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".apng", ".avif", ".jp2", ".j2k"),
    *(".pgm", ".ppm", ".pnm", ".pbm", ".pfm", ".tga"),
)
_SMALLEST = 14  # bytes of a picture of a GIF, which has the smallest


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
      UnfitError: If it cannot be read, or has bands beyond grey or RGB and an alpha channel.
      TooLargeError: If it announces more pixels than the limit.
      MissingPackageError: If a package that reads its samples as stored is not installed.
    """
    try:
        with reading_pictures(path):
            picture = _read_with_pillow(path, page)
    except UnfitError:  # among TIFFs are kinds of samples that Pillow does not know
        if not is_tiff(path):
            raise
        picture = None
    return Picture(*read_tiff(path, page)) if picture is None else picture


def _read_with_pillow(path: Path, page: int) -> Picture | None:
    """A picture of a file; None for a TIFF whose samples Pillow would not keep."""
    from PIL import Image
    from PIL.TiffImagePlugin import TiffImageFile

    with Image.open(path) as image:
        check_limit(PIXELS, path, image.width * image.height)
        image.seek(page)
        if isinstance(image, TiffImageFile):
            check_bands(path, image.tag_v2)
            orientation = of_exif(image.tag_v2.get(ORIENTATION))
            is_kept = max(image.tag_v2.get(BITS, (1,))) <= 8 or image.mode.startswith("I") or image.mode == "F"
            return Picture(_samples(image), orientation) if is_kept else None  # loading turns the picture
        orientation = of_exif(image.getexif().get(ORIENTATION))
        samples = _deep_colour(path) if _is_deep_colour(image) else _samples(image)
    return Picture(np.ascontiguousarray(orientation.apply(samples)), orientation)


def count_pictures(path: Path) -> int:
    """The pictures of a file; 1 where it cannot be read, which reading then says.

    Raises:
      TooLargeError: If it announces more pictures than the limit.
      UnfitError: If it announces more pictures than its bytes can hold.
    """
    from PIL import Image

    try:
        with reading_pictures(path), Image.open(path) as image:
            count = int(getattr(image, "n_frames", 1))
    except UnfitError:
        return count_tiff_pages(path) if is_tiff(path) else 1
    check_limit(FRAMES, path, count)
    size = path.stat().st_size
    if count > 1 and count * _SMALLEST > size:
        raise UnfitError(
            f"`path` must be whole; got {path}, which announces {count:,} pictures and has {size:,} bytes."
        )
    return count


def _samples(image: "ImageFile") -> np.ndarray:
    """What Pillow keeps as it is: grey of up to 32 bits and all pictures of 8 bits."""
    if image.mode == "I" and image.format == "PPM":  # Pillow stretches samples to 16 bits
        largest = _ppm_maximum(image)
        return np.rint(np.asarray(image) * (largest / 65535)).astype(np.uint16)
    if image.mode.startswith("I") or image.mode == "F":
        return np.asarray(image)
    return np.asarray(image.convert("RGB"))


def _ppm_maximum(image: "ImageFile") -> int:
    """The sample of white, in the header of a .pgm or .ppm file."""
    with open(image.filename, "rb") as file:
        head = file.read(1024)
    words: list[bytes] = []
    for line in head.split(b"\n"):
        words += line.partition(b"#")[0].split()
        if len(words) >= 4:
            break
    return int(words[3])


def _png_bits(image: "ImageFile") -> int:
    """Bits of a sample, byte 24 of a PNG file."""
    with open(image.filename, "rb") as file:
        return file.read(25)[24]


def _is_deep_colour(image: "ImageFile") -> bool:
    """Whether Pillow would cut the samples to 8 bits."""
    if image.format == "PNG":
        return _png_bits(image) == 16 and not image.mode.startswith("I")
    if image.format == "PPM":
        return image.mode == "RGB" and _ppm_maximum(image) > 255
    return image.format == "JPEG2000" and image.mode not in ("L", "I;16")


def _deep_colour(path: Path) -> np.ndarray:
    """Decodes a picture with FFmpeg, which keeps 16 bits a colour."""
    check_installed("av")
    from jaxsal.datasets.recordings.container import open_container
    from jaxsal.datasets.recordings.samples import samples_of

    with open_container(path) as container:
        return samples_of(next(container.decode(video=0)))
