"""The table of a run: its summary as a sheet, as comma-separated numbers and as records for JSON."""

from collections.abc import Sequence

from jaxsal.core.controls import is_control
from jaxsal.core.files import csv_text
from jaxsal.metrics.contrasts import SIGNIFICANT, Contrast
from jaxsal.metrics.summary import FLOOR, ClipResult, Measure, SummaryRow
from jaxsal.recipes import MEASURES, measure_sign
from jaxsal.report.sheet import Sheet, plain

_BETTER = (
    f"Better than: the controls that the method beats on the same clips, p ≤ {SIGNIFICANT} after Holm's correction."
)


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


def results_csv(results: Sequence[ClipResult]) -> str:
    """One row per clip and method, a column for every measure."""
    names = list(dict.fromkeys(name for result in results for name in result.measures))
    lines = [(*result[:-1], *(result.measures.get(name) for name in names)) for result in results]
    return csv_text([(*ClipResult._fields[:-1], *names), *lines])


def summary_records(rows: Sequence[SummaryRow]) -> list[dict[str, object]]:
    """The table of a run as one mapping a row, of kinds that JSON has."""
    names = [name for name in SummaryRow._fields if name != "measures"]
    return [
        {name: plain(value) for name, value in [*zip(names, row[:-1], strict=True), *row.measures.items()]}
        for row in rows
    ]


def count_clips(count: int) -> str:
    """A number of clips in words."""
    return f"{count} clip" if count == 1 else f"{count} clips"
