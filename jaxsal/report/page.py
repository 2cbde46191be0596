"""The player as one HTML page that carries its clips, maps and program, and asks no network for anything."""

import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from html.parser import HTMLParser
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from jaxsal.core.controls import is_control
from jaxsal.drawing.colours import DEFAULT_COLORMAP, colour_table
from jaxsal.drawing.recording import Ground
from jaxsal.report.encode import (
    INPUT_SIDE,
    encode_baseline,
    encode_frames,
    encode_map,
    encode_mask,
    encode_order,
    encode_recording,
    picture_size,
)
from jaxsal.report.panels import Panel, PanelCurve
from jaxsal.report.scenes import Scene

_SCRIPTS = ("decode.js", "charts.js", "scale.js", "player.js", "pictures.js", "scene.js", "start.js", "strip.js")
_STYLES = ("player.css", "strip.css")
_MAX_THINNING = 32
_RECORDING_SIDES = (480, 360, INPUT_SIDE)
"""Pixels of the longer side of a recording's frames, at most: the first that fits."""


def build_page(
    scenes: Sequence[Scene],
    *,
    title: str,
    header: str = "",
    footer: str = "",
    max_bytes: int = 10_000_000,
) -> str:
    """The page as text.

    The frames of recordings have at most 480 pixels a side, 360 or 224 where the page would be larger than `max_bytes`.
    Where maps in full still would not fit, they, and what the network saw at a step, are shown at every second, third
    .. row and column. The page says both; the clips, profiles, curves and numbers stay as they were found.

    Args:
      scenes: What to show.
      title: Of the page.
      header: HTML above the scenes.
      footer: HTML below them.
      max_bytes: The page's size at most.

    Raises:
      ValueError: If there are no scenes, a scene's clips differ in length, or they do not fit in `max_bytes`.
    """
    if not scenes:
        raise ValueError("`scenes` must hold at least one scene; got none.")
    for scene in scenes:
        lengths = [len(panel.clip) for panel in scene.panels]
        if len(set(lengths)) > 1:
            raise ValueError(f"`scenes` must have clips of one length each; got {lengths} in {scene.name!r}.")
    has_recordings = any(_recording(panel) for scene in scenes for panel in scene.panels)
    sides = _RECORDING_SIDES if has_recordings else _RECORDING_SIDES[-1:]
    forms = [(side, 1) for side in sides] + [(sides[-1], every) for every in range(2, _MAX_THINNING + 1)]
    pictures = cache(lambda side: [[_encode_pictures(panel, side) for panel in scene.panels] for scene in scenes])
    for side, every in forms:
        data = [
            {"name": scene.name, "scale": scene.scale}
            | {"panels": [a | _encode_values(b, every) for a, b in zip(shown, scene.panels, strict=True)]}
            for scene, shown in zip(scenes, pictures(side), strict=True)
        ]
        page = _fill_page(data, title, header, footer, side * has_recordings, every)
        size = len(page.encode())
        if size <= max_bytes:
            return page
    raise ValueError(f"`max_bytes` must be enough for the clips; got {max_bytes:,} bytes for a page of {size:,}.")


def fill(name: str, *, html: Mapping[str, str], **texts: object) -> str:
    """A template of web/ with its gaps filled: texts, which are escaped, and HTML, which is taken as it is."""
    escaped = {gap: escape(str(text)) for gap, text in texts.items()}
    return Template(_read(name)).substitute(escaped | dict(html))


def _read(name: str) -> str:
    return (files("jaxsal.report") / "web" / name).read_text(encoding="utf-8")


def _recording(panel: Panel) -> Ground | None:
    """The recording's frames, where maps are drawn on them."""
    return panel.ground if panel.ground is not None and panel.ground.name == "recording" else None


def _fill_page(scenes: list[dict[str, Any]], title: str, header: str, footer: str, side: int, every: int) -> str:
    colours = base64.b64encode(colour_table(DEFAULT_COLORMAP).tobytes()).decode()
    data = json.dumps({"colours": colours, "scenes": scenes}, allow_nan=False, separators=(",", ":"))
    page = fill(
        "page.html",
        title=title,
        every=every,
        hide_every="" if every > 1 else "hidden",
        side=side,
        hide_side="" if side else "hidden",
        hide_footer="" if footer or every > 1 or side else "hidden",
        html=dict(
            header=header,
            footer=footer,
            style="\n".join(map(_read, _STYLES)),
            script="\n".join(map(_read, _SCRIPTS)),
            data=data.replace("<", "\\u003c"),
        ),
    )
    return page.replace('data-crc32=""', f'data-crc32="{checksum(page)}"', 1)


class _Text(HTMLParser):
    """The text of a page without what the browser does not count, or the player fills."""

    _LEFT_OUT = ("template", "main")

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._inside = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._inside += tag in self._LEFT_OUT

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag in self._LEFT_OUT

    def handle_data(self, data: str) -> None:
        self.pieces += [] if self._inside else [data]


def checksum(page: str) -> int:
    """The CRC-32 of the text of a page, its numbers, clips and program, without spaces; the player compares it."""
    text = _Text()
    text.feed(page)
    text.close()
    return zlib.crc32(re.sub(r"[ \t\n\r\f]+", "", "".join(text.pieces)).encode())


def _encode_pictures(panel: Panel, side: int) -> dict[str, Any]:
    ground, recording = panel.ground, _recording(panel)
    return {
        "caption": panel.caption,
        "target": panel.target,
        "unit": panel.unit,
        "label": panel.label,
        "probabilities": sorted(panel.probabilities.items(), key=lambda item: -item[1]),
        "input": {"size": list(picture_size(panel.clip)), "frames": encode_frames(panel.clip)},
        "recording": None if recording is None else encode_recording(recording, side),
        "labels": None if ground is None else list(ground.labels),
        "fps": None if ground is None else ground.fps,
        "note": "" if ground is None else ground.note,
        "baselines": {name: encode_baseline(values, panel.clip) for name, values in panel.baselines.items()},
    }


def _encode_values(panel: Panel, every: int) -> dict[str, Any]:
    orders: list[np.ndarray] = []
    maps = [
        {"method": m.method, "target": m.target, "unit": m.unit}
        | {"profile": _floats(np.mean(m.values, axis=(1, 2))), "error": _floats(m.profile_error)}
        | encode_map(m.values, every=every)
        | ({} if m.undecided is None else {"undecided": encode_mask(m.undecided, every=every)})
        for m in panel.maps
    ]
    curves = [_encode_curve(curve, orders) for curve in panel.curves]
    controls = list(dict.fromkeys(curve.method for curve in panel.curves if is_control(curve.method)))
    orders_text = [encode_order(order, every=every) for order in orders]
    return {"maps": maps, "curves": curves, "controls": controls, "orders": orders_text}


def _encode_curve(panel_curve: PanelCurve, orders: list[np.ndarray]) -> dict[str, Any]:
    """The curve with the place of its order among `orders`, which the two measures of a map mostly share."""
    method, measure, curve, changed_at = panel_curve
    places = [place for place, order in enumerate(orders) if np.array_equal(order, changed_at)]
    if not places:
        places = [len(orders)]
        orders.append(np.asarray(changed_at))
    values = {"fractions": _floats(curve.fractions), "scores": _floats(curve.scores), "auc": float(curve.auc)}
    return {"method": method, "measure": measure, "order": places[0]} | values


def _floats(values: object) -> list[float] | None:
    """Numbers with six digits, None for None."""
    return None if values is None else [float(f"{value:.6g}") for value in np.asarray(values).tolist()]
