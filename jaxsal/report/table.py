"""A table, and its one writer: as Markdown, comma-separated numbers, LaTeX, HTML and records for JSON."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from jaxsal.core.files import csv_text
from jaxsal.metrics.summary import SIGNIFICANT, ClipResult, Measure, SummaryRow
from jaxsal.recipes import ADDED_MEASURES, MEASURES

_DAGGER = f"† Not better than the random map: the difference has the wrong sign or p > {SIGNIFICANT}."
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
    """The p-value of a method that is not better than the random map; tables for people mark it with a dagger."""

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
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    lines: tuple[tuple[Value, ...], ...]
    footnote: str = ""


def summary_sheet(rows: Sequence[SummaryRow]) -> Sheet:
    """The table of a run; a dagger marks a method that is not better than the random map.

    Args:
      rows: Of `jaxsal.metrics.summary.summarise`.
    """
    spread = " mean ± std [95 %]" if any(row.num_clips > 1 for row in rows) else ""
    good = dict(deletion=-1, insertion=1) | {name: ADDED_MEASURES.get(name, 1) for name in _further(rows)}
    titles = [f"{name} {'↑' if sign > 0 else '↓'}{spread}" for name, sign in good.items()]
    columns = ("spectrum", "method", "n", *(column for title in titles for column in (title, "p vs random")))
    lines = tuple(
        (*row[:3], *(part for name, sign in good.items() for part in _tested(_measure(row, name), sign)))
        for row in rows
    )
    marked = any(isinstance(value, WeakPValue) for line in lines for value in line)
    return Sheet("table", "Results", "", columns, lines, _DAGGER if marked else "")


def _further(rows: Sequence[SummaryRow]) -> list[str]:
    """The measures beside deletion and insertion."""
    return list(dict.fromkeys(name for row in rows for name in row.measures))


def _measure(row: SummaryRow, name: str) -> Measure | None:
    return row.measures.get(name) if name not in MEASURES else getattr(row, name)


def _tested(measure: Measure | None, good_sign: int) -> tuple[Measure | None, PValue | None]:
    if measure is None or measure.p_value is None:
        return measure, None
    return measure, (PValue if measure.better(good_sign) else WeakPValue)(measure.p_value)


def summary_csv(rows: Sequence[SummaryRow]) -> str:
    """The table of a run as comma-separated plain numbers, all fields of every measure."""
    measures = [*MEASURES, *_further(rows)]
    names = [f"{measure}_{field}" for measure in measures for field in Measure._fields]
    blank = (None,) * len(Measure._fields)
    lines = [(*row[:3], *(v for name in measures for v in _measure(row, name) or blank)) for row in rows]
    return csv_text([("spectrum", "method", "num_clips", *names), *lines])


def to_markdown(sheet: Sheet) -> str:
    """The sheet as a Markdown table, its footnote below; ends with a line break."""
    rule = ["---" if isinstance(value, str) else "--:" for value in sheet.lines[0]]
    table = "".join(f"| {' | '.join(line)} |\n" for line in [sheet.columns, rule, *_texts(sheet)])
    return f"{table}\n{sheet.footnote}\n" if sheet.footnote else table


def to_latex(sheet: Sheet) -> str:
    """The sheet as a LaTeX table that needs the package booktabs."""
    layout = "".join("l" if isinstance(value, str) else "r" for value in sheet.lines[0])
    head, *lines = [" & ".join(map(_latex, line)) + r" \\" for line in [sheet.columns, *_texts(sheet)]]
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
    lines = ["".join(f"<td>{escape(text)}</td>" for text in line) for line in _texts(sheet)]
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
    return value._asdict() if isinstance(value, Measure | Spread) else value


def _texts(sheet: Sheet) -> list[list[str]]:
    """The lines as people read them."""
    return [[_text(value) for value in line] for line in sheet.lines]


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
