"""A table, and its one writer: as Markdown, comma-separated numbers, LaTeX, HTML and records for JSON."""

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from jaxsal.core.controls import is_control
from jaxsal.core.files import csv_text
from jaxsal.metrics.contrasts import SIGNIFICANT, Contrast
from jaxsal.metrics.summary import FLOOR, ClipResult, Measure, SummaryRow
from jaxsal.recipes import MEASURES, measure_sign

_BETTER = (
    f"Better than: the controls that the method beats on the same clips, p ≤ {SIGNIFICANT} after Holm's correction."
)
_LATEX = {"±": r"$\pm$", "≤": r"$\le$", "<": "$<$", "↓": r"$\downarrow$", "↑": r"$\uparrow$"}
_LATEX |= {sign: rf"\{sign}" for sign in "&%#_"}


class Spread(NamedTuple):
    """A number that was printed elsewhere, to two decimals, with its standard deviation if it had one."""

    mean: float
    std: float | None = None


class PValue(float):
    """A p-value; tables for people show "< 0.001" below that."""

    mark = ""


class WeakPValue(PValue):
    """The p-value of a difference that is not real or has the wrong sign; tables for people mark it with a dagger."""

    mark = " †"


Value = str | int | float | Measure | Spread | None


class Sheet(NamedTuple):
    """A table, ready to be written.

    Attributes:
      name: Of its files.
      title: Its heading.
      note: A sentence under the heading; may be empty.
      columns: The names of the columns.
      lines: One value a column; None is an empty cell.
      footnote: A sentence below the table; may be empty.
      best: The (line, column) of each value that is the best of those it is compared with; tables for people show it
        in bold.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    lines: tuple[tuple[Value, ...], ...]
    footnote: str = ""
    best: frozenset[tuple[int, int]] = frozenset()


def summary_sheet(rows: Sequence[SummaryRow]) -> Sheet:
    """The table of a run, and beside each measure the controls that the method beats.

    Args:
      rows: Of `jaxsal.metrics.summary.summarise`.
    """
    spread = " mean ± std [95 %]" if any(row.num_clips > 1 for row in rows) else ""
    good = good_signs(rows)
    titles = [(f"{name} {'↑' if sign > 0 else '↓'}{spread}", f"{name} better than") for name, sign in good.items()]
    tested = any(getattr(measure_of(row, name), "contrasts", {}) for row in rows for name in good)
    columns = ("spectrum", "method", "n", *(column for pair in titles for column in pair[: 1 + tested]))
    lines = tuple(
        (*row[:3], *(part for n, sign in good.items() for part in _beaten(measure_of(row, n), sign)[: 1 + tested]))
        for row in rows
    )
    places = [3 + number * (1 + tested) for number in range(len(good))]
    best = frozenset(
        (line, place)
        for (name, sign), place in zip(good.items(), places, strict=True)
        for line in _best_rows(rows, name, sign)
    )
    return Sheet("table", "Results", "", columns, lines, _BETTER if tested else "", best)


def _best_rows(rows: Sequence[SummaryRow], name: str, sign: int) -> list[int]:
    """In every spectrum whose methods differ, the rows whose printed mean is the best; controls do not compete."""
    means: dict[str, dict[int, float]] = {}
    for number, row in enumerate(rows):
        measure = measure_of(row, name)
        if measure is not None and row.method != FLOOR and not is_control(row.method):
            means.setdefault(row.spectrum, {})[number] = round(sign * measure.mean, 3)
    best = {spectrum: max(own.values()) for spectrum, own in means.items() if len(set(own.values())) > 1}
    return [number for spectrum, most in best.items() for number, mean in means[spectrum].items() if mean == most]


def good_signs(rows: Sequence[SummaryRow]) -> dict[str, int]:
    """The measures of a table, and whether low (-1) or high (1) is good."""
    further = dict.fromkeys(name for row in rows for name in row.measures)
    return dict(deletion=-1, insertion=1) | {name: measure_sign(name) for name in further}


def measure_of(row: SummaryRow, name: str) -> Measure | None:
    """A measure of a row; None where it has none."""
    return row.measures.get(name) if name not in MEASURES else getattr(row, name)


def _beaten(measure: Measure | None, good_sign: int) -> tuple[Measure | None, str | None]:
    if measure is None or not measure.contrasts:
        return measure, None
    beaten = [control for control, contrast in measure.contrasts.items() if contrast.better(good_sign)]
    return measure, ", ".join(beaten) or "none"


def summary_csv(rows: Sequence[SummaryRow]) -> str:
    """The table of a run as comma-separated plain numbers, all fields of every measure and contrast."""
    names = list(good_signs(rows))
    controls = list(
        dict.fromkeys(c for row in rows for n in names for c in getattr(measure_of(row, n), "contrasts", ()))
    )
    header = [part for name in names for part in _csv_header(name, controls)]
    lines = [(*row[:3], *(v for name in names for v in _csv_values(measure_of(row, name), controls))) for row in rows]
    return csv_text([("spectrum", "method", "num_clips", *header), *lines])


def _csv_header(name: str, controls: Sequence[str]) -> list[str]:
    contrasts = [f"{name}_vs_{control}_{field}" for control in controls for field in Contrast._fields]
    return [f"{name}_{field}" for field in Measure._fields[:-1]] + contrasts


def _csv_values(measure: Measure | None, controls: Sequence[str]) -> list[float | None]:
    blank = (None,) * len(Contrast._fields)
    contrasts = {} if measure is None else measure.contrasts
    own = (None,) * (len(Measure._fields) - 1) if measure is None else measure[:-1]
    return [*own, *(value for control in controls for value in contrasts.get(control, blank))]


def to_markdown(sheet: Sheet) -> str:
    """The sheet as a Markdown table, its footnote below; ends with a line break."""
    rule = ["---" if isinstance(value, str) else "--:" for value in sheet.lines[0]]
    lines = [sheet.columns, rule, *_texts(sheet, bold="**{}**")]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"{table}\n{sheet.footnote}\n" if sheet.footnote else table


def to_latex(sheet: Sheet) -> str:
    """The sheet as a LaTeX table that needs the package booktabs."""
    layout = "".join("l" if isinstance(value, str) else "r" for value in sheet.lines[0])
    texts = _texts(sheet, escaped=_latex, bold=r"\textbf{{{}}}")
    head, *lines = [" & ".join(line) + r" \\" for line in [[*map(_latex, sheet.columns)], *texts]]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(sheet.title)}}}",
            rf"\label{{tab:{sheet.name}}}",
            rf"\begin{{tabular}}{{{layout}}}",
            r"\toprule",
            head,
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def to_html(sheet: Sheet) -> str:
    """The heading and the lines of the sheet as the inside of an HTML table."""
    heading = "".join(f'<th scope="col">{escape(name)}</th>' for name in sheet.columns)
    lines = ["".join(f"<td>{text}</td>" for text in line) for line in _texts(sheet, escaped=escape, bold="<b>{}</b>")]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<thead><tr>{heading}</tr></thead><tbody>{body}</tbody>"


def to_csv(sheet: Sheet) -> str:
    """The sheet as comma-separated plain numbers: mean, std, low and high of a measure; of a spread mean and std."""
    parts = [_parts(column) for column in zip(*sheet.lines, strict=True)]
    header = [f"{name} {part}".strip() for name, names in zip(sheet.columns, parts, strict=True) for part in names]
    lines = [
        [
            getattr(value, part) if part and value is not None else value
            for value, names in zip(line, parts, strict=True)
            for part in names
        ]
        for line in sheet.lines
    ]
    return csv_text([header, *lines])


def _parts(column: Sequence[Value]) -> tuple[str, ...]:
    if any(isinstance(value, Measure) for value in column):
        return ("mean", "std", "low", "high")
    return ("mean", "std") if any(isinstance(value, Spread) for value in column) else ("",)


def results_csv(results: Sequence[ClipResult]) -> str:
    """One row per clip and method, a column for every measure."""
    names = list(dict.fromkeys(name for result in results for name in result.measures))
    lines = [(*result[:-1], *(result.measures.get(name) for name in names)) for result in results]
    return csv_text([(*ClipResult._fields[:-1], *names), *lines])


def to_records(sheet: Sheet) -> list[dict[str, object]]:
    """The sheet as one mapping a line, of kinds that JSON has."""
    return [dict(zip(sheet.columns, map(_plain, line), strict=True)) for line in sheet.lines]


def summary_records(rows: Sequence[SummaryRow]) -> list[dict[str, object]]:
    """The table of a run as one mapping a row, of kinds that JSON has."""
    names = [name for name in SummaryRow._fields if name != "measures"]
    return [
        {name: _plain(value) for name, value in [*zip(names, row[:-1], strict=True), *row.measures.items()]}
        for row in rows
    ]


def _plain(value: Value) -> object:
    if isinstance(value, Measure):
        return value._asdict() | dict(contrasts={name: own._asdict() for name, own in value.contrasts.items()})
    return value._asdict() if isinstance(value, Spread) else value


def _texts(sheet: Sheet, *, escaped: Callable[[str], str] = str, bold: str) -> list[list[str]]:
    """The lines as people read them, the best values as `bold` says."""
    return [
        [
            (bold if (number, column) in sheet.best else "{}").format(escaped(_text(value)))
            for column, value in enumerate(line)
        ]
        for number, line in enumerate(sheet.lines)
    ]


def _text(value: Value) -> str:
    match value:
        case None:
            return ""
        case Spread(mean, std):
            return f"{mean:.2f}" if std is None else f"{mean:.2f} ± {std:.2f}"
        case PValue():
            return f"{value:.3f}{value.mark}" if value >= 0.001 else f"< 0.001{value.mark}"
        case float():
            return f"{value:.3f}"
    return str(value)


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)


def count_clips(count: int) -> str:
    """A number of clips in words."""
    return f"{count} clip" if count == 1 else f"{count} clips"
