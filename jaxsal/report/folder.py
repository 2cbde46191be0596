"""A folder that shows what a run found: tables, curves, overlays, and how it was made."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from jaxsal.core.controls import is_control
from jaxsal.core.files import file_name, remove_leftovers, write_text
from jaxsal.core.locks import hold_folder
from jaxsal.core.sealed import write_json
from jaxsal.datasets.recordings.excerpt import Excerpt
from jaxsal.datasets.records import FUSED
from jaxsal.drawing.colours import map_bar, map_limits
from jaxsal.drawing.hatching import draw_hatching
from jaxsal.drawing.outline import draw_outline
from jaxsal.drawing.pictures import save_animation, save_strip
from jaxsal.drawing.plots import draw_curves, save_figure
from jaxsal.drawing.recording import DEFAULT_FPS, Excerpts, On, ground_of
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import FOLDER, explain_cases
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.provenance import made_by
from jaxsal.evaluation.scenes import by_part, of_each_spectrum, part_name
from jaxsal.evaluation.views import HATCHED, curve_panels, hatched_voxels, map_unit, scene_limits
from jaxsal.metrics.localization import Mask
from jaxsal.metrics.summary import SummaryRow
from jaxsal.recipes import METHODS
from jaxsal.report.run_table import run_tables, tables_text
from jaxsal.report.scenes import group_by_scene
from jaxsal.report.sheet import to_csv, to_latex
from jaxsal.report.table import count_clips, results_csv, summary_csv
from jaxsal.report.table_figure import draw_table
from jaxsal.training.checkpoint import Checkpoint


class Written(NamedTuple):
    """What a folder shows: the explanations, the rows of their table, the table as Markdown, notes on the pictures."""

    explanations: list[Explanation]
    rows: list[SummaryRow]
    table: str
    notes: list[str]


def explain_to_folder(
    directory: Path,
    checkpoint: Checkpoint,
    cases: Sequence[Case],
    options: ExplainOptions,
    *,
    command: str,
    animation: str = "gif",
    outline: bool = False,
    on: On = "recording",
    **notes: object,
) -> Written:
    """Explains clips with a trained network and writes the folder of the run.

    Args:
      directory: The folder; results that it holds already are taken up.
      checkpoint: The network.
      cases: The clips.
      options: How they are explained.
      command: What was typed.
      animation: "gif" or "mp4".
      outline: Whether the actor's outline is drawn on the overlays, where his pixels are known.
      on: What maps are drawn on: "recording", the frames of a clip's recording, where it has one, or "input", the clip
        as the network takes it.
      **notes: Further entries of run.json.

    Returns:
      What was found and written.

    Raises:
      FolderInUseError: If another run works in the folder.
    """
    with hold_folder(directory, "explaining"):
        remove_leftovers(directory)
        spec = checkpoint.spec
        explanations, places = explain_cases(
            spec.classifier(checkpoint.variables),
            cases,
            options,
            directory / FOLDER,
            clip_shape=spec.clip_shape,
            channels=tuple(spec.channels.items()),
            classes=spec.classes,
            progress=True,
        )
        masks, excerpts = known_masks(cases), known_excerpts(cases)
        recordings = {name: excerpt.to_json() for name, excerpt in excerpts.items()}
        provenance = made_by(command, options, checkpoint, places, recordings=recordings, **notes)
        rows, said = write_folder(
            directory,
            explanations,
            spec.names,
            provenance,
            animation=animation,
            masks=masks,
            outline=outline,
            excerpts=excerpts,
            on=on,
        )
        return Written(explanations, rows, tables_text(run_tables(explanations, masks)[1]), said)


def known_masks(cases: Sequence[Case]) -> dict[str, Mask]:
    """By clip, the actor's pixels, where they are known; of a scene by the names of its spectra."""
    loaded = {case.name: case.load_mask() for case in cases if case.load_mask is not None}
    return by_part({name: mask for name, mask in loaded.items() if mask is not None})


def known_excerpts(cases: Sequence[Case]) -> dict[str, Excerpt]:
    """By clip, where its frames come from, where that is known; of a scene by the names of its spectra."""
    return {
        part_name(case.name, spectrum) if case.spectrum == FUSED else case.name: excerpt
        for case in cases
        for spectrum, excerpt in case.load_excerpts().items()
    }


def write_folder(
    directory: str | Path,
    explanations: Sequence[Explanation],
    classes: Sequence[str],
    provenance: dict[str, Any],
    *,
    animation: str = "gif",
    masks: Mapping[str, Mask] = MappingProxyType({}),
    outline: bool = False,
    excerpts: Excerpts = MappingProxyType({}),
    on: On = "recording",
) -> tuple[list[SummaryRow], list[str]]:
    """Writes the tables, curves and overlays of a run, and what it consists of.

    - results.csv: one row per clip and method; table.md, table.tex, table.csv and table.png: their summary, and the
      methods against the controls, contrasts.csv; where the actor is known, actor.csv and actor_contrasts.csv; of
      scenes that were split by spectrum shares.csv, and overlays/NAME-shares.png of each;
    - curves-IR.png, curves-TV.png: deletion and insertion, mean over clips;
    - overlays/NAME.png and .gif: every clip with its maps; those of a method, class and scene share their steps of
      colour;
    - run.json: how it was made, and which results of the store are its own.

    Args:
      directory: Where to; results/ in it is the store.
      explanations: The results of the run.
      classes: Names of the classes.
      provenance: Command, seed, versions and whatever tells how it was made; goes to run.json.
      animation: "gif" or "mp4".
      masks: By clip, the actor's pixels, where they are known.
      outline: Whether their outline is drawn on the overlays.
      excerpts: By clip, where its frames come from, where that is known.
      on: What maps are drawn on, as of `explain_to_folder`.

    Returns:
      The rows of the table, and notes on recordings that could not be drawn on.
    """
    directory = Path(directory)
    summary = write_tables(directory, explanations, masks)
    write_json(directory / "run.json", provenance)
    draw = partial(draw_overlays, directory / "overlays", masks=masks if outline else {}, excerpts=excerpts, on=on)
    scenes = group_by_scene(explanations)
    for e in explanations:
        if e.shares is not None:
            figure = e.shares.plot(e.clip, title=_title(e, classes))
            save_figure(directory / "overlays" / f"{file_name(e.name)}-shares.png", figure)
    return summary, [note for scene in scenes for note in draw(scene, classes, animation)]


def write_tables(
    directory: Path, explanations: Sequence[Explanation], masks: Mapping[str, Mask] = MappingProxyType({})
) -> list[SummaryRow]:
    """Writes the tables and curves of `write_folder`; the rows of the table."""
    results = [row for explanation in explanations for row in explanation.results()]
    summary, sheets = run_tables(explanations, masks)
    write_text(directory / "results.csv", results_csv(results))
    write_text(directory / "table.csv", summary_csv(summary))
    write_text(directory / "table.md", tables_text(sheets))
    write_text(directory / "table.tex", "\n".join(map(to_latex, sheets)))
    for sheet in sheets[1:]:
        write_text(directory / f"{sheet.name}.csv", to_csv(sheet))
    save_figure(directory / "table.png", draw_table(summary))
    for spectrum in sorted({explanation.spectrum for explanation in explanations}):
        chosen = [explanation for explanation in explanations if explanation.spectrum == spectrum]
        figure = draw_curves(curve_panels(chosen), title=f"{spectrum}, {count_clips(len(chosen))}")
        save_figure(directory / f"curves-{spectrum}.png", figure)
    return summary


def draw_overlays(
    directory: Path,
    explanations: Sequence[Explanation],
    classes: Sequence[str],
    animation: str = "gif",
    *,
    masks: Mapping[str, Mask] = MappingProxyType({}),
    excerpts: Excerpts = MappingProxyType({}),
    on: On = "recording",
) -> list[str]:
    """Draws the clips of a scene and their maps as strips of frames (PNG) and as animations (GIF or MP4).

    Maps of a method and class share their steps of colour; the limits and their unit stand beside the pictures. Of a
    scene that a network took in both spectra there are files of each, and both maps have the same limits. On the frames
    of a recording the part that the network saw is outlined; animations play at the recording's speed. With
    `num_masks="settled"`, RISE's map is hatched where its masks do not tell whether it is above or below its mean.

    Args:
      directory: Where to.
      explanations: The clips of a scene and their maps.
      classes: Names of the classes.
      animation: "gif" or "mp4".
      masks: By clip, the actor's pixels, whose outline is drawn.
      excerpts: By clip, where its frames come from, where that is known.
      on: What maps are drawn on, as of `explain_to_folder`.

    Returns:
      Notes on recordings that could not be drawn on.
    """
    parts, notes = [(part, scene) for scene in explanations for part in of_each_spectrum(scene)], []
    for e, scene in parts:
        ground, unsure = ground_of(e.clip, excerpts.get(e.name), on), hatched_voxels(scene)
        notes += [ground.note] if ground.note else []
        rows, bars = {ground.name: ground.frames}, {}
        for method in (method for method in e.maps if not is_control(method)):
            both = scene.maps[method]
            limits = scene_limits(both) if isinstance(both, Mapping) else colour_limits(e, method, explanations)
            bar = map_bar(e.maps[method], map_unit(method, e.ledger), limits=limits)
            label, picture = method, ground.overlay(e.maps[method], bar)
            if method == METHODS["rise"] and e.name in unsure:
                label, picture = f"{method}, {HATCHED}", draw_hatching(picture, ground.mask(unsure[e.name]))
            rows[label], bars[label] = picture, bar
        rows = {name: ground.outlined(frames) for name, frames in rows.items()}
        if (mask := masks.get(e.name)) is not None:
            rows = {name: draw_outline(frames, ground.mask(mask)) for name, frames in rows.items()}
        stem = file_name(f"{e.name}-as-{classes[e.target]}-{e.probabilities[e.target]:.2f}")
        title, labels = _title(e, classes), ground.labels
        path, fps = directory / f"{stem}.{animation}", ground.fps or DEFAULT_FPS
        save_strip(path.with_suffix(".png"), rows, num_frames=ground.columns, title=title, bars=bars, labels=labels)
        save_animation(path, rows, fps=fps, title=title, bars=bars, labels=labels)
    return notes


def colour_limits(explanation: Explanation, method: str, scene: Sequence[Explanation]) -> tuple[float, float]:
    """The median of a map, and the value a span above it: the widest of the scene's maps of its method and class.

    A map's span is from its median to its 99.5th percentile. A step of colour then is the same amount in the maps that
    are compared, whatever their levels.
    """
    limits = [map_limits(e.maps[method]) for e in scene if method in e.maps and e.target == explanation.target]
    low, _ = map_limits(explanation.maps[method])
    return low, low + max(high - low for low, high in limits)


def _title(e: Explanation, classes: Sequence[str]) -> str:
    predicted, probability = e.most_probable(1)[0]
    title = f"{e.name}, {e.spectrum}: predicted {classes[predicted]} {probability:.2f}"
    title += f", true class {classes[e.label]}" if e.label >= 0 else ""
    return title + (f"; maps of {classes[e.target]}" if e.target != predicted else "")
