"""What a run's folder holds, and its report as one page.

run.json names the results of the last command that wrote to the folder. Only those are read, so that a folder that
several commands have shared never gives one table of all of them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from jaxsal.core.checks import check_positive
from jaxsal.core.sealed import read_json
from jaxsal.core.spread import spread
from jaxsal.datasets.recordings.excerpt import Excerpt
from jaxsal.drawing.recording import Excerpts
from jaxsal.evaluation.explain import FOLDER
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.reading import Place, read_explanation, read_light
from jaxsal.evaluation.store import Store
from jaxsal.report.page import build_page, fill
from jaxsal.report.run_table import run_tables
from jaxsal.report.scenes import scenes_of
from jaxsal.report.shares import NAME as SHARES, fill_shares
from jaxsal.report.sheet import Sheet, to_html
from jaxsal.report.strip import fill_strip
from jaxsal.report.window_run import WindowRun, window_run
from jaxsal.training.networks import NetworkSpec


class Run(NamedTuple):
    """What a run's folder holds.

    Attributes:
      folder: Where it is.
      made_by: How it was made, as run.json says.
      explanations: The results of the command that made it, in its order.
      num_left_out: Results in the folder that earlier commands left there.
      windows: Of a long recording, its windows; their `explanations` are without clips and maps.
      excerpts: By clip, where its frames come from, where that is known; of a scene by the names of its spectra.
    """

    folder: Path
    made_by: Mapping[str, Any]
    explanations: Sequence[Explanation]
    num_left_out: int
    windows: WindowRun | None = None
    excerpts: Excerpts = MappingProxyType({})

    @property
    def classes(self) -> list[str]:
        """Names of the network's classes."""
        return list(self.made_by["network"]["classes"])

    @property
    def note(self) -> str:
        """A sentence on the explanations that are left out; empty if there are none."""
        if not self.num_left_out:
            return ""
        are = "result of an earlier command in this folder is"
        are = are if self.num_left_out == 1 else "results of earlier commands in this folder are"
        return f"{self.num_left_out} {are} left out."


def read_run(run: str | Path) -> Run:
    """Reads the folder of a run that `jaxsal demo`, `explain` or `evaluate` wrote.

    Args:
      run: The folder, with run.json and results/.

    Raises:
      FileNotFoundError: If the folder holds no run.
      ValueError: If run.json is damaged, or a result that it names is missing, damaged or of another command.
    """
    folder = Path(run)
    made_by = _read_run_json(folder)
    places = [Place(**place) for place in made_by.pop("results")]
    options = ExplainOptions.from_json(made_by.pop("options"))
    excerpts = {name: Excerpt.from_json(values) for name, values in made_by.pop("recordings", {}).items()}
    made_by["recordings"] = sorted({excerpt.path for excerpt in excerpts.values()}) or None
    if not places:
        raise ValueError(f"`run` must hold explanations of clips; got none in {folder}.")
    store = Store(str(folder / FOLDER))
    windows = None
    if (timeline := made_by.pop("timeline", None)) is not None:
        spec = NetworkSpec.from_json(made_by["network"])
        windows = window_run(timeline, store, places, options, spec, excerpts)
    read = read_explanation if windows is None else read_light
    explanations = [read(store, place, options) for place in places]
    ours = sum(len(place.cells) for place in places) + made_by.pop("further_results", 0)
    count = sum(number for (kind, _), number in store.counts().items() if kind == "result")
    return Run(folder, made_by, explanations, count - ours, windows, excerpts)


def _read_run_json(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    if not path.is_file():
        inside = [f"; there is one in {inner.parent}" for inner in sorted(folder.glob("*/run.json"))[:1]]
        raise FileNotFoundError(f"`run` must be the folder of a run with run.json; got {folder}{''.join(inside)}.")
    remedy = "Run the command that made it again."
    made_by = read_json(path, remedy)
    try:
        list(made_by["network"]["classes"])
        ExplainOptions.from_json(made_by["options"])
        [Place(**place) for place in made_by["results"]]
        [Excerpt.from_json(values) for values in made_by.get("recordings", {}).values()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"`run` must have a whole run.json; got {path}: {error!r}. {remedy}") from error
    return made_by


class ReportPage(NamedTuple):
    """The page of a run as text, and notes on recordings that its maps could not be drawn on."""

    text: str
    notes: Sequence[str]


def report_page(run: Run, *, num_scenes: int = 8, max_bytes: int = 10_000_000) -> ReportPage:
    """The page of a run: its table, its clips in the player, on their recordings' frames, and how it was made.

    Args:
      run: Of `read_run`.
      num_scenes: How many scenes to show at most, spread over all; the table is of all clips.
      max_bytes: The page's size at most.

    Raises:
      ValueError: If an option is out of range, or the page would be too large.
    """
    check_positive("num_scenes", num_scenes)
    title = f"Report of {run.folder.resolve().name}"
    shown, strip, own = run.explanations, "", run.windows
    if own is not None:
        numbers = spread(len(own.names), num_scenes)
        shown = [own.read(name) for number in numbers for name in own.names[number]]
        strip = fill_strip(own.timeline, run.explanations, numbers)
    scenes = scenes_of(shown, run.classes, num_scenes=num_scenes, excerpts=run.excerpts)
    _, (table, *others) = run_tables(run.explanations)
    sheets = {sheet.name: sheet for sheet in others}
    contrasts, shares = sheets.get("contrasts"), sheets.get(SHARES)
    header = fill(
        "run.html",
        title=title,
        command=run.made_by.get("command", ""),
        footnote=table.footnote,
        hide_contrasts="" if contrasts else "hidden",
        contrasts_title=contrasts.title if contrasts else "",
        contrasts_note=" ".join((contrasts.note, contrasts.footnote)) if contrasts else "",
        note=run.note,
        num_clips=len(run.explanations),
        num_scenes=len(scenes),
        html=dict(
            table=to_html(table),
            contrasts=to_html(contrasts) if contrasts else "",
            shares=fill_shares(run.explanations, shares) if shares else "",
        ),
    )
    made_by = Sheet("made-by", "How this was made", "", ("name", "value"), tuple(_flat("", run.made_by)))
    footer = fill("made_by.html", title=made_by.title, html=dict(table=to_html(made_by)))
    text = build_page(scenes, title=title, header=header + strip, footer=footer, max_bytes=max_bytes)
    grounds = [panel.ground for scene in scenes for panel in scene.panels if panel.ground is not None]
    return ReportPage(text, [ground.note for ground in grounds if ground.note])


def _flat(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested values as names and texts; the names of inner ones are joined by dots."""
    entries = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            entries += _flat(f"{prefix}{name}.", value)
        elif value is not None:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            entries.append((f"{prefix}{name}", text))
    return entries
