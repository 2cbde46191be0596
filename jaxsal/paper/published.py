"""The study's own numbers; `published.csv` holds every cell of its six tables, one a line."""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jaxsal.report.sheet import Spread

SOURCE = (
    "Published numbers: Bayer, Münch, Arens, slides of the talk on the companion paper (RRPR 2022, "
    "https://doi.org/10.1007/978-3-031-40773-4_4), mean ± standard deviation over clips; of how many is not said."
)


class PublishedCell(NamedTuple):
    """One number of the study.

    Attributes:
      table: Name of the table, or "networks".
      arch: Architecture.
      spectra: What the network was trained on; empty where the study does not say it.
      spectrum: Of the clips.
      setting: What the row varies: a method, or the value of an option.
      measure: "deletion", "insertion" or "accuracy".
      value: The number; the accuracy has no standard deviation.
    """

    table: str
    arch: str
    spectra: str
    spectrum: str
    setting: str
    measure: str
    value: Spread


def published(table: str, arch: str, spectra: str, spectrum: str, setting: str, measure: str) -> Spread | None:
    """What the study says of a cell, None where it has none; an empty field of the study's is any."""
    asked = (table, arch, spectra, spectrum, setting, measure)
    found = (cell for cell in cells() if all(own in ("", want) for own, want in zip(cell, asked, strict=False)))
    return next((cell.value for cell in found), None)


def published_settings(table: str) -> list[str]:
    """The settings of a table, in the study's order."""
    return list(dict.fromkeys(cell.setting for cell in cells() if cell.table == table))


@cache
def cells() -> tuple[PublishedCell, ...]:
    """Every number of the study, in its order."""
    text = files("jaxsal.paper").joinpath("published.csv").read_text(encoding="utf-8")
    _, *lines = csv.reader(text.splitlines())
    return tuple(PublishedCell._make((*keys, _spread(mean, std))) for *keys, mean, std in lines)


def _spread(mean: str, std: str) -> Spread:
    return Spread(float(mean), float(std) if std else None)
