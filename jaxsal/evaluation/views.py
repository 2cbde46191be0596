"""What an explanation shows of itself: a few lines, figures, a labelled dataset."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Bool, Float

from jaxsal.core.controls import is_control
from jaxsal.core.extras import check_installed
from jaxsal.core.shown import aligned, html_table
from jaxsal.core.types import AnyArray, ClipTree
from jaxsal.drawing.colours import map_bar, map_limits
from jaxsal.drawing.figures import draw_frames
from jaxsal.drawing.hatching import draw_hatching
from jaxsal.drawing.pictures import overlay
from jaxsal.drawing.plots import CurvePanel
from jaxsal.engine.class_scores import score_unit
from jaxsal.evaluation.scenes import of_each_spectrum
from jaxsal.recipes import MEASURES, METHODS, SETTLED
from jaxsal.saliency.ledger import RiseLedger

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from jaxsal.evaluation.explanation import Explanation

HATCHED = "hatched: undecided"
_UNITS = {METHODS["gradcam"]: "logits", METHODS["sidu"]: "similarity x uniqueness"}


def map_unit(method: str, ledger: RiseLedger | None = None) -> str:
    """The unit of a method's map, as words; empty where it is not known."""
    if ledger is not None and method not in _UNITS:
        return f"mean {score_unit(ledger.options.scores)}"
    return _UNITS.get(method, "")


def heading(e: "Explanation") -> str:
    """The clip, the prediction and the explained class in a line."""
    guesses = ", ".join(f"{e.class_name(k)} {share:.2f}" for k, share in e.most_probable(3))
    true = f", true class {e.class_name(e.label)}" if e.label >= 0 else ""
    return f"{e.name}, {e.spectrum}, {clip_text(e.clip)}: {guesses}{true}; explained: {e.target_name}"


def clip_text(clip: ClipTree) -> str:
    """A clip by its shape; of a scene those of every spectrum."""
    if not isinstance(clip, Mapping):
        return f"clip {tuple(np.shape(clip))}"
    return ", ".join(f"{name} {tuple(np.shape(part))}" for name, part in clip.items())


def measured(e: "Explanation") -> list[tuple[str, ...]]:
    """The names of the columns, then for each method its name, its map's shape, its curves' areas, its seconds."""
    areas = {method: [f"{float(curve.auc):.3f}" for curve in curves] for method, curves in e.curves.items()}
    rows = [
        (
            method,
            str(tuple(np.shape(jax.tree.leaves(values)[0]))),
            *areas.get(method, ("", "")),
            f"{e.seconds.get(method, 0.0):.1f}",
        )
        for method, values in e.maps.items()
    ]
    return [("method", "map", *MEASURES, "seconds"), *rows]


def settled_lines(e: "Explanation") -> list[str]:
    """How many masks RISE took, where that was left open."""
    settled = e.settled
    return [] if settled is None else [f"RISE: order of {settled}"]


def as_text(e: "Explanation") -> str:
    """A few lines: the heading, then a row for each method."""
    return "\n  ".join([f"Explanation({heading(e)}", *aligned(measured(e)), *settled_lines(e)]) + ")"


def as_html(e: "Explanation") -> str:
    """The same as a heading and a table."""
    notes = "".join(f"<p>{line}</p>" for line in settled_lines(e))
    return f"<p>{escape(heading(e))}</p>{html_table(measured(e))}{notes}"


def hatched_voxels(e: "Explanation", undecided: bool | None = None) -> dict[str, Bool[np.ndarray, "T H W"]]:
    """By the name of each part of an explanation, where RISE's map is not decided; empty if that is not to be shown.

    Args:
      e: The explanation.
      undecided: Whether to show it; if None, where the number of masks was left open.

    Raises:
      ValueError: If it is to be shown and is not known.
    """
    wanted = e.options.resolve("rise").num_masks == SETTLED if undecided is None else undecided
    unsure = e.undecided if wanted else None
    if undecided and unsure is None:
        raise ValueError("`undecided` must be False without RISE's map of a class from independent masks; got True.")
    if unsure is None:
        return {}
    found = {}
    for part in of_each_spectrum(e):
        own = unsure[part.spectrum] if isinstance(unsure, Mapping) else unsure
        found[part.name] = np.repeat(own, len(part.clip) // len(own), axis=0)
    return found


def frames_figure(e: "Explanation", num_frames: int, undecided: bool | None = None) -> "Figure":
    """The clip, and every map over it in colours of its own limits."""
    unsure = hatched_voxels(e, undecided)
    rows: dict[str, Any] = {}
    bars: dict[str, Any] = {}
    for part in of_each_spectrum(e):
        of = f"{part.spectrum} " if isinstance(e.clip, Mapping) else ""
        rows[f"{of}clip"] = np.rint(255 * np.asarray(part.clip)).astype(np.uint8)
        for method, values in part.maps.items():
            if not is_control(method):
                limits = scene_limits(e.maps[method]) if of else None
                label, picture = f"{of}{method}", overlay(part.clip, values, limits=limits)
                if method == METHODS["rise"] and part.name in unsure:
                    label, picture = f"{label}\n{HATCHED}", draw_hatching(picture, unsure[part.name])
                rows[label] = picture
                bars[label] = map_bar(values, map_unit(method, e.ledger), limits=limits)
    titles = None if e.times is None else [f"{time:.2f} s" for time in e.times]
    return draw_frames(rows, num_frames=num_frames, titles=titles, bars=bars, title=heading(e))


def scene_limits(maps: Mapping[str, Float[AnyArray, "Tm H W"]]) -> tuple[float, float]:
    """The saliencies of the first and the last colour of the maps of a scene, which have one scale."""
    return map_limits(np.concatenate([np.asarray(own) for own in maps.values()]))


def curve_panels(explanations: Sequence["Explanation"]) -> dict[str, CurvePanel]:
    """Deletion and insertion of some clips, and the mean floor of each."""
    panels = {}
    for number, measure in enumerate(MEASURES):
        by_method = {method: [e.curves[method][number] for e in explanations] for method in explanations[0].curves}
        scores = {method: np.stack([curve.scores for curve in curves]) for method, curves in by_method.items()}
        curve = next(iter(by_method.values()))[0]
        floor = float(np.mean([curve.floor for curve in next(iter(by_method.values()))]))
        unit = score_unit(explanations[0].options.resolve(measure).scores)
        panels[measure] = CurvePanel(np.asarray(curve.fractions), scores, floor, unit)
    return panels


def as_dataset(e: "Explanation") -> "xarray.Dataset":
    """Clip, maps, curves and probabilities with labels; see `Explanation.to_xarray`."""
    check_installed("xarray")
    import xarray

    if isinstance(e.clip, Mapping):
        parts = [(part.spectrum, as_dataset(part)) for part in of_each_spectrum(e)]
        joined = xarray.concat([own for _, own in parts], xarray.Variable("spectrum", [name for name, _ in parts]))
        return joined.assign_attrs(spectrum=e.spectrum)
    length, height, width, channels = np.shape(e.clip)
    times = np.arange(length) if e.times is None else np.asarray(e.times)
    slices = len(next(iter(e.maps.values())))
    of_maps = "time" if slices == length else "map_time"
    variables: dict[str, Any] = dict(
        frames=(("time", "row", "column", "channel"), np.asarray(e.clip)),
        probability=(("class",), np.asarray(e.probabilities)),
        saliency=(("map", of_maps, "row", "column"), np.stack([np.asarray(values) for values in e.maps.values()])),
    )
    coordinates: dict[str, Any] = {
        "time": times,
        of_maps: times.reshape(slices, -1).mean(axis=1),
        "row": np.arange(height),
        "column": np.arange(width),
        "channel": np.arange(channels),
        "class": [e.class_name(k) for k in range(len(e.probabilities))],
        "map": list(e.maps),
    }
    for number, measure in enumerate(MEASURES if e.curves else ()):
        step = f"{measure}_step"
        curves = [e.curves[method][number] for method in e.maps]
        variables[measure] = (("map", step), np.stack([np.asarray(curve.scores) for curve in curves]))
        variables[f"{measure}_auc"] = (("map",), np.array([float(curve.auc) for curve in curves]))
        coordinates[f"{measure}_fraction"] = ((step,), np.asarray(curves[0].fractions))
    unit = "frames" if e.times is None else "seconds"
    about = dict(name=e.name, spectrum=e.spectrum, target=e.target_name, prediction=e.prediction, time_unit=unit)
    return xarray.Dataset(variables, coordinates, attrs=about)
