"""Saliency maps as pictures: coloured over the clip, as a strip of frames or as an animation."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from jaxsal.core.checks import check_choice, check_positive
from jaxsal.core.files import write_atomically
from jaxsal.core.types import Clip, SaliencyMap
from jaxsal.engine.inputs import check_clip, check_saliency
from jaxsal.report.canvas import GAP, LINE, Sheet, text_width, write_gif, write_mp4

COLORMAPS = ("inferno", "magma", "plasma", "viridis", "cividis")
"""All perceptually uniform: equal differences of saliency look equal, in grey and to colour-blind readers too."""

Pictures = UInt8[np.ndarray, "T H W 3"]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_LEGIBLE_HEIGHT = 144


class Bar(NamedTuple):
    """What the colours of an overlay stand for.

    Attributes:
      low: The saliency in the first colour.
      high: The saliency in the last colour.
      unit: Of both, as words.
      opacity: As of `overlay`.
      colormap: As of `overlay`.
      fade: As of `overlay`.
    """

    low: float
    high: float
    unit: str = ""
    opacity: float = 0.6
    colormap: str = "inferno"
    fade: bool = False

    def colours(self) -> UInt8[np.ndarray, "2 256 3"]:
        """The colours as they come out over black and over white."""
        ground = np.array([0.0, 1.0])[:, None, None]
        return _to_bytes(_blend(np.linspace(0, 1, 256)[None], ground, self.opacity, self.colormap, self.fade))


def overlay(
    clip: Clip,
    saliency: SaliencyMap,
    *,
    limits: tuple[float, float] | None = None,
    opacity: float = 0.6,
    colormap: str = "inferno",
    fade: bool = False,
) -> Pictures:
    """Draws a saliency map over a clip: opacity * colour of the saliency + (1 - opacity) * grey of the clip.

    Args:
      clip: The clip, (T, H, W, 3), values in [0, 1].
      saliency: Its map, (T', H, W), T' divides T; a slice is drawn on each of its T / T' frames.
      limits: The saliencies drawn in the first and the last colour, as are those beyond; by default the least and
        the greatest of the map. A constant map is drawn in the first colour.
      opacity: Of the colours, from 0 to 1.
      colormap: One of `COLORMAPS`, all perceptually uniform.
      fade: Whether opacity falls with saliency, to 0 for the first colour, so that a bright clip does not look salient.

    Returns:
      The coloured frames, (T, H, W, 3) uint8.

    Raises:
      TypeError: If the clip does not hold floats.
      ValueError: If the map does not fit the clip or is not finite, or an option is out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxsal.report.pictures import overlay
      >>> clip, saliency = jnp.ones((4, 2, 2, 3)), jnp.zeros((2, 2, 2)).at[0, 0, 0].set(1.0)
      >>> frames = overlay(clip, saliency, fade=True, opacity=1.0)
      >>> frames.shape, frames[0, 0, 0].tolist(), frames[0, 1, 1].tolist()
      ((4, 2, 2, 3), [252, 255, 164], [255, 255, 255])
    """
    frames = np.asarray(check_clip(clip, channels=3))
    values = np.asarray(check_saliency(saliency, frames), np.float32)
    if not np.isfinite(values).all():
        raise ValueError("`saliency` must be finite; got an infinite value.")
    if not 0 <= opacity <= 1:
        raise ValueError(f"`opacity` must be in [0, 1]; got {opacity}.")
    check_choice("colormap", colormap, COLORMAPS)
    low, high = (float(values.min()), float(values.max())) if limits is None else limits
    if not (np.isfinite([low, high]).all() and low <= high):
        raise ValueError(f"`limits` must be two finite numbers, low <= high; got {limits}.")
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    scaled = np.repeat(scaled, len(frames) // len(values), axis=0)
    return _to_bytes(_blend(scaled, (frames @ _LUMA)[..., None], opacity, colormap, fade))


def _blend(
    scaled: Float[np.ndarray, "..."], grey: Float[np.ndarray, "..."], opacity: float, colormap: str, fade: bool
) -> Float[np.ndarray, "... 3"]:
    """The colours of values from 0 to 1 over a grey."""
    alpha = opacity * (np.clip(scaled, 0, 1)[..., None] if fade else 1.0)
    return alpha * _colour(scaled, colormap) + (1 - alpha) * grey


def _to_bytes(colours: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    return np.rint(255 * colours).clip(0, 255).astype(np.uint8)


def save_strip(
    path: str | Path,
    rows: Mapping[str, Pictures],
    *,
    num_frames: int = 8,
    scale: int | None = None,
    title: str = "",
    bars: Mapping[str, Bar] | None = None,
) -> None:
    """Saves evenly spaced frames side by side, one labelled row for each clip or overlay, as a picture.

    Args:
      path: Where to, ending in .png.
      rows: Frames under their label, (T, H, W, 3) uint8, all of one shape.
      num_frames: Columns; all frames where there are fewer. Frames are numbered from 0.
      scale: How many times larger than the frames; by default as many as make 144 pixels of height.
      title: Above all.
      bars: What the colours of a row stand for, by its label; drawn at its right end.

    Raises:
      ValueError: If there are no rows, their shapes differ, a bar has no row, or an option is not allowed.

    Example:
      >>> import jax.numpy as jnp, numpy as np, tempfile
      >>> from jaxsal.report.pictures import Bar, overlay, save_strip
      >>> clip, saliency = jnp.ones((4, 8, 8, 3)), jnp.zeros((2, 8, 8)).at[0, 0, 0].set(1.0)
      >>> rows = {"clip": np.full((4, 8, 8, 3), 255, np.uint8), "RISE": overlay(clip, saliency, limits=(0, 1))}
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     save_strip(f"{folder}/strip.png", rows, title="walk", bars={"RISE": Bar(0, 1, "mean probability")})
    """
    _check_suffix(path, (".png",))
    length, height, width, scale = _check_rows(rows, scale)
    check_positive("num_frames", num_frames)
    bars = _check_bars(rows, bars)
    index = np.linspace(0, length - 1, min(num_frames, length)).round().astype(int)
    left = text_width(["frame", *rows, *(bar.unit for bar in bars.values())]) + 2 * GAP
    top, step = (2 if title else 1) * LINE, (width * scale + GAP, height * scale + GAP)
    right = left + len(index) * step[0]
    ends = [text for bar in bars.values() for text in _bar_ends(bar)]
    bar_width = LINE + text_width(ends) + GAP if ends else 0
    sheet = Sheet(max(right + bar_width, text_width([title]) + 2 * GAP), top + len(rows) * step[1])
    sheet.write((GAP, LINE // 2), title, anchor="lm")
    sheet.write((left - GAP, top - LINE // 2), "frame", anchor="rm")
    for column, frame in enumerate(index):
        sheet.write((left + column * step[0] + width * scale // 2, top - LINE // 2), str(frame), anchor="mm")
    for row, (name, frames) in enumerate(rows.items()):
        y, bar = top + row * step[1], bars.get(name)
        lines = [name, bar.unit] if bar and bar.unit else [name]
        for number, text in enumerate(lines):
            middle = y + height * scale // 2 + round(LINE * (number - (len(lines) - 1) / 2))
            sheet.write((left - GAP, middle), text, anchor="rm")
        for column, frame in enumerate(index):
            sheet.paste(frames[frame], (left + column * step[0], y), scale)
        if bar:
            sheet.draw_bar((right, y), height * scale, bar.colours(), _bar_ends(bar), upright=True)
    with write_atomically(path) as file:
        sheet.image.save(file, format="PNG")


def save_animation(
    path: str | Path,
    rows: Mapping[str, Pictures],
    *,
    fps: float = 8,
    scale: int | None = None,
    title: str = "",
    bars: Mapping[str, Bar] | None = None,
) -> None:
    """Saves clips or overlays side by side under their names, with the frame's number, as an endless GIF or an MP4.

    Args:
      path: Where to, ending in .gif or .mp4 (H.264).
      rows: Frames under their name, (T, H, W, 3) uint8, all of one shape.
      fps: Frames per second; a GIF rounds the time of a frame to 1/100 s.
      scale: How many times larger than the frames; by default as many as make 144 pixels of height.
      title: Above all.
      bars: What the colours of a row stand for, by its name; drawn below it.

    Raises:
      ValueError: If there are no rows, their shapes differ, a bar has no row, or the suffix or an option is not
        allowed.
    """
    suffix = _check_suffix(path, (".gif", ".mp4"))
    length, height, width, scale = _check_rows(rows, scale)
    bars = _check_bars(rows, bars)
    if not fps > 0:
        raise ValueError(f"`fps` must be above 0; got {fps}.")
    widest = [*rows, *("   ".join(_bar_ends(bar)) for bar in bars.values()), *(bar.unit for bar in bars.values())]
    step, top = max(width * scale, text_width(widest)) + 3 * GAP, 2 * LINE
    header = text_width([f"{title}   frame {length}"]) + 2 * GAP
    size = (max(GAP + len(rows) * step, header), top + height * scale + GAP + (round(2.6 * LINE) if bars else 0))
    sheets = []
    for frame in range(length):
        # H.264 halves the colours' resolution: both sides must be even
        sheet = Sheet(*(side + side % 2 for side in size))
        sheet.write((GAP, LINE // 2), title, anchor="lm")
        sheet.write((size[0] - GAP, LINE // 2), f"frame {frame}", anchor="rm")
        for column, (name, frames) in enumerate(rows.items()):
            left, bar = GAP + column * step, bars.get(name)
            centre, bottom = left + (step - 3 * GAP) // 2, top + height * scale + GAP
            sheet.write((centre, top - LINE // 2), name, anchor="mm")
            sheet.paste(frames[frame], (centre - width * scale // 2, top), scale)
            if bar:
                sheet.draw_bar((left, bottom), step - 3 * GAP, bar.colours(), _bar_ends(bar), upright=False)
                sheet.write((centre, bottom + 2 * LINE), bar.unit, anchor="mm")
        sheets.append(sheet.image)
    with write_atomically(path) as file:
        if suffix == ".gif":
            write_gif(file, sheets, fps, scale)
        else:
            write_mp4(file, sheets, fps)


def _bar_ends(bar: Bar) -> tuple[str, str]:
    return f"{bar.low:.3g}", f"{bar.high:.3g}"


def _colour(values: Float[np.ndarray, "*shape"], colormap: str) -> Float[np.ndarray, "*shape 3"]:
    """The colours in [0, 1] of values from 0 to 1; those beyond have the first or the last colour."""
    import matplotlib

    check_choice("colormap", colormap, COLORMAPS)
    return matplotlib.colormaps[colormap](values)[..., :3]


def colour_table(colormap: str) -> UInt8[np.ndarray, "256 3"]:
    """The 256 colours of a colour map."""
    return np.rint(255 * _colour(np.linspace(0, 1, 256), colormap)).astype(np.uint8)


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


def _check_bars(rows: Mapping[str, Pictures], bars: Mapping[str, Bar] | None) -> Mapping[str, Bar]:
    """The bars, each of a row."""
    for name, bar in (bars or {}).items():
        if name not in rows:
            raise ValueError(f"`bars` must be of the rows {list(rows)}; got {name!r}.")
        check_choice("colormap", bar.colormap, COLORMAPS)
    return bars or {}
