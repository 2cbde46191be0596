"""A folder that shows what a run found: tables, curves, overlays, and how it was made."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsal.evaluate import file_name
from jaxsal.explanation import Explanation
from jaxsal.files import write_atomically
from jaxsal.options import REFERENCES
from jaxsal.report.panels import group_by_scene
from jaxsal.report.pictures import overlay, save_animation, save_strip
from jaxsal.report.plots import CurvePanel, plot_curves
from jaxsal.report.table_figure import plot_table
from jaxsal.report.tables import count_clips, results_to_csv, summarise, to_csv, to_markdown


def write_folder(
    directory: str | Path,
    explanations: Sequence[Explanation],
    classes: Sequence[str],
    made_by: dict[str, Any],
    *,
    animation: str = "gif",
) -> str:
    """Writes the tables, curves and overlays of a run.

    - results.csv: one row per clip and method; table.md, table.csv and table.png: their summary;
    - curves-IR.png, curves-TV.png: deletion and insertion, mean over clips;
    - overlays/NAME.png and .gif: every clip with its maps, in one colour scale for a method's maps of a scene;
    - run.json: how it was made.

    Args:
      directory: Where to.
      explanations: What was found.
      classes: Names of the classes.
      made_by: Command, seed, versions and whatever tells how it was made; goes to run.json.
      animation: "gif" or "mp4".

    Returns:
      The table as Markdown.
    """
    directory = Path(directory)
    results = [row for explanation in explanations for row in explanation.results()]
    summary = summarise(results)
    table = to_markdown(summary)
    _write(directory / "results.csv", results_to_csv(results))
    _write(directory / "table.csv", to_csv(summary))
    _write(directory / "table.md", table)
    plot_table(directory / "table.png", summary)
    _write(directory / "run.json", json.dumps(made_by, indent=2) + "\n")
    for spectrum in sorted({explanation.spectrum for explanation in explanations}):
        chosen = [explanation for explanation in explanations if explanation.spectrum == spectrum]
        plot_spectrum(directory / f"curves-{spectrum}.png", chosen, spectrum)
    for scene in group_by_scene(explanations):
        limits = shared_limits(scene)
        for explanation in scene:
            draw_overlays(directory / "overlays", explanation, classes, limits, animation)
    return table


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as file:
        file.write(text.encode())


def plot_spectrum(path: Path, explanations: Sequence[Explanation], spectrum: str) -> None:
    """Draws the mean deletion and insertion curves of the clips of one spectrum."""
    panels = {}
    for number, measure in enumerate(("deletion", "insertion")):
        curves = {
            method: np.stack([np.asarray(e.curves[method][number].scores) for e in explanations])
            for method in explanations[0].curves
        }
        any_method = next(iter(curves))
        fractions = np.asarray(explanations[0].curves[any_method][number].fractions)
        floor = np.mean([e.curves[any_method][0].scores[-1] for e in explanations])
        panels[measure] = CurvePanel(fractions, curves, float(floor) if measure == "deletion" else None)
    plot_curves(path, panels, title=f"{spectrum}, {count_clips(len(explanations))}")


def shared_limits(explanations: Sequence[Explanation]) -> dict[str, tuple[float, float]]:
    """By method, the least and the greatest value of its maps, so that they can be compared in one colour scale."""
    methods = dict.fromkeys(method for explanation in explanations for method in explanation.maps)
    maps = {method: [np.asarray(e.maps[method]) for e in explanations if method in e.maps] for method in methods}
    return {
        method: (float(min(values.min() for values in found)), float(max(values.max() for values in found)))
        for method, found in maps.items()
    }


def draw_overlays(
    directory: Path,
    explanation: Explanation,
    classes: Sequence[str],
    limits: Mapping[str, tuple[float, float]],
    animation: str = "gif",
) -> None:
    """Draws a clip and its maps as a strip of frames (PNG) and as an animation (GIF or MP4).

    Args:
      directory: Where to.
      explanation: The clip and its maps.
      classes: Names of the classes.
      limits: By method, the saliencies drawn in the first and the last colour; written beside the pictures.
      animation: "gif" or "mp4".
    """
    clip = np.asarray(explanation.clip)
    rows = {"input": np.rint(255 * clip).astype(np.uint8)}
    for method, saliency in explanation.maps.items():
        if method not in REFERENCES:
            low, high = limits[method]
            rows[f"{method} {low:.2g} to {high:.2g}"] = overlay(clip, saliency, limits=limits[method])
    predicted = f"{classes[explanation.target]}-{explanation.probabilities[explanation.target]:.2f}"
    stem = file_name(f"{explanation.name}-as-{predicted}")
    save_strip(directory / f"{stem}.png", rows)
    save_animation(directory / f"{stem}.{animation}", rows)
