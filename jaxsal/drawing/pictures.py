"""Saliency maps as pictures: coloured over the clip, as a strip of frames or as an animation."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxsal.core.checks import check_choice, check_positive
from jaxsal.core.files import write_atomically
from jaxsal.core.spread import spread
from jaxsal.core.types import Clip, SaliencyMap
from jaxsal.drawing.canvas import GAP, LINE, Canvas, text_width, write_animation
from jaxsal.drawing.colours import COLORMAPS, DEFAULT_COLORMAP, DEFAULT_OPACITY, Bar, map_bar, to_bytes
from jaxsal.engine.inputs import check_clip
from jaxsal.engine.maps import check_map

Pictures = UInt8[np.ndarray, "T H W 3"]

_LEGIBLE_HEIGHT, _LARGEST_WIDTH = 144, 1500


def overlay(
    clip: Clip,
    saliency: SaliencyMap,
    *,
    limits: tuple[float, float] | None = None,
    opacity: float = DEFAULT_OPACITY,
    colormap: str = DEFAULT_COLORMAP,
    fade: bool = True,
) -> Pictures:
    """Draws a saliency map over a clip: a * colour of the saliency + (1 - a) * clip.

    With s from 0 to 1 between the limits, a is `opacity` * s, and the clip turns grey by the share s: it keeps its look
    where saliency is low, and its own colours are not taken for the map's where saliency is high.

    Args:
      clip: The clip, (T, H, W, 3), values in [0, 1].
      saliency: Its map, (T', H, W), T' divides T; a slice is drawn on each of its T / T' frames.
      limits: The saliencies that get the first and the last colour, as do those beyond; by default the median and the
        99.5th percentile of the map, without `fade` its least value and that percentile. A constant map is drawn in
        the first colour.
      opacity: Of the last colour, from 0 to 1.
      colormap: One of `COLORMAPS`.
      fade: Whether opacity falls with saliency, to 0 for the first colour; if False, a is `opacity` everywhere and the
        clip grey.

    Returns:
      The coloured frames, (T, H, W, 3) uint8.

    Raises:
      TypeError: If the clip does not hold floats.
      ValueError: If the map does not fit the clip or is not finite, or an option is out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxsal.drawing.pictures import overlay
      >>> clip, saliency = jnp.ones((4, 2, 2, 3)), jnp.zeros((2, 2, 2)).at[0, 0, 0].set(1.0)
      >>> frames = overlay(clip, saliency, limits=(0, 1), opacity=1.0)
      >>> frames.shape, frames[0, 0, 0].tolist(), frames[0, 1, 1].tolist()
      ((4, 2, 2, 3), [240, 249, 33], [255, 255, 255])
    """
    frames = np.asarray(check_clip(clip, channels=3))
    values = np.asarray(check_map(saliency, frames.shape), np.float32)
    if not 0 <= opacity <= 1:
        raise ValueError(f"`opacity` must be in [0, 1]; got {opacity}.")
    check_choice("colormap", colormap, COLORMAPS)
    if limits is not None and not (np.isfinite(limits).all() and limits[0] <= limits[1]):
        raise ValueError(f"`limits` must be two finite numbers, low <= high; got {limits}.")
    bar = map_bar(values, limits=limits, fade=fade)._replace(opacity=opacity, colormap=colormap)
    return to_bytes(bar.blend(np.repeat(values, len(frames) // len(values), axis=0), frames))


def save_strip(
    path: str | Path,
    rows: Mapping[str, Pictures],
    *,
    num_frames: int = 8,
    scale: int | None = None,
    title: str = "",
    bars: Mapping[str, Bar] | None = None,
    labels: Sequence[str] | None = None,
) -> None:
    """Saves evenly spaced frames side by side, one labelled row for each clip or overlay, as a picture.

    Args:
      path: Where to, ending in .png.
      rows: Frames under their label, (T, H, W, 3) uint8, all of one shape.
      num_frames: Columns, at most.
      scale: Magnification of the frames, a whole number; by default the least that makes them 144 pixels high.
      title: First line of the picture.
      bars: Colour bars by label, drawn at the right end of the row.
      labels: Of all T frames, such as "127, 4.23 s"; their numbers from 0 if None.

    Raises:
      ValueError: If there are no rows, their shapes differ, a bar has no row, or an option is not allowed.

    Example:
      >>> import jax.numpy as jnp, numpy as np, tempfile
      >>> from jaxsal.drawing.pictures import Bar, overlay, save_strip
      >>> clip, saliency = jnp.ones((4, 8, 8, 3)), jnp.zeros((2, 8, 8)).at[0, 0, 0].set(1.0)
      >>> rows = {"clip": np.full((4, 8, 8, 3), 255, np.uint8), "RISE": overlay(clip, saliency, limits=(0, 1))}
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     save_strip(f"{folder}/strip.png", rows, title="walk", bars={"RISE": Bar(0, 1, "mean probability")})
    """
    _check_suffix(path, (".png",))
    length, size, bars = _check_rows(rows, bars, scale)
    labels = _check_labels(labels, length)
    check_positive("num_frames", num_frames)
    numbers = spread(length, num_frames)
    left = text_width(["frame", *rows, *(bar.unit for bar in bars.values())]) + 2 * GAP
    right, top = left + len(numbers) * (size[0] + GAP), (2 if title else 1) * LINE
    bar_width = LINE + text_width(text for bar in bars.values() for text in bar.ends) + GAP if bars else 0
    bottom = top + len(rows) * (size[1] + GAP)
    canvas = Canvas(max(right + bar_width, text_width([title]) + 2 * GAP), bottom)
    canvas.write((GAP, LINE // 2), title, anchor="lm")
    canvas.write((left - GAP, top - LINE // 2), "frame", anchor="rm")
    places = range(left, right, size[0] + GAP)
    for x, number in zip(places, numbers, strict=True):
        canvas.write((x + size[0] // 2, top - LINE // 2), labels[number], anchor="mm")
    for y, (name, frames) in zip(range(top, bottom, size[1] + GAP), rows.items(), strict=True):
        bar = bars.get(name)
        label = f"{name}\n{bar.unit}" if bar and bar.unit else name
        canvas.write((left - GAP, y + size[1] // 2), label, anchor="rm")
        for x, number in zip(places, numbers, strict=True):
            canvas.paste(frames[number], (x, y), size)
        if bar:
            canvas.draw_bar((right, y), size[1], bar, upright=True)
    with write_atomically(path) as file:
        canvas.image.save(file, format="PNG")


def save_animation(
    path: str | Path,
    rows: Mapping[str, Pictures],
    *,
    fps: float = 8,
    scale: int | None = None,
    title: str = "",
    bars: Mapping[str, Bar] | None = None,
    labels: Sequence[str] | None = None,
) -> None:
    """Saves clips or overlays side by side under their names, with the frame's label, as an endless GIF or an MP4.

    Large frames that would make the picture wider than 1500 pixels are drawn in several lines.

    Args:
      path: Where to, ending in .gif or .mp4 (H.264).
      rows: Frames under their name, (T, H, W, 3) uint8, all of one shape.
      fps: Frames per second; a GIF rounds the time of a frame to 1/100 s.
      scale: Magnification of the frames, a whole number; by default the least that makes them 144 pixels high.
      title: First line of the picture.
      bars: Colour bars by name, drawn below the clip.
      labels: Of all T frames, such as "127, 4.23 s"; their numbers from 0 if None.

    Raises:
      ValueError: If there are no rows, their shapes differ, a bar has no row, or the suffix or an option is not
        allowed.
    """
    suffix = _check_suffix(path, (".gif", ".mp4"))
    length, size, bars = _check_rows(rows, bars, scale)
    labels = _check_labels(labels, length)
    if not fps > 0:
        raise ValueError(f"`fps` must be above 0; got {fps}.")
    texts = [f"frame {label}" for label in labels]
    draw = sheet(list(rows), bars, size, [(title, text) for text in texts])
    pictures = (draw({name: frames[n] for name, frames in rows.items()}, title, texts[n]).image for n in range(length))
    with write_atomically(path) as file:
        write_animation(file, pictures, fps, suffix[1:])


def sheet(
    names: Sequence[str], bars: Mapping[str, Bar], size: tuple[int, int], texts: Iterable[tuple[str, str]]
) -> Callable[[Mapping[str, UInt8[np.ndarray, "H W 3"]], str, str], Canvas]:
    """Draws pictures side by side under their names, their bars below, in lines of equal length.

    Args:
      names: Of the pictures.
      bars: Colour bars by name.
      size: Width and height at which pictures are drawn.
      texts: The titles and labels that are to fit.

    Returns:
      A function of pictures by name, a title and a label.
    """
    below = [*names, *("   ".join(bar.ends) for bar in bars.values()), *(bar.unit for bar in bars.values())]
    column = max(size[0], text_width(below))
    num_lines = -(-len(names) // max(_LARGEST_WIDTH // column, 1))
    per_line = -(-len(names) // num_lines)
    line = LINE + size[1] + GAP + (round(2.6 * LINE) if bars else 0)
    right = max(GAP + per_line * (column + 3 * GAP), text_width("   ".join(both) for both in texts) + 2 * GAP)
    sides = [side + side % 2 for side in (right, LINE + num_lines * line)]  # H.264 halves the colours' resolution

    def draw(pictures: Mapping[str, UInt8[np.ndarray, "H W 3"]], title: str, label: str) -> Canvas:
        canvas = Canvas(*sides)
        canvas.write((GAP, LINE // 2), title, anchor="lm")
        canvas.write((right - GAP, LINE // 2), label, anchor="rm")
        for place, (name, picture) in enumerate(pictures.items()):
            x, top = GAP + place % per_line * (column + 3 * GAP), 2 * LINE + place // per_line * line
            canvas.write((x + column // 2, top - LINE // 2), name, anchor="mm")
            canvas.paste(picture, (x + (column - size[0]) // 2, top), size)
            if bar := bars.get(name):
                bottom = top + size[1] + GAP
                canvas.draw_bar((x, bottom), column, bar, upright=False)
                canvas.write((x + column // 2, bottom + 2 * LINE), bar.unit, anchor="mm")
        return canvas

    return draw


def _check_labels(labels: Sequence[str] | None, length: int) -> Sequence[str]:
    """The labels of all frames."""
    if labels is not None and len(labels) != length:
        raise ValueError(f"`labels` must be of the {length} frames; got {len(labels)}.")
    return [str(number) for number in range(length)] if labels is None else labels


def _check_suffix(path: str | Path, known: tuple[str, ...]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        raise ValueError(f"`path` must end in one of {known}; got {str(path)!r}.")
    return suffix


def _check_rows(
    rows: Mapping[str, Pictures], bars: Mapping[str, Bar] | None, scale: int | None
) -> tuple[int, tuple[int, int], Mapping[str, Bar]]:
    """T, the width and height at which frames are drawn, and the bars."""
    if not rows:
        raise ValueError("`rows` must hold at least one clip; got none.")
    shapes = {name: np.shape(frames) for name, frames in rows.items()}
    first = next(iter(shapes.values()))
    if len(first) != 4 or first[-1] != 3 or 0 in first or len(set(shapes.values())) > 1:
        raise ValueError(f"`rows` must be frames (T, H, W, 3) of one shape; got {shapes}.")
    for name, frames in rows.items():
        if frames.dtype != np.uint8:
            raise TypeError(f"`rows` must hold uint8 frames; got {frames.dtype} for {name!r}.")
    for name, bar in (bars or {}).items():
        if name not in rows:
            raise ValueError(f"`bars` must be of the rows {list(rows)}; got {name!r}.")
        check_choice("colormap", bar.colormap, COLORMAPS)
    length, height, width, _ = first
    return length, drawn_size((height, width), scale), bars or {}


def drawn_size(size: tuple[int, int], scale: int | None = None) -> tuple[int, int]:
    """Width and height at which frames of (H, W) are drawn; enlarged to a legible height where no scale is given."""
    scale = -(-_LEGIBLE_HEIGHT // size[0]) if scale is None else scale
    check_positive("scale", scale)
    return size[1] * scale, size[0] * scale
