"""The study's own numbers, as far as they are at hand; `published.csv` holds them, one a line."""

import csv
from functools import cache
from importlib.resources import files

from jaxsal.report.table import Span

SOURCE = (
    "Published numbers: Bayer, Münch, Arens, slides of the talk on the companion paper (RRPR 2022, "
    "https://doi.org/10.1007/978-3-031-40773-4_4). A span means that only the span over several of the study's rows is "
    "known; most of its numbers are not at hand, and their cells are empty."
)
_KEYS = ("table", "arch", "spectra", "spectrum", "setting", "measure")


def published(table: str, arch: str, spectra: str, spectrum: str, setting: str, measure: str) -> Span | None:
    """What the study says, None where that is not at hand.

    Args:
      table: Name of the table, or "networks".
      arch: Architecture.
      spectra: What the network was trained on; where the study does not say it, any is right.
      spectrum: Of the clips.
      setting: What the row varies: a method, or the value of an option.
      measure: "deletion", "insertion" or "accuracy".
    """
    asked = dict(zip(_KEYS, (table, arch, spectra, spectrum, setting, measure), strict=True))
    for line in _lines():
        if all(line[key] in ("", asked[key]) for key in _KEYS):
            return Span(float(line["low"]), float(line["high"]))
    return None


def remarks(table: str) -> list[str]:
    """What must be known of a table's published numbers, each remark once."""
    found = dict.fromkeys(line["remark"] for line in _lines() if line["table"] == table)
    return [remark for remark in found if remark]


@cache
def _lines() -> list[dict[str, str]]:
    text = files("jaxsal.paper").joinpath("published.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
