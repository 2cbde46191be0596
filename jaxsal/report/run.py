"""The report of a run's folder: its clips in the player, its table, and how it was made."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from jaxsal.core.checks import check_positive
from jaxsal.evaluation.explanation import Explanation, load_explanation
from jaxsal.metrics.summary import summarise
from jaxsal.report.page import build_page
from jaxsal.report.panels import scenes_of
from jaxsal.report.tables import footnote, table_cells


def report_page(run: str | Path, *, num_scenes: int = 8, max_bytes: int = 10_000_000) -> str:
    """The page of a run that `jaxsal demo`, `explain` or `evaluate` wrote.

    Args:
      run: Its folder, with run.json and explanations/.
      num_scenes: How many scenes to show at most, spread over all; the table is of all clips.
      max_bytes: The page's size at most.

    Raises:
      FileNotFoundError: If the folder holds no run.
      ValueError: If there are no whole explanations in it, or the page would be too large.
    """
    check_positive("num_scenes", num_scenes)
    made_by, classes = read_run_json(Path(run) / "run.json")
    explanations = load_run(run)
    scenes = scenes_of(explanations, classes, num_scenes=num_scenes)
    title = f"Report of {Path(run).resolve().name}"
    header = (
        f"<h1>{escape(title)}</h1><p><code>{escape(made_by.get('command', ''))}</code></p>{results_table(explanations)}"
        f"<p class='hint'>Clips measured: {len(explanations)}; scenes shown: {len(scenes)}. "
        "With the keyboard on a scene (Tab leads there) the space bar plays and pauses, the arrow keys step from frame "
        "to frame.</p>"
    )
    footer = f"<details><summary>How this was made</summary>{definition_list(made_by)}</details>"
    return build_page(scenes, title=title, header=header, footer=footer, max_bytes=max_bytes)


def read_run_json(path: Path) -> tuple[dict[str, Any], list[str]]:
    """What a run says of itself, and the names of its network's classes.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it is not whole.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`run` must be the folder of a run with run.json; got {path.parent}.")
    try:
        made_by = json.loads(path.read_text(encoding="utf-8"))
        return made_by, list(made_by["network"]["classes"])
    except (ValueError, KeyError, TypeError) as error:
        remedy = "Run the command that made it again"
        raise ValueError(f"`run` must have a whole run.json; got {path}: {error!r}. {remedy}.") from error


def load_run(run: str | Path) -> list[Explanation]:
    """The explanations of a run's folder, by file name.

    Raises:
      ValueError: If there are none, or one is damaged.
    """
    paths = sorted((Path(run) / "explanations").glob("*.npz"))
    if not paths:
        raise ValueError(f"`run` must hold explanations of clips; got none in {Path(run) / 'explanations'}.")
    found = [load_explanation(path) for path in paths]
    for path, explanation in zip(paths, found, strict=True):
        if explanation is None:
            raise ValueError(f"`run` must hold whole explanations; got a damaged one in {path}.")
    return [explanation for explanation in found if explanation is not None]


def results_table(explanations: Sequence[Explanation]) -> str:
    """The run's table, mean over clips with intervals, as HTML."""
    cells = table_cells(summarise([row for explanation in explanations for row in explanation.results()]))
    heading, *lines = cells
    head = "".join(f"<th scope='col'>{escape(text)}</th>" for text in heading)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in line)}</tr>" for line in lines)
    return (
        "<p id='results'>Area under the curves: mean over all clips of the run, with its 95 % bootstrap interval.</p>"
        "<p class='hint narrow'>The table scrolls sideways.</p>"
        "<div class='tables' tabindex='0' role='region' aria-labelledby='results'><table aria-labelledby='results'>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div><p class='hint'>{footnote(cells)}</p>"
    )


def definition_list(values: Mapping[str, Any]) -> str:
    """Nested values as an HTML list of names and values, names of inner ones joined by dots."""
    entries = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _flat("", values))
    return f"<dl>{entries}</dl>"


def _flat(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    entries = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            entries += _flat(f"{prefix}{name}.", value)
        elif value is not None:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            entries.append((f"{prefix}{name}", text))
    return entries
