"""What a sweep's store holds, as a text and as a table of results."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.core.checks import check_choice
from jaxsal.core.files import write_atomically
from jaxsal.evaluation.sweep import records
from jaxsal.evaluation.sweep.cells import Group, option_values
from jaxsal.evaluation.sweep.config import SweepConfig
from jaxsal.evaluation.sweep.plan import make_plan, survey
from jaxsal.evaluation.sweep.run import check_store, open_groups
from jaxsal.evaluation.sweep.store import Store
from jaxsal.recipes import RECIPES


class Status(NamedTuple):
    """How far a sweep is, for people and for machines."""

    text: str
    data: dict[str, Any]


def status(config: SweepConfig, groups: Sequence[Group] | None = None, *, new: bool = False) -> Status:
    """What the store holds of a sweep and what is left to do; computes and writes nothing.

    Args:
      config: The sweep.
      groups: Its cells, if they are open already.
      new: Whether the store may be missing.

    Raises:
      FileNotFoundError: If there is no store and it may not be new, or a checkpoint or a set of clips is missing.
      ValueError: If the config does not fit the store, or a description in it is damaged.
    """
    store = Store(config.store, create=new)
    check_store(store, config)
    groups = open_groups(config) if groups is None else groups
    found = survey(store, groups, config)
    plan, tasks = make_plan(found, groups)
    left = Counter(cell.path for task in tasks for cell in task.cells)
    missing: Counter[str] = Counter()
    for task in tasks:
        missing.update({path: len(ids) for path, ids in task.missing.items()})
    cells, ledgers = [], []
    for group in groups:
        count, name = len(group.cases), group.network.folder
        for cell in group.cells:
            what = describe(dict(identity=cell.identity, checkpoint=name))
            cells.append(dict(cell=_id(cell.path), what=what, done=count - left[cell.path], clips=count))
        for path, ledger in group.ledgers.items():
            masks = ledger.options.num_masks * count
            ledgers.append(dict(ledger=_id(path), held=masks - missing[path], masks=masks))
    failed = records.failures(store)
    lines = [f"{cell['done']:6,} of {cell['clips']:,} clips  {cell['what']}" for cell in cells]
    lines += [f"{one['held']:,} of {one['masks']:,} masks held in ledger {one['ledger']}" for one in ledgers]
    lines += [str(plan), f"store: {store.url}"]
    lines += [f"damaged: {message}" for message in found["damaged"]]
    lines += [f"not used: {failure['clip']}: {failure['reason']}" for failure in failed]
    data = dict(store=store.url, cells=cells, ledgers=ledgers, plan=plan._asdict(), damaged=found["damaged"])
    return Status("\n".join(lines), data | dict(forward_passes=plan.passes, failures=failed))


def _id(path: str) -> str:
    return path.split("/")[-1]


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
    """One row per cell and clip that is done."""
    for name in store.groups("cells"):
        path = f"cells/{name}"
        about = store.attributes(path) or {}
        identity, classes = about["identity"], about["classes"]
        found = records.read_rows(store, f"{path}/results", (len(about["clips"]), len(records.FIELDS)))
        for clip, values in zip(about["clips"], found.tolist(), strict=True):
            result = dict(zip(records.FIELDS, values, strict=True))
            if math.isnan(result["target"]):
                continue
            label = about["labels"][clip]
            yield dict(
                cell=name,
                ledger=_id(about["ledger"] or ""),
                checkpoint=about["checkpoint"],
                data=identity["data"],
                spectrum=identity["spectrum"],
                clip=clip,
                label=classes[label] if label >= 0 else "",
                method=identity["method"],
                recipe=identity["recipe"],
                explained=str(identity["target"]),
                options=json.dumps(identity["options"] | dict(frames_per_mask=identity["frames_per_mask"])),
                target=classes[int(result["target"])],
                **{field: result[field] for field in records.FIELDS if field != "target"},
            )


def describe(about: dict[str, Any]) -> str:
    """A cell in one line, with the options that are not those of the default recipe."""
    identity = about["identity"]
    usual = option_values(getattr(RECIPES["default"], identity["method"])) | dict(frames_per_mask=1)
    options = identity["options"] | dict(frames_per_mask=identity["frames_per_mask"])
    changed = ", ".join(f"{name} {value}" for name, value in options.items() if usual.get(name, ...) != value)
    return (
        f"{about['checkpoint']}, {identity['data']} {identity['spectrum']}, {identity['method']} of the "
        f"{identity['target']} class ({changed or 'all by default'})"
    )
