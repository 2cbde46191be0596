"""A folder that shows what a run found: tables, curves, overlays, and how it was made."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsal.core.files import write_atomically
from jaxsal.evaluation.evaluate import file_name
from jaxsal.evaluation.explanation import Explanation
from jaxsal.metrics.summary import summarise
from jaxsal.options import MEASURES, REFERENCES
from jaxsal.report.panels import group_by_scene, map_unit
from jaxsal.report.pictures import Bar, overlay, save_animation, save_strip
from jaxsal.report.plots import CurvePanel, plot_curves
from jaxsal.report.table_figure import plot_table
from jaxsal.report.tables import count_clips, results_to_csv, to_csv, to_markdown


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
    - overlays/NAME.png and .gif: every clip with its maps; those of a method, class and scene share their steps of
      colour;
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
        draw_overlays(directory / "overlays", scene, classes, animation)
    return table


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as file:
        file.write(text.encode())


def plot_spectrum(path: Path, explanations: Sequence[Explanation], spectrum: str) -> None:
    """Draws the mean deletion and insertion curves of the clips of one spectrum."""
    panels = {}
    for number, measure in enumerate(MEASURES):
        curves = {
            method: np.stack([np.asarray(e.curves[method][number].scores) for e in explanations])
            for method in explanations[0].curves
        }
        any_method = next(iter(curves))
        fractions = np.asarray(explanations[0].curves[any_method][number].fractions)
        floor = np.mean([e.curves[any_method][0].scores[-1] for e in explanations])
        panels[measure] = CurvePanel(fractions, curves, float(floor) if measure == "deletion" else None)
    plot_curves(path, panels, title=f"{spectrum}, {count_clips(len(explanations))}")


def shared_limits(explanations: Sequence[Explanation], method: str) -> list[tuple[float, float]]:
    """The least value of each map of a method and the value a span above it, the widest of the maps of its class.

    A step of colour then is the same amount in the maps that are compared, whatever their levels.
    """
    ends = [(e.target, float(np.min(e.maps[method])), float(np.max(e.maps[method]))) for e in explanations]
    spans = {target: max(high - low for other, low, high in ends if other == target) for target, _, _ in ends}
    return [(low, low + spans[target]) for target, low, _ in ends]


def draw_overlays(
    directory: Path, explanations: Sequence[Explanation], classes: Sequence[str], animation: str = "gif"
) -> None:
    """Draws the clips of a scene and their maps as strips of frames (PNG) and as animations (GIF or MP4).

    Maps of a method and class share their steps of colour; the limits and their unit stand beside the pictures.

    Args:
      directory: Where to.
      explanations: The clips of a scene and their maps.
      classes: Names of the classes.
      animation: "gif" or "mp4".
    """
    limits = {
        (e.name, method): found
        for method in dict.fromkeys(method for e in explanations for method in e.maps if method not in REFERENCES)
        for drawn in [[e for e in explanations if method in e.maps]]
        for e, found in zip(drawn, shared_limits(drawn, method), strict=True)
    }
    for e in explanations:
        rows, bars = {"input": np.rint(255 * np.asarray(e.clip)).astype(np.uint8)}, {}
        for method in (method for method in e.maps if method not in REFERENCES):
            bars[method] = Bar(*limits[e.name, method], map_unit(method, e.ledger))
            rows[method] = overlay(e.clip, e.maps[method], limits=limits[e.name, method])
        predicted, probability = e.most_probable(1)[0]
        title = f"{e.name}, {e.spectrum}: predicted {classes[predicted]} {probability:.2f}"
        title += f", true class {classes[e.label]}" if e.label >= 0 else ""
        title += f"; maps of {classes[e.target]}" if e.target != predicted else ""
        stem = file_name(f"{e.name}-as-{classes[e.target]}-{e.probabilities[e.target]:.2f}")
        save_strip(directory / f"{stem}.png", rows, title=title, bars=bars)
        save_animation(directory / f"{stem}.{animation}", rows, title=title, bars=bars)
