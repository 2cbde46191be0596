"""Sheets of frames, text and colour bars, and how they become a GIF or an MP4."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from jaxtyping import Int, UInt8

if TYPE_CHECKING:
    from PIL.Image import Image

LINE, GAP = 26, 6
_FONT_SIZE, _BAR = 18, 14
_BLOCK = 4096  # colours whose distances from a palette are in memory at once


class Sheet:
    """A white picture to draw on.

    Attributes:
      image: The picture, of pillow.
    """

    def __init__(self, width: int, height: int):
        from PIL import Image, ImageDraw

        self.image = Image.new("RGB", (width, height), "white")
        self._pen = ImageDraw.Draw(self.image)

    def write(self, position: tuple[int, int], text: str, *, anchor: str) -> None:
        """Writes a line; the anchor is pillow's, "lm" for left and middle."""
        from PIL import ImageFont

        self._pen.text(position, text, fill="black", font=ImageFont.load_default(_FONT_SIZE), anchor=anchor)

    def paste(self, frame: UInt8[np.ndarray, "H W 3"], position: tuple[int, int], scale: int = 1) -> None:
        """Draws a frame, `scale` times as large, with its upper left corner at a position."""
        from PIL import Image

        height, width, _ = frame.shape
        size = (width * scale, height * scale)
        self.image.paste(Image.fromarray(frame).resize(size, Image.Resampling.NEAREST), position)

    def draw_bar(
        self,
        position: tuple[int, int],
        length: int,
        colours: UInt8[np.ndarray, "2 256 3"],
        ends: tuple[str, str],
        *,
        upright: bool,
    ) -> None:
        """Draws the colours over black and over white beside each other, and what the first and the last stand for."""
        from PIL import Image

        x, y = position
        picture = colours.transpose(1, 0, 2)[::-1] if upright else colours
        size = (_BAR, length) if upright else (length, _BAR)
        self.image.paste(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST), position)
        if upright:
            self.write((x + LINE - GAP, y + length), ends[0], anchor="lb")
            self.write((x + LINE - GAP, y), ends[1], anchor="lt")
        else:
            self.write((x, y + LINE + GAP), ends[0], anchor="lm")
            self.write((x + length, y + LINE + GAP), ends[1], anchor="rm")


def text_width(texts: Iterable[str]) -> int:
    """Width of the longest text in pixels."""
    from PIL import ImageFont

    font = ImageFont.load_default(_FONT_SIZE)
    return max(int(np.ceil(font.getlength(text))) for text in texts)


def write_gif(file: BinaryIO, images: Sequence["Image"], fps: float, scale: int) -> None:
    """Writes an endless GIF; every frame has the 256 colours that fit every `scale`-th of its rows and columns."""
    from PIL import Image

    # half the largest error of pillow's octree on smooth maps, no bands; dithering would double the file
    options: Any = dict(method=Image.Quantize.MAXCOVERAGE, kmeans=2)

    def quantized(image: Any) -> Any:
        size = (-(-image.width // scale), -(-image.height // scale))
        fitting = image.resize(size, Image.Resampling.NEAREST).quantize(**options).getpalette()
        frame = Image.fromarray(_nearest(np.asarray(image), np.reshape(fitting, (-1, 3))))
        frame.putpalette(fitting)
        return frame

    with ThreadPoolExecutor() as pool:  # neither pillow nor NumPy holds Python's lock while it computes
        first, *rest = pool.map(quantized, images)
    first.save(file, format="GIF", save_all=True, append_images=rest, duration=1000 / fps, loop=0)


def _nearest(picture: UInt8[np.ndarray, "H W 3"], palette: Int[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "H W"]:
    """The number of the palette's nearest colour for every pixel; pillow's own mapping makes white a light grey."""
    packed = picture.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    colours, places = np.unique(packed, return_inverse=True)
    numbers = np.empty(len(colours), np.uint8)
    known = palette.astype(np.float32)
    for first in range(0, len(colours), _BLOCK):
        rows = slice(first, first + _BLOCK)
        parts = (colours[rows, None] >> np.array([16, 8, 0], np.int32) & 255).astype(np.float32)
        numbers[rows] = np.argmin((known**2).sum(axis=1) - 2 * parts @ known.T, axis=1)
    return numbers[places].reshape(packed.shape)


def write_mp4(file: BinaryIO, images: Sequence["Image"], fps: float) -> None:
    """Writes an MP4, H.264 at a quality that no eye tells from the frames."""
    import av

    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height = images[0].size
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "16"}
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
