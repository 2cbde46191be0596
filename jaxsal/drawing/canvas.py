"""A canvas for frames, text and colour bars, and animations of such canvases.

Pillow draws, not matplotlib: a frame is enlarged by a whole number, so that all its pixels are equally large, and the
16 frames of an animation take half a second, not eight.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from jaxtyping import UInt8

from jaxsal.core.extras import check_installed
from jaxsal.drawing.colours import Bar

if TYPE_CHECKING:
    from av import VideoFrame
    from PIL.Image import Image

LINE, GAP = 26, 6
_FONT_SIZE, _BAR = 18, 14


class Canvas:
    """A white picture to draw on.

    Attributes:
      image: The picture, of pillow.
    """

    def __init__(self, width: int, height: int):
        from PIL import Image, ImageDraw

        self.image = Image.new("RGB", (width, height), "white")
        self._pen = ImageDraw.Draw(self.image)

    def write(self, position: tuple[int, int], text: str, *, anchor: str) -> None:
        """Writes one line or more; the anchor is pillow's, "lm" for left and middle."""
        from PIL import ImageFont

        font = ImageFont.load_default(_FONT_SIZE)
        self._pen.text(position, text, fill="black", font=font, anchor=anchor, align="right")

    def paste(self, picture: UInt8[np.ndarray, "h w 3"], position: tuple[int, int], size: tuple[int, int]) -> None:
        """Draws a picture, resized to (width, height) without blending pixels, its upper left corner at a position."""
        from PIL import Image

        self.image.paste(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST), position)

    def draw_bar(self, position: tuple[int, int], length: int, bar: Bar, *, upright: bool) -> None:
        """Draws the colours over black and over white beside each other, their limits, an arrow for more."""
        (x, y), (low, high), colours = position, bar.ends, bar.colours()
        arrow = _BAR // 2 if bar.beyond else 0
        if upright:
            self.paste(colours.transpose(1, 0, 2)[::-1], (x, y + arrow), (_BAR, length - arrow))
            tip = [(x, y + arrow), (x + _BAR - 1, y + arrow), (x + _BAR // 2, y)]
            self.write((x + LINE - GAP, y + length), low, anchor="lb")
            self.write((x + LINE - GAP, y), high, anchor="lt")
        else:
            self.paste(colours, position, (length - arrow, _BAR))
            right = x + length - arrow
            tip = [(right, y), (right, y + _BAR - 1), (right + arrow, y + _BAR // 2)]
            self.write((x, y + LINE + GAP), low, anchor="lm")
            self.write((x + length, y + LINE + GAP), high, anchor="rm")
        if bar.beyond:
            self._pen.polygon(tip, fill=tuple(colours[0, -1].tolist()))


def text_width(texts: Iterable[str]) -> int:
    """Width of the longest text in pixels."""
    from PIL import ImageFont

    font = ImageFont.load_default(_FONT_SIZE)
    return max(int(np.ceil(font.getlength(text))) for text in texts)


def write_animation(file: BinaryIO, images: Iterable["Image"], fps: float, kind: str) -> None:
    """Writes an endless GIF ("gif"), or an MP4 ("mp4"): H.264 at a quality that no eye tells from the frames.

    Images of an MP4 are taken one by one; a GIF needs all of them for its colours.

    Raises:
      OSError: If the file cannot be written.
    """
    check_installed("av")
    import av

    rate = Fraction(fps).limit_denominator(1000)
    numbered = _frames(images, rate)
    first = next(numbered)
    frames: Iterable[av.VideoFrame] = chain([first], numbered)
    with _errors_of_the_file(), av.open(file, "w", format=kind) as container:
        stream = container.add_stream("gif" if kind == "gif" else "libx264", rate=rate)
        stream.width, stream.height = first.width, first.height
        if kind == "gif":
            stream.pix_fmt, frames = "pal8", _with_palette(list(frames))
        else:
            stream.pix_fmt, stream.options = "yuv420p", {"crf": "16", "preset": "veryfast"}
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@contextmanager
def _errors_of_the_file() -> Iterator[None]:
    """Raises the error of the file that is written to in the place of PyAV's, which says nothing of it."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        behind: BaseException | None = error
        while isinstance(behind, av.FFmpegError):
            behind = behind.__context__
        raise behind if isinstance(behind, OSError) else error from None


def _frames(images: Iterable["Image"], rate: Fraction) -> Iterator["VideoFrame"]:
    import av

    for number, image in enumerate(images):
        frame = av.VideoFrame.from_image(image)
        frame.pts, frame.time_base = number, 1 / rate
        yield frame


def _with_palette(frames: Sequence["VideoFrame"]) -> list["VideoFrame"]:
    """The frames in the 256 colours that fit all of them best; dithering would double the file."""
    from av import VideoFormat
    from av.filter import Graph

    first, graph = frames[0], Graph()
    source = graph.add_buffer(
        width=first.width, height=first.height, format=VideoFormat("rgb24"), time_base=first.time_base
    )
    split, palette, mapped = graph.add("split"), graph.add("palettegen"), graph.add("paletteuse", "dither=none")
    source.link_to(split)
    split.link_to(mapped, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(mapped, 0, 1)
    mapped.link_to(graph.add("buffersink"))
    graph.configure()
    for frame in (*frames, None):
        graph.vpush(frame)
    return [graph.vpull() for _ in frames]
