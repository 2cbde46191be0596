"""What the study's numbers say by themselves: differences of cells that one thing tells apart."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from jaxsal.paper.published import PublishedCell, cells
from jaxsal.recipes import MEASURES
from jaxsal.report.sheet import Sheet, Value

Choice = Callable[[PublishedCell], bool]
_SIGNS = {"deletion": -1, "insertion": 1}
_DEFAULTS = {"rise-masks": "1000", "rise-grid": "2x8x8", "rise-probability": "0.1"}
_NOTE = (
    "Pairs of the study's own cells that only the named thing tells apart. Difference: first minus second; better: of "
    "how many pairs the first is better (low deletion, high insertion). Spread: the mean of the standard deviations "
    "over clips of both. The study does not say how many clips stand behind a cell, so nothing is tested. Its default "
    "setting of RISE stands in three tables; they differ by the study's own noise. Thresholds -1 and -0.5 give one "
    "constant map: it is the study's only control without information."
)


class _Contrast(NamedTuple):
    """Two choices of cells to compare, told apart by one field."""

    text: str
    field: str
    first: Choice
    second: Choice


def _main(method: str) -> Choice:
    return lambda cell: cell.table.startswith("results") and cell.setting == method


def _set(table: str, setting: str) -> Choice:
    return lambda cell: (cell.table, cell.setting) == (table, setting)


def _trained(*, jointly: bool) -> Choice:
    return lambda cell: cell.table.startswith("results") and (cell.spectra == "IRTV") == jointly


_CONTRASTS = (
    _Contrast("Grad-CAM over RISE", "setting", _main("gradcam"), _main("rise")),
    _Contrast("Grad-CAM over SIDU", "setting", _main("gradcam"), _main("sidu")),
    _Contrast("SIDU over RISE", "setting", _main("sidu"), _main("rise")),
    _Contrast("trained on IRTV over one spectrum", "spectra", _trained(jointly=True), _trained(jointly=False)),
    _Contrast("RISE: 10,000 masks over 100", "setting", _set("rise-masks", "10000"), _set("rise-masks", "100")),
    _Contrast("RISE: 2x8x8 over 8x8x8", "setting", _set("rise-grid", "2x8x8"), _set("rise-grid", "8x8x8")),
    _Contrast("RISE: p = 0.1 over 0.5", "setting", _set("rise-probability", "0.1"), _set("rise-probability", "0.5")),
    _Contrast("SIDU: tau = 0.5 over 0", "setting", _set("sidu-threshold", "0.5"), _set("sidu-threshold", "0")),
    _Contrast("SIDU: tau = 0.5 over -1", "setting", _set("sidu-threshold", "0.5"), _set("sidu-threshold", "-1")),
    _Contrast("SIDU: tau = -0.5 over -1", "setting", _set("sidu-threshold", "-0.5"), _set("sidu-threshold", "-1")),
)


def published_sheet() -> Sheet:
    """The differences, a line for each contrast and measure, and how far repetitions of one setting differ."""
    lines = [line for contrast in _CONTRASTS for measure in MEASURES if (line := _line(contrast, measure))]
    columns = ("comparison", "measure", "pairs", "better", "equal", "mean difference", "least", "greatest", "spread")
    lines += [_repetitions(measure) for measure in MEASURES]
    return Sheet("published", "What the published cells say by themselves", _NOTE, columns, tuple(lines))


def pairs(contrast: _Contrast, measure: str) -> list[tuple[PublishedCell, PublishedCell]]:
    """First and second cells of a contrast that are alike in all else."""

    def chosen(choice: Choice) -> Iterator[tuple[tuple[str, ...], PublishedCell]]:
        for cell in cells():
            if cell.measure == measure and choice(cell):
                yield tuple(getattr(cell, name) for name in cell._fields[:-1] if name != contrast.field), cell

    seconds = dict(chosen(contrast.second))
    return [(cell, seconds[alike]) for alike, cell in chosen(contrast.first) if alike in seconds]


def _line(contrast: _Contrast, measure: str) -> tuple[Value, ...]:
    found = pairs(contrast, measure)
    hundredths = [round(100 * (first.value.mean - second.value.mean)) for first, second in found]
    of = list(chain.from_iterable(found))
    better = sum(_SIGNS[measure] * difference > 0 for difference in hundredths)
    return (contrast.text, measure, len(found), better, hundredths.count(0), *_summary(hundredths, of))


def _summary(hundredths: Sequence[int], of: Sequence[PublishedCell]) -> tuple[float, float, float, float]:
    spread = float(np.mean([cell.value.std or 0.0 for cell in of]))
    return float(np.mean(hundredths)) / 100, min(hundredths) / 100, max(hundredths) / 100, spread


def _repetitions(measure: str) -> tuple[Value, ...]:
    """Greatest minus least of the three tables' values of RISE's default setting."""
    alike: dict[tuple[str, ...], list[PublishedCell]] = {}
    for cell in cells():
        if cell.measure == measure and _DEFAULTS.get(cell.table) == cell.setting:
            alike.setdefault((cell.arch, cell.spectrum), []).append(cell)
    means = [[cell.value.mean for cell in same] for same in alike.values()]
    ranges = [round(100 * (max(values) - min(values))) for values in means]
    text, every = "RISE's default in three tables, range", list(chain.from_iterable(alike.values()))
    return text, measure, len(ranges), None, ranges.count(0), *_summary(ranges, every)
