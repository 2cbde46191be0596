"""The player as one HTML page that carries its clips, maps and program, and asks no network for anything."""

import base64
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from jaxsal.options import REFERENCES
from jaxsal.report.encode import encode_baseline, encode_frames, encode_map, encode_order, picture_size
from jaxsal.report.panels import Panel, PanelCurve, Scene
from jaxsal.report.pictures import colour_table

_SCRIPTS = ("decode.js", "charts.js", "scale.js", "player.js", "pictures.js", "scene.js", "start.js")
_MAX_THINNING = 32


def build_page(
    scenes: Sequence[Scene],
    *,
    title: str,
    header: str = "",
    footer: str = "",
    max_bytes: int = 10_000_000,
) -> str:
    """The page as text.

    Where maps in full would not fit into `max_bytes`, they, and what the network saw at a step, are shown at every
    second, third .. row and column, and the page says so; frames, profiles, curves and numbers stay as they were found.

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
    pictures = [[_encode_pictures(panel) for panel in scene.panels] for scene in scenes]
    for every in range(1, _MAX_THINNING + 1):
        data = [
            {"name": scene.name, "scale": scene.scale}
            | {"panels": [a | _encode_values(b, every) for a, b in zip(p, scene.panels, strict=True)]}
            for scene, p in zip(scenes, pictures, strict=True)
        ]
        page = _fill(data, title, header, footer, every)
        size = len(page.encode())
        if size <= max_bytes:
            return page
    raise ValueError(f"`max_bytes` must be enough for the clips; got {max_bytes:,} bytes for a page of {size:,}.")


def _fill(data: list[dict[str, Any]], title: str, header: str, footer: str, every: int) -> str:
    web = files("jaxsal.report") / "web"
    colours = base64.b64encode(colour_table("inferno").tobytes()).decode()
    text = json.dumps({"colours": colours, "scenes": data}, allow_nan=False, separators=(",", ":"))
    if every > 1:
        footer = (
            f"<p class='hint'>To keep the page small, maps are drawn at one of {every} rows and columns, and so are "
            f"the clips as the network saw them. Profiles, curves, areas and the table are exact.</p>{footer}"
        )
    return Template((web / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        header=header,
        footer=f"<footer>{footer}</footer>" if footer else "",
        style=(web / "player.css").read_text(encoding="utf-8"),
        script="\n".join((web / name).read_text(encoding="utf-8") for name in _SCRIPTS),
        data=text.replace("<", "\\u003c"),
    )


def _encode_pictures(panel: Panel) -> dict[str, Any]:
    return {
        "caption": panel.caption,
        "target": panel.target,
        "label": panel.label,
        "probabilities": sorted(panel.probabilities.items(), key=lambda item: -item[1]),
        "size": list(picture_size(panel.clip)),
        "frames": encode_frames(panel.clip),
        "baselines": {name: encode_baseline(values, panel.clip) for name, values in panel.baselines.items()},
    }


def _encode_values(panel: Panel, every: int) -> dict[str, Any]:
    orders: list[np.ndarray] = []
    maps = [
        {"method": m.method, "target": m.target, "unit": m.unit}
        | {"profile": _floats(np.mean(m.values, axis=(1, 2))), "error": _floats(m.profile_error)}
        | encode_map(m.values, every=every)
        for m in panel.maps
    ]
    curves = [_encode_curve(curve, orders) for curve in panel.curves]
    references = [method for method in REFERENCES if any(curve.method == method for curve in panel.curves)]
    orders_text = [encode_order(order, every=every) for order in orders]
    return {"maps": maps, "curves": curves, "references": references, "orders": orders_text}


def _encode_curve(curve: PanelCurve, orders: list[np.ndarray]) -> dict[str, Any]:
    """The curve with the place of its order among `orders`, which the two measures of a map mostly share."""
    place = None
    if curve.changed_at is not None:
        changed_at = np.asarray(curve.changed_at)
        places = [i for i, order in enumerate(orders) if np.array_equal(order, changed_at)]
        place = places[0] if places else len(orders)
        if not places:
            orders.append(changed_at)
    return {
        "method": curve.method,
        "measure": curve.measure,
        "fractions": _floats(curve.fractions),
        "scores": _floats(curve.scores),
        "auc": float(curve.auc),
        "order": place,
    }


def _floats(values: Any) -> list[float] | None:
    """Numbers with six digits, None for None."""
    return None if values is None else [float(f"{value:.6g}") for value in np.asarray(values).tolist()]
