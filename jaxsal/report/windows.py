"""The folder of a long recording that was explained window by window: tables, timelines and a film."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxsal.core.files import csv_text, remove_leftovers, write_text
from jaxsal.core.locks import hold_folder
from jaxsal.core.sealed import write_json
from jaxsal.datasets.records import FUSED
from jaxsal.drawing.plots import save_figure
from jaxsal.drawing.recording import On
from jaxsal.drawing.timeline import draw_timeline
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import FOLDER, explain_each
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.provenance import made_by
from jaxsal.evaluation.reading import Place, read_maps, read_without_clip
from jaxsal.evaluation.store import Store
from jaxsal.evaluation.timeline import Timeline, WindowResult, make_timeline, window_result
from jaxsal.report.film import Maps, save_film
from jaxsal.report.folder import draw_overlays, known_excerpts, write_tables
from jaxsal.report.strip import strip_values
from jaxsal.report.window_run import window_run
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.windows import Window, Windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def window_cases(spec: NetworkSpec, windows: Windows, name: str, target: int | None) -> list[tuple[Case, Window]]:
    """The windows of a recording as clips to explain; all are of one actor, for their intervals.

    Args:
      spec: The network.
      windows: Of one recording, or of two: then a network of one spectrum sees each by itself.
      name: Of the recording.
      target: The class to explain; the predicted one of each window if None.
    """
    cases = []
    for spectrum in [FUSED] if spec.channels else sorted(windows.frames):
        for window in windows.windows:
            own = dict(window.excerpts) if spec.channels else {spectrum: window.excerpts[spectrum]}
            load = partial(spec.clip, own if spec.channels else own[spectrum])
            of = f"{name}-{window.place}-{spectrum}"
            cases.append((Case(of, spectrum, -1, load, target, actor=name, load_excerpts=partial(dict, own)), window))
    return cases


def window_pictures(windows: Windows) -> tuple[str, ...]:
    """What is written of a recording beside tables and curves."""
    of_spectra = (f"{kind}-{s}.{end}" for s in sorted(windows.frames) for kind, end in _PICTURES)
    return "windows.csv", "overlays", *of_spectra


_PICTURES = (("timeline", "csv"), ("timeline", "png"), ("recording", "mp4"))


class WrittenWindows(NamedTuple):
    """What a folder shows of a recording: the results of its windows, and notes on pictures of windows."""

    results: list[WindowResult]
    notes: list[str]


def explain_windows_to_folder(
    directory: Path,
    checkpoint: Checkpoint,
    windows: Windows,
    cases: Sequence[tuple[Case, Window]],
    options: ExplainOptions,
    *,
    command: str,
    overlays: Sequence[int] = (),
    animation: str = "gif",
    on: On = "recording",
) -> WrittenWindows:
    """Explains the windows of a recording with a trained network and writes the folder of the run.

    - results.csv, the tables and curves: as of `write_folder`, over windows;
    - windows.csv: the best class of each window, timeline-TV.csv and .png: classes and maps over time;
    - recording-TV.mp4: the recording with the maps of all windows, see `save_film`;
    - overlays/NAME.png and .gif: of some windows as of clips, see `draw_overlays`;
    - run.json: how it was made.

    The store has each window's maps, curves and logits; its frames stay in the recording.

    Args:
      directory: The folder; results that it holds already are taken up.
      checkpoint: The network.
      windows: The windows.
      cases: The windows as clips, of `window_cases`.
      options: How they are explained.
      command: What was typed.
      overlays: Numbers of the windows that are drawn by themselves.
      animation: "gif" or "mp4", of these windows.
      on: What their maps are drawn on, as of `explain_to_folder`.

    Raises:
      FolderInUseError: If another run works in the folder.
    """
    spec, by_name = checkpoint.spec, {case.name: window for case, window in cases}

    def read(store: Store, case: Case, place: Place) -> WindowResult:
        return window_result(by_name[case.name], place, read_without_clip(store, place, options))

    with hold_folder(directory, "explaining"):
        remove_leftovers(directory)
        results, places = explain_each(
            spec.classifier(checkpoint.variables),
            [case for case, _ in cases],
            options,
            read,
            directory / FOLDER,
            keep_clips=False,
            clip_shape=spec.clip_shape,
            channels=tuple(spec.channels.items()),
            classes=spec.classes,
            progress=True,
        )
        write_tables(directory, [result.explanation for result in results])
        write_text(directory / "windows.csv", csv_text(window_rows(results)))
        store = Store(str(directory / FOLDER))
        store.compact(idle=0)  # nobody else works in the folder
        timelines = []
        for spectrum in sorted(windows.frames):
            own = [r for r in results if r.explanation.spectrum in (spectrum, FUSED)]
            timelines.append(make_timeline(windows, own, spectrum))
            _write_recording(directory, windows, own, timelines[-1], store)
        excerpts, strip = known_excerpts([case for case, _ in cases]), strip_values(windows, timelines)
        recordings = {name: excerpt.to_json() for name, excerpt in excerpts.items()}
        provenance = made_by(command, options, checkpoint, places, recordings=recordings, timeline=strip)
        write_json(directory / "run.json", provenance)
        run = window_run(strip, store, places, options, spec, excerpts)
        notes = []
        for number in overlays:
            scene = [run.read(name) for name in run.names[number]]
            notes += draw_overlays(directory / "overlays", scene, spec.names, animation, excerpts=excerpts, on=on)
        return WrittenWindows(results, notes)


def _write_recording(
    directory: Path, windows: Windows, results: Sequence[WindowResult], timeline: Timeline, store: Store
) -> None:
    """Writes the timeline and the film of one spectrum."""
    spectrum = timeline.spectrum
    write_text(directory / f"timeline-{spectrum}.csv", csv_text(timeline.rows()))
    save_figure(directory / f"timeline-{spectrum}.png", timeline_figure(timeline, results))

    def maps_of(result: WindowResult) -> Maps:
        of_scene = tuple(sorted(windows.frames)) if result.explanation.spectrum == FUSED else ()
        found = read_maps(store, result.place, of_scene)
        return {method: found[method][spectrum] if of_scene else found[method] for method in result.units}

    save_film(directory / f"recording-{spectrum}.mp4", windows, results, spectrum, maps_of)


def timeline_figure(timeline: Timeline, results: Sequence[WindowResult]) -> "Figure":
    """The timeline as a figure: probabilities, then the energy of each method in its own unit."""
    first = results[0]
    panels = {"probability": timeline.probabilities}
    for method, values in timeline.energies.items():
        panels[f"{method}\n{first.units[method]}"] = {method: values}
    seconds = timeline.times
    axis = "frame" if seconds is None else "seconds of the recording"
    title = f"{Path(first.window.excerpts[timeline.spectrum].path).name}, {timeline.spectrum}: {len(results)} windows"
    return draw_timeline(timeline.frames if seconds is None else seconds, panels, axis=axis, title=title)


def window_rows(results: Sequence[WindowResult]) -> list[list[object]]:
    """The names of the columns, then a row for each window: where it is, its best and its explained class."""
    rows: list[list[object]] = []
    for window, explanation in ((result.window, result.explanation) for result in results):
        best, probability = explanation.most_probable(1)[0]
        seconds = [None, None] if window.times is None else [round(time, 3) for time in window.times]
        explained = explanation.target_name, float(explanation.probabilities[explanation.target])
        where = [explanation.name, explanation.spectrum, window.start, window.stop, *seconds]
        rows.append([*where, explanation.class_name(best), probability, *explained])
    where = ["window", "spectrum", "start", "stop", "first_second", "last_second"]
    return [[*where, "best", "probability", "explained", "explained_probability"], *rows]


def window_table(results: Sequence[WindowResult]) -> list[tuple[str, ...]]:
    """The same for a shell: frames, seconds, best class and its probability."""
    rows: list[tuple[str, ...]] = [("window", "seconds", "best class", "probability")]
    for window, explanation in ((result.window, result.explanation) for result in results):
        best, probability = explanation.most_probable(1)[0]
        rows.append((*window_place(window, explanation.spectrum), explanation.class_name(best), f"{probability:.2f}"))
    return rows


def window_place(window: Window, spectrum: str) -> tuple[str, str]:
    """Frames and seconds of a window as texts."""
    seconds = "" if window.times is None else f"{window.times[0]:.2f} to {window.times[1]:.2f}"
    return f"{spectrum} {window.start} to {window.stop - 1}", seconds
