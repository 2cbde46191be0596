"""The methods of the two main tables against their controls, network by network."""

from collections.abc import Iterator, Sequence

from jaxsal.core.controls import control_title, is_control
from jaxsal.metrics.contrasts import Contrast, corrected
from jaxsal.metrics.summary import ClipResult
from jaxsal.paper.cells import Row, Table
from jaxsal.paper.config import CONTROLS
from jaxsal.paper.values import Results, Values, actor_of, measure_values, two_sided
from jaxsal.recipes import MEASURES
from jaxsal.report.contrast_sheet import Compared, contrast_sheet
from jaxsal.report.sheet import Sheet

GOOD = {"deletion": -1, "insertion": 1}

Place = tuple[tuple[str, ...], str]
"""The labels of a line, and a measure."""


def study_contrasts(tables: Sequence[Table], results: Results, *, seed: int = 0) -> Sheet | None:
    """Methods against controls; Holm's correction is over both tables against the same control.

    Args:
      tables: Those that were made; all but the main ones are passed over.
      results: Of all their cells.
      seed: Of the bootstrap and the tests.
    """
    rows = [row for table in tables if table.name.startswith("results-") for row in table.rows if row.cell in results]
    found = corrected(dict(_contrasts(rows, results, seed)))
    places = dict.fromkeys(labels for labels, _ in found)
    counts = {_labels(row): len({one.clip for own in results[row.cell] for one in own}) for row in rows}
    compared = [
        Compared(labels, counts[labels], {measure: found.get((labels, measure), {}) for measure in MEASURES})
        for labels in places
    ]
    return contrast_sheet(compared, ("input", "network", "trained on", "method"), GOOD)


def _contrasts(rows: Sequence[Row], results: Results, seed: int) -> Iterator[tuple[Place, dict[str, Contrast]]]:
    by_labels = {_labels(row): results[row.cell] for row in rows if not row.is_floor}
    for labels, own in by_labels.items():
        *network, method = labels
        if is_control(method):
            continue
        beside = {name: by_labels.get((*network, control_title(name, method))) for name in CONTROLS}
        for measure in MEASURES:
            found = {name: cell_contrast(own, other, measure, seed) for name, other in beside.items() if other}
            yield (labels, measure), {name: one for name, one in found.items() if one is not None}


def cell_contrast(
    own: Sequence[Sequence[ClipResult]], other: Sequence[Sequence[ClipResult]], measure: str, seed: int
) -> Contrast | None:
    """A method against a control over trainings and actors; None where they have no number of the same clip."""
    differences = Values.of(
        (getattr(result, measure) - getattr(control, measure), number, actor_of(result))
        for number, (results, controls) in enumerate(zip(own, other, strict=True))
        for result in results
        for control in controls
        if control.clip == result.clip
    )
    measured = measure_values(differences, seed=seed)
    if measured is None:
        return None
    p_value = two_sided(differences)
    return Contrast(measured.mean, measured.low, measured.high, p_value, p_value)


def _labels(row: Row) -> tuple[str, ...]:
    return (row.cell.spectrum, *row.labels)
