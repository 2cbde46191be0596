"""The cells of the study's tables: which network on which clips, by which method with which options."""

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

from jaxsal.core.controls import control_names
from jaxsal.datasets.records import SPECTRA
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.paper.config import ARCHITECTURES, CONTROLS, Study
from jaxsal.paper.published import published_settings
from jaxsal.recipes import STUDY_METHODS, RecipeName
from jaxsal.saliency import methods


class Setting(NamedTuple):
    """One method with one set of options on the test clips of one spectrum.

    Attributes:
      arch: The network's architecture.
      spectra: What it was trained on.
      spectrum: Of the clips, "IR" or "TV".
      method: A key of `jaxsal.saliency.methods.METHODS`.
      options: How the clips are explained; cells with the same options share one run.
    """

    arch: str
    spectra: str
    spectrum: str
    method: str
    options: ExplainOptions

    @property
    def label(self) -> str:
        """The method as results name it."""
        return methods.METHODS[self.method].title


class Row(NamedTuple):
    """One row of a table.

    Attributes:
      labels: What its leading columns say.
      cell: Where its numbers come from.
      setting: What the row varies, as the published numbers name it.
      is_floor: Whether it shows the fully removed clips' scores instead of a method's.
      is_run: Whether the study runs the cell; of others the row has the published number alone.
    """

    labels: tuple[str, ...]
    cell: Setting
    setting: str
    is_floor: bool = False
    is_run: bool = True


class Table(NamedTuple):
    """One table of the study.

    Attributes:
      name: Of its files.
      title: Its heading.
      note: What a reader must know.
      columns: The names of the leading columns.
      rows: Its rows.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def make_cell(
    study: Study, recipe: RecipeName, arch: str, spectra: str, spectrum: str, method: str, **change: Any
) -> Setting:
    """A cell of the two main tables, or one with single options changed."""
    options = study.options(recipe, arch)
    if change.get("threshold", 0) < 0:  # activations are not negative, so all of these give one map: it is made once
        change["threshold"] = next(value for value in study.thresholds if value < 0)
    changed = dataclasses.replace(options, **change)
    if changed != options:
        options = dataclasses.replace(changed, method=(method,), controls=())
    return Setting(arch, spectra, spectrum, method, options)


def study_tables(study: Study, recipe: RecipeName) -> tuple[Table, ...]:
    """All tables of the study, in its order."""
    grids, probs = study.grid_shapes, study.keep_probs
    counts = f"One run of {study.mask_counts[-1]} masks a clip; smaller numbers are its first masks."
    return (
        _results(study, recipe, "IR"),
        _results(study, recipe, "TV"),
        _sweep(study, recipe, "rise-masks", "RISE: number of masks N", "rise", "num_masks", study.mask_counts, counts),
        _sweep(study, recipe, "rise-grid", "RISE: grid, time x height x width", "rise", "grid_shape", grids),
        _sweep(study, recipe, "rise-probability", "RISE: flip probability p", "rise", "keep_prob", probs),
        _sweep(
            study,
            recipe,
            "sidu-threshold",
            "SIDU: threshold tau",
            "sidu",
            "threshold",
            study.thresholds,
            "Below 0 every mask keeps everything: the map is constant, voxels go in a fixed random order.",
        ),
    )


def _results(study: Study, recipe: RecipeName, spectrum: str) -> Table:
    rows = []
    for arch, network in ARCHITECTURES.items():
        for spectra in (spectrum, "IRTV"):
            cells = [
                make_cell(study, recipe, arch, spectra, spectrum, name)
                for name in (*STUDY_METHODS, *control_names(CONTROLS, STUDY_METHODS))
            ]
            rows += [Row((network, spectra, cell.label), cell, cell.method) for cell in cells]
            rows.append(Row((network, spectra, "floor"), cells[0], "floor", is_floor=True))
    columns = ("network", "trained on", "method")
    return Table(f"results-{spectrum.lower()}", f"Results on {spectrum} clips", "", columns, tuple(rows))


def _sweep(
    study: Study,
    recipe: RecipeName,
    name: str,
    title: str,
    method: str,
    option: str,
    values: Iterable[Any],
    note: str = "",
) -> Table:
    """One option of one method varied, with the networks trained on both spectra; the study's own values among them."""
    values, rows = tuple(values), []
    for arch, network in ARCHITECTURES.items():
        for spectrum in SPECTRA:
            at = (study, recipe, arch, "IRTV", spectrum)
            for value in sorted({*values, *(_read_value(text, values[0]) for text in published_settings(name))}):
                cell, setting = make_cell(*at, method, **{option: value}), value_name(value)
                rows.append(Row((network, spectrum, setting), cell, setting, is_run=value in values))
            controls = [make_cell(*at, other) for other in control_names(CONTROLS, [method])]
            rows += [Row((network, spectrum, cell.label), cell, cell.method) for cell in controls]
            rows.append(Row((network, spectrum, "floor"), make_cell(*at, method), "floor", is_floor=True))
    held = "The networks trained on IRTV; other options as in the main tables."
    columns = ("network", "input", title.split(": ")[1].split(",")[0])
    return Table(name, title, f"{held} {note}".strip(), columns, tuple(rows))


def _read_value(text: str, like: Any) -> Any:
    """What `value_name` made a text of, of the kind of another value."""
    return tuple(map(int, text.split("x"))) if isinstance(like, tuple) else type(like)(text)


def value_name(value: object) -> str:
    """An option's value in a table: 2x8x8, 0.25, 1000."""
    return "x".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}"
