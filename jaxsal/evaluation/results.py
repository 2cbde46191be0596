"""What a store has found: one row per cell and clip, the arrays behind a row for xarray, and both as files.

A cell is a series of results, a ledger one of scores. Both are described by `identity`, `classes` and `checkpoint`, a
cell that reads a ledger also by `scores`, the ledger's name. The note of a result has `target`, `probability`,
`seconds`, `label`, `spectrum` and, where its map was measured, every measure, `floor` and `start`.
"""

import json
import math
from collections.abc import Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsal.core.checks import check_choice
from jaxsal.core.extras import check_installed
from jaxsal.core.files import DamagedError, csv_text, write_atomically, write_folder_atomically, write_text
from jaxsal.core.kinds import check_kinds
from jaxsal.core.shown import html_table
from jaxsal.evaluation.means import MOST_SHOWN, SETTLED_FIELDS, as_texts, mean_rows, means_text, order_of
from jaxsal.evaluation.reader import Description, Reader
from jaxsal.recipes import ADDED_MEASURES, ALONE, FURTHER_MEASURES, MEASURES

if TYPE_CHECKING:
    import pandas
    import xarray

_IF_KNOWN = (*ALONE, *FURTHER_MEASURES, *SETTLED_FIELDS)
_CLIPS_AT_ONCE = 64  # in memory, while a .zarr is written
_WRITERS: dict[str, tuple[str, ...]] = {".csv": (), ".parquet": ("pyarrow",), ".zarr": ("xarray", "zarr")}


class Results:
    """What a store held when it was opened.

    Attributes:
      url: The store.
      damaged: What is damaged in it, one message each; `rows` lack results whose description or header is.
    """

    def __init__(self, store: Reader):
        self.url, self.damaged = store.url, store.damaged
        self._store = store

    def __repr__(self) -> str:
        return f"Results({self._heading})\n{means_text(self.means())}".rstrip()

    def _repr_html_(self) -> str:
        texts = as_texts(self.means(), MOST_SHOWN)
        return f"<p>{escape(self._heading)}</p>{html_table(texts) if texts else ''}"

    @property
    def _heading(self) -> str:
        """How much there is."""
        cells = len({row["cell"] for row in self.rows})
        parts = [f"{self.url}: {len(self.rows):,} rows of {cells:,} cells"]
        parts += [f"{len(self.damaged)} damaged"] if self.damaged else []
        return ", ".join(parts)

    def means(self) -> list[dict[str, Any]]:
        """The means over clips, one row for each choice of what varies; see `mean_rows`."""
        return mean_rows(self.rows)

    def to_pandas(self) -> "pandas.DataFrame":
        """The rows as a table of pandas.

        Raises:
          MissingPackageError: If pandas is not installed.
        """
        check_installed("pandas")
        import pandas

        return pandas.DataFrame(self.rows)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One row per cell and clip that is done; `cell` and `ledger` are names for `dataset`. No array is read.

        Rows are sorted by method, recipe, options, target, measures, then what was explained, then clip. Options of the
        method have a column each, None where the method lacks the option.
        """
        described = self._store.descriptions("result").items()
        rows = [
            _row(cell, description, clip, note)
            for cell, description in sorted(described, key=lambda item: (*_order(item[1]), item[0]))
            for clip, note in self._store.notes("result", cell).items()
        ]
        columns = dict.fromkeys(name for row in rows for name in row)
        return [{name: row.get(name) for name in columns} for row in rows]

    def dataset(self, name: str) -> "xarray.Dataset":
        """The arrays of a cell or of a ledger, read from the store where they are used.

        A cell has `target` (clip), the explained class by name, `probability` and `seconds` (clip); where maps are
        stored, `saliency` (clip, time, row, column); where they were measured, `deletion` (clip, step), the target's
        probability, with the coordinate `deletion_fraction` (step), its area `deletion_auc` (clip), `deletion_logits`
        (clip, step, class), NaN where a step is not scored, and `deletion_replaced` (clip, class), of the fully
        replaced clip; likewise for insertion; `floor` and `start` (clip), and further measures by name. A ledger has
        `logits` (clip, mask, class), NaN where a mask is not scored, and `clip_logits` (clip, class). Clips and classes
        are chosen by name; time, row, column, step and mask by number.

        Args:
          name: `cell` or `ledger` of a row.

        Raises:
          MissingPackageError: If xarray is not installed.
          ValueError: If the store has neither. Also when an array is used that is damaged.
        """
        check_installed("xarray")
        from jaxsal.evaluation.lazy import open_dataset

        for kind in ("result", "scores"):
            if name in self._store.descriptions(kind):
                return open_dataset(self._store, kind, name, _number_fields())
        raise ValueError(f"`name` must be a cell or a ledger of {self.url}; got {name!r}.")

    def export(self, path: str | Path) -> int:
        """Writes the rows to a .csv or .parquet file, or rows, cells and ledgers to a .zarr folder; returns the rows.

        `xarray.open_zarr(path)` opens the rows, with `group="cells/NAME"` or `group="ledgers/NAME"` a dataset.

        Raises:
          ValueError: If the ending is another, there is no result yet, or one is damaged.
        """
        path = Path(path)
        check_choice("export", path.suffix, tuple(_WRITERS))
        check_installed(*_WRITERS[path.suffix])
        columns = {name: _column([row[name] for row in self.rows]) for name in (self.rows or [{}])[0]}
        if self.damaged:
            raise DamagedError(f"`store` must be whole; got {self.damaged[0]} The same sweep makes it whole again.")
        if not columns:
            raise ValueError(f"`store` must hold a result; got none in {self.url}.")
        if path.suffix == ".zarr":
            self._write_zarr(path, columns)
            return len(self.rows)
        if path.suffix == ".csv":
            write_text(path, csv_text([list(columns), *zip(*columns.values(), strict=True)]))
            return len(self.rows)
        import pyarrow
        import pyarrow.parquet

        with write_atomically(path) as file:
            pyarrow.parquet.write_table(pyarrow.table(columns), file, write_page_checksum=True)
        return len(self.rows)

    def _write_zarr(self, path: Path, columns: dict[str, list[Any]]) -> None:
        """Format 2 of Zarr, in which texts have a specification."""
        import xarray

        table = {name: ("result", _numbers_or_texts(values)) for name, values in columns.items()}
        with write_folder_atomically(path) as aside:
            xarray.Dataset(table).to_zarr(aside, mode="w", zarr_format=2)
            for folder, kind in (("cells", "result"), ("ledgers", "scores")):
                for name in self._store.descriptions(kind):
                    whole = self.dataset(name)
                    for start in range(0, whole.sizes["clip"], _CLIPS_AT_ONCE):
                        block = whole.isel(clip=slice(start, start + _CLIPS_AT_ONCE))
                        more: dict[str, Any] = dict(append_dim="clip") if start else {}
                        block.to_zarr(aside, group=f"{folder}/{name}", mode="a", zarr_format=2, **more)


@check_kinds
def open_results(store: str | Path) -> Results:
    """Opens what a run has found so far.

    Args:
      store: Its folder or URL; `results` in the folder of a run of `jaxsal demo`, `explain` or `evaluate`.

    Returns:
      One row per method and clip, `.rows`, and the arrays behind a row, `.dataset(name)`.

    Raises:
      FileNotFoundError: If there is no store.

    Example:
      >>> import jaxsal
      >>> results = jaxsal.open_results("runs/demo/results")  # doctest: +SKIP
      >>> results.to_pandas().groupby("method").deletion.mean()  # doctest: +SKIP
    """
    return Results(Reader(str(store)))


def _number_fields() -> tuple[str, ...]:
    """The numbers in the note of a result; those of measures only where its map was measured."""
    further = *FURTHER_MEASURES, *ADDED_MEASURES
    return ("probability", *MEASURES, *ALONE, *further, "floor", "seconds", "start", *SETTLED_FIELDS)


def _order(description: Description) -> tuple[Any, ...]:
    """What cells are sorted by; it does not depend on the weights, as their names do."""
    identity = description["identity"]
    options = [order_of(value) for value in identity["options"].values()]
    rest = [json.dumps(identity.get(name)) for name in ("frames_per_mask", "target", "against", "measures")]
    clips = [identity.get(name, "") for name in ("data", "split", "spectrum")]
    return identity["method"], identity["recipe"], options, rest, description["checkpoint"], clips


def _row(cell: str, description: Description, clip: str, note: dict[str, Any]) -> dict[str, Any]:
    identity, classes = description["identity"], description["classes"]
    options = identity["options"] | dict(frames_per_mask=identity["frames_per_mask"])
    row = dict(
        cell=cell,
        ledger=description.get("scores") or "",
        checkpoint=description["checkpoint"],
        data=identity.get("data", ""),
        spectrum=note["spectrum"],
        clip=clip,
        label=classes[note["label"]] if note["label"] >= 0 else "",
        method=identity["method"],
        recipe=identity["recipe"],
        explained=str(identity["target"]),
        target=classes[note["target"]],
        **({"against": classes[note["against"]]} if "against" in note else {}),
        **{field: note.get(field, math.nan) for field in _number_fields() if field in note or field not in _IF_KNOWN},
        **{f"{name}_baseline": identity["measures"].get(name, {}).get("baseline", "") for name in MEASURES},
    )
    return row | {name: tuple(v) if isinstance(v, list) else v for name, v in options.items() if name not in row}


def _column(values: Sequence[Any]) -> list[Any]:
    """Values of one kind: texts if one is a text or a list, else numbers; None stays."""
    if any(isinstance(value, str | tuple) for value in values):
        return [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    return list(values)


def _numbers_or_texts(values: Sequence[Any]) -> np.ndarray:
    if any(isinstance(value, str) for value in values):
        return np.array([value or "" for value in values])
    return np.array([math.nan if value is None else value for value in values])
