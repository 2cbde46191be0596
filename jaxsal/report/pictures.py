"""Saliency maps as pictures: coloured over the clip, as a strip of frames or as an animation."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from jaxtyping import Float, UInt8

from jaxsal.checks import check_choice, check_positive
from jaxsal.files import write_atomically
from jaxsal.inputs import check_clip, check_saliency
from jaxsal.types import Clip, SaliencyMap

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

COLORMAPS = ("inferno", "magma", "plasma", "viridis", "cividis")

Pictures = UInt8[np.ndarray, "T H W 3"]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_LEGIBLE_HEIGHT = 144
_FONT_SIZE = 18
_LINE = 26
_GAP = 6
_BAR_WIDTH, _BAR_HEIGHT = 160, 12


def overlay(
    clip: Clip,
    saliency: SaliencyMap,
    *,
    limits: tuple[float, float] | None = None,
    opacity: float = 0.6,
    colormap: str = "inferno",
) -> Pictures:
    """Draws a saliency map over a clip: opacity * colour of the saliency + (1 - opacity) * grey of the clip.

    Args:
      clip: The clip, (T, H, W, 3), values in [0, 1].
      saliency: Its map, (T', H, W), T' divides T; a slice is drawn on each of its T / T' frames.
      limits: The saliencies drawn in the first and the last colour, as are those beyond; by default the least and
        the greatest of the map. A constant map is drawn in the first colour.
      opacity: Of the colours, from 0 to 1.
      colormap: One of `COLORMAPS`, all perceptually uniform.

    Returns:
      The coloured frames, (T, H, W, 3) uint8.

    Raises:
      TypeError: If the clip does not hold floats.
      ValueError: If the map does not fit the clip or is not finite, or an option is out of range.
    """
    frames = np.asarray(check_clip(clip, channels=3))
    values = np.asarray(check_saliency(saliency, frames), np.float32)
    if not np.isfinite(values).all():
        raise ValueError("`saliency` must be finite; got an infinite value.")
    if not 0 <= opacity <= 1:
        raise ValueError(f"`opacity` must be in [0, 1]; got {opacity}.")
    low, high = (float(values.min()), float(values.max())) if limits is None else limits
    if not (np.isfinite([low, high]).all() and low <= high):
        raise ValueError(f"`limits` must be two finite numbers, low <= high; got {limits}.")
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    colours = np.repeat(_colour(scaled, colormap), len(frames) // len(values), axis=0)
    blended = opacity * colours + (1 - opacity) * (frames @ _LUMA)[..., None]
    return np.rint(255 * blended).clip(0, 255).astype(np.uint8)


def save_strip(
    path: str | Path,
    rows: Mapping[str, Pictures],
    *,
    num_frames: int = 8,
    scale: int | None = None,
    colormap: str | None = "inferno",
) -> None:
    """Saves evenly spaced frames side by side, one labelled row for each clip or overlay, as a picture.

    Args:
      path: Where to, ending in .png.
      rows: Frames under their label, (T, H, W, 3) uint8, all of one shape.
      num_frames: Columns; all frames where there are fewer. Frames are numbered from 0.
      scale: How many times larger than the frames; by default as many as make 144 pixels of height.
      colormap: Of the colour bar; None leaves it out.

    Raises:
      ValueError: If there are no rows, their shapes differ, or an option is not allowed.
    """
    _check_suffix(path, (".png",))
    length, height, width, scale = _check_rows(rows, scale)
    check_positive("num_frames", num_frames)
    index = np.linspace(0, length - 1, min(num_frames, length)).round().astype(int)
    left = _text_width(["frame", *rows]) + 2 * _GAP
    lefts = [left + column * (width * scale + _GAP) for column in range(len(index) + 1)]
    tops = [_LINE + row * (height * scale + _GAP) for row in range(len(rows) + 1)]
    sheet, pen = _sheet(max(lefts[-1], _bar_line_width()), tops[-1] + (_LINE if colormap else 0))
    _write(pen, (left - _GAP, _LINE // 2), "frame", anchor="rm")
    for x, frame in zip(lefts, index, strict=False):
        _write(pen, (x + width * scale // 2, _LINE // 2), str(frame), anchor="mm")
    for y, (name, frames) in zip(tops, rows.items(), strict=False):
        _write(pen, (left - _GAP, y + height * scale // 2), name, anchor="rm")
        for x, frame in zip(lefts, index, strict=False):
            sheet.paste(_enlarge(frames[frame], scale), (x, y))
    if colormap:
        _draw_colour_bar(sheet, pen, colormap, tops[-1])
    with write_atomically(path) as file:
        sheet.save(file, format="PNG")


def save_animation(path: str | Path, rows: Mapping[str, Pictures], *, fps: float = 8, scale: int | None = None) -> None:
    """Saves clips or overlays side by side under their names, as an endless GIF or an MP4 (H.264).

    Args:
      path: Where to, ending in .gif or .mp4.
      rows: Frames under their name, (T, H, W, 3) uint8, all of one shape.
      fps: Frames per second; a GIF rounds the time of a frame to 1/100 s.
      scale: How many times larger than the frames; by default as many as make 144 pixels of height.

    Raises:
      ValueError: If there are no rows, their shapes differ, or the suffix or an option is not allowed.
    """
    suffix = _check_suffix(path, (".gif", ".mp4"))
    length, height, width, scale = _check_rows(rows, scale)
    if not fps > 0:
        raise ValueError(f"`fps` must be above 0; got {fps}.")
    step = max(width * scale, _text_width(rows)) + _GAP
    size = [_GAP + len(rows) * step, _LINE + height * scale + _GAP]
    images = []
    for frame in range(length):
        # H.264 halves the colours' resolution: both sides must be even
        sheet, pen = _sheet(*(side + side % 2 for side in size))
        for column, (name, frames) in enumerate(rows.items()):
            centre = _GAP + column * step + (step - _GAP) // 2
            _write(pen, (centre, _LINE // 2), name, anchor="mm")
            sheet.paste(_enlarge(frames[frame], scale), (centre - width * scale // 2, _LINE))
        images.append(sheet)
    with write_atomically(path) as file:
        {".gif": _write_gif, ".mp4": _write_mp4}[suffix](file, images, fps)


def _write_gif(file: BinaryIO, images: list["Image"], fps: float) -> None:
    from PIL import Image

    # the octree keeps rare bright colours, which the default palette drops; dithering would double the file
    first, *rest = [image.quantize(method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE) for image in images]
    first.save(file, format="GIF", save_all=True, append_images=rest, duration=1000 / fps, loop=0)


def _write_mp4(file: BinaryIO, images: list["Image"], fps: float) -> None:
    import av

    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height = images[0].size
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "16"}
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())


def _colour(values: Float[np.ndarray, "*shape"], colormap: str) -> Float[np.ndarray, "*shape 3"]:
    """The colours in [0, 1] of values from 0 to 1; those beyond have the first or the last colour."""
    import matplotlib

    check_choice("colormap", colormap, COLORMAPS)
    return matplotlib.colormaps[colormap](values)[..., :3]


def colour_table(colormap: str) -> UInt8[np.ndarray, "256 3"]:
    """The 256 colours of a colour map."""
    return np.rint(255 * _colour(np.linspace(0, 1, 256), colormap)).astype(np.uint8)


def _draw_colour_bar(sheet: "Image", pen: "ImageDraw", colormap: str, top: int) -> None:
    """Draws "saliency low .. high" at the right end of the sheet's last line."""
    from PIL import Image

    colours = np.tile(_colour(np.linspace(0, 1, _BAR_WIDTH), colormap), (_BAR_HEIGHT, 1, 1))
    left, middle = sheet.width - _bar_line_width(), top + _LINE // 2
    _write(pen, (left + _GAP, middle), "saliency low", anchor="lm")
    left += _text_width(["saliency low"]) + 2 * _GAP
    bar = Image.fromarray(np.rint(255 * colours).astype(np.uint8))
    sheet.paste(bar, (left, middle - _BAR_HEIGHT // 2))
    _write(pen, (left + _BAR_WIDTH + _GAP, middle), "high", anchor="lm")


def _bar_line_width() -> int:
    return _text_width(["saliency low"]) + _text_width(["high"]) + _BAR_WIDTH + 4 * _GAP


def _sheet(width: int, height: int) -> tuple["Image", "ImageDraw"]:
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (width, height), "white")
    return sheet, ImageDraw.Draw(sheet)


def _write(pen: "ImageDraw", position: tuple[int, int], text: str, *, anchor: str) -> None:
    from PIL import ImageFont

    pen.text(position, text, fill="black", font=ImageFont.load_default(_FONT_SIZE), anchor=anchor)


def _text_width(texts: Iterable[str]) -> int:
    """Width of the longest text in pixels."""
    from PIL import ImageFont

    font = ImageFont.load_default(_FONT_SIZE)
    return max(int(np.ceil(font.getlength(text))) for text in texts)


def _enlarge(frame: UInt8[np.ndarray, "H W 3"], scale: int) -> "Image":
    from PIL import Image

    height, width, _ = frame.shape
    return Image.fromarray(frame).resize((width * scale, height * scale), Image.Resampling.NEAREST)


def _check_suffix(path: str | Path, known: tuple[str, ...]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        raise ValueError(f"`path` must end in one of {known}; got {str(path)!r}.")
    return suffix


def _check_rows(rows: Mapping[str, Pictures], scale: int | None) -> tuple[int, int, int, int]:
    """T, H, W of all rows, and the scale."""
    if not rows:
        raise ValueError("`rows` must hold at least one clip; got none.")
    shapes = {name: np.shape(frames) for name, frames in rows.items()}
    first = next(iter(shapes.values()))
    if len(first) != 4 or first[-1] != 3 or 0 in first or len(set(shapes.values())) > 1:
        raise ValueError(f"`rows` must be frames (T, H, W, 3) of one shape; got {shapes}.")
    for name, frames in rows.items():
        if frames.dtype != np.uint8:
            raise TypeError(f"`rows` must hold uint8 frames; got {frames.dtype} for {name!r}.")
    if scale is None:
        scale = -(-_LEGIBLE_HEIGHT // first[1])
    check_positive("scale", scale)
    return *first[:3], scale
