"""A table's cells, and the table as Markdown, LaTeX, HTML, CSV and records."""

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from jaxsal.core.files import csv_text
from jaxsal.metrics.summary import Measure

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


def to_records(sheet: Sheet) -> list[dict[str, object]]:
    """The sheet as one mapping a line, of kinds that JSON has."""
    return [dict(zip(sheet.columns, map(plain, line), strict=True)) for line in sheet.lines]


def plain(value: Value) -> object:
    """A cell as kinds that JSON has."""
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
