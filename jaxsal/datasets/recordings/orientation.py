"""How a picture is turned for viewing, as its file says: by EXIF's tag, or by the display matrix of a video."""

import struct
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped


class Orientation(NamedTuple):
    """Rows and columns swapped, then rows and columns flipped.

    Attributes:
      swapped: Whether rows become columns.
      rows_flipped: Whether the last row becomes the first.
      columns_flipped: Whether the last column becomes the first.
    """

    swapped: bool = False
    rows_flipped: bool = False
    columns_flipped: bool = False

    def apply(self, frame: Shaped[np.ndarray, "H W *C"]) -> Shaped[np.ndarray, "H2 W2 *C"]:
        """The frame as a viewer shows it."""
        turned = frame.swapaxes(0, 1) if self.swapped else frame
        turned = turned[::-1] if self.rows_flipped else turned
        return turned[:, ::-1] if self.columns_flipped else turned

    @property
    def text(self) -> str:
        """Says how frames are turned; empty if they are not."""
        return _TEXTS[self]


UPRIGHT = Orientation()
_TEXTS = {
    UPRIGHT: "",
    Orientation(False, False, True): "mirrored",
    Orientation(False, True, True): "turned by 180 degrees",
    Orientation(False, True, False): "turned upside down and mirrored",
    Orientation(True, False, False): "turned by 90 degrees and mirrored",
    Orientation(True, False, True): "turned by 90 degrees clockwise",
    Orientation(True, True, True): "turned by 270 degrees and mirrored",
    Orientation(True, True, False): "turned by 90 degrees counterclockwise",
}
_EXIF = dict(enumerate(_TEXTS, start=1))  # in the order of EXIF's numbers


def of_exif(number: int | None) -> Orientation:
    """That of EXIF's tag 274; upright where it is missing or no number of EXIF."""
    return _EXIF.get(number or 1, UPRIGHT)


def of_display_matrix(matrix: bytes | None) -> Orientation:
    """That of a video's display matrix, x' = a x + c y and y' = b x + d y; angles between are taken as the nearest."""
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = struct.unpack("=9i", matrix)[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, rows_flipped=d < 0, columns_flipped=a < 0)
    return Orientation(True, rows_flipped=b < 0, columns_flipped=c < 0)
