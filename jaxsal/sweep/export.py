"""What a sweep's store holds, as a text and as a table of results."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.checks import check_choice
from jaxsal.files import write_atomically
from jaxsal.sweep import records
from jaxsal.sweep.config import SweepConfig
from jaxsal.sweep.store import Store


class Status(NamedTuple):
    """How far a sweep is, for people and for machines."""

    text: str
    data: dict[str, Any]


def status(config: SweepConfig) -> Status:
    """How many results every cell has, what ledgers hold, and which clips could not be used.

    Raises:
      FileNotFoundError: If there is no store yet.
    """
    store = Store(config.store)
    cells = []
    for name in store.groups("cells"):
        rows = records.rows(store, f"cells/{name}")
        done = sum(records.read_result(store, f"cells/{name}", row) is not None for row in rows.values())
        cells.append(dict(cell=name, what=describe(_about(store, f"cells/{name}")), done=done, clips=len(rows)))
    ledgers = store.groups("ledgers")
    masks = sum(int(store.read(f"ledgers/{name}/scored").sum()) for name in ledgers)
    failures = list(store.files("failures").values())
    lines = [f"{cell['done']:6,} of {cell['clips']:,} clips  {cell['what']}" for cell in cells]
    lines.append(f"{masks:,} masks scored in {len(ledgers)} ledgers: {store.url}")
    lines += [f"not used: {failure['clip']}: {failure['reason']}" for failure in failures]
    return Status("\n".join(lines), dict(store=store.url, cells=cells, masks=masks, failures=failures))


def export_results(config: SweepConfig, path: Path) -> int:
    """Writes one row per cell and clip to a .csv or .parquet file, and returns how many there are.

    Raises:
      FileNotFoundError: If there is no store yet.
      ValueError: If the file's ending is another, or there is no result yet.
    """
    check_choice("export", path.suffix, (".csv", ".parquet"))
    table = list(result_rows(Store(config.store)))
    if not table:
        raise ValueError(f"`store` must hold a result; got none in {config.store}.")
    with write_atomically(path) as file:
        if path.suffix == ".parquet":
            import pyarrow
            import pyarrow.parquet

            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), file)
        else:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
            file.write(text.getvalue().encode())
    return len(table)


def result_rows(store: Store) -> Iterator[dict[str, Any]]:
    """One row per cell and clip that is done and whole."""
    for name in store.groups("cells"):
        about = _about(store, f"cells/{name}")
        identity, classes = about["identity"], about["classes"]
        for clip, row in records.rows(store, f"cells/{name}").items():
            result = records.read_result(store, f"cells/{name}", row)
            if result is None:
                continue
            label = about["labels"][clip]
            yield dict(
                cell=name,
                checkpoint=about["checkpoint"],
                data=identity["data"],
                spectrum=identity["spectrum"],
                clip=clip,
                label=classes[label] if label >= 0 else "",
                method=identity["method"],
                recipe=identity["recipe"],
                explained=str(identity["target"]),
                options=json.dumps(identity["options"] | _extra(identity)),
                target=classes[int(result["target"])],
                **{field: result[field] for field in records.FIELDS if field != "target"},
            )


def describe(about: dict[str, Any]) -> str:
    """A cell in one line."""
    identity = about["identity"]
    options = ", ".join(f"{name} {value}" for name, value in (identity["options"] | _extra(identity)).items())
    options = options or "all by default"
    return (
        f"{about['checkpoint']}, {identity['data']} {identity['spectrum']}, {identity['method']} of the "
        f"{identity['target']} class ({options})"
    )


def _extra(identity: dict[str, Any]) -> dict[str, Any]:
    return {name: identity[name] for name in ("frames_per_mask",) if name in identity}


def _about(store: Store, path: str) -> dict[str, Any]:
    about = store.attributes(path)
    assert about is not None
    return about
