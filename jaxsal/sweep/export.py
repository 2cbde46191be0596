"""What a sweep's store holds, as a text and as a table of results."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxsal.checks import check_choice
from jaxsal.files import write_atomically
from jaxsal.sweep import records
from jaxsal.sweep.config import SweepConfig
from jaxsal.sweep.progress import failures_text
from jaxsal.sweep.store import Store


def status_text(config: SweepConfig) -> str:
    """How many results every cell has, what ledgers hold, and which clips could not be used.

    Raises:
      FileNotFoundError: If there is no store yet.
    """
    store = Store(config.store)
    lines = []
    for name in store.groups("cells"):
        about = _about(store, f"cells/{name}")
        rows = records.rows(store, f"cells/{name}")
        done = sum(records.read_result(store, f"cells/{name}", row) is not None for row in rows.values())
        lines.append(f"{done:6,} of {len(rows):,} clips  {describe(about)}")
    masks = sum(int(store.read(f"ledgers/{name}/scored").sum()) for name in store.groups("ledgers"))
    lines.append(f"{masks:,} masks scored in {len(store.groups('ledgers'))} ledgers: {store.url}")
    failures = [(found["clip"], found["reason"]) for found in store.files("failures").values()]
    return "\n".join(lines) + ("\n" + failures_text(failures) if failures else "")


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
