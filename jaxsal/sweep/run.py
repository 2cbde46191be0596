"""Runs a sweep: what the store lacks is planned, laid over processes and devices, and done clip by clip."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import jax

from jaxsal.checkpoint import open_checkpoint, origin
from jaxsal.devices import this_process_alone
from jaxsal.processes import in_step, is_first, then_wait_for_all, wait_for_all
from jaxsal.sweep import records
from jaxsal.sweep.cells import Group, Network, expand
from jaxsal.sweep.config import SweepConfig
from jaxsal.sweep.programs import Meter, Scorer
from jaxsal.sweep.progress import Plan, Progress
from jaxsal.sweep.store import Store
from jaxsal.sweep.work import Task, Tools, do_task, passes_of_cell


def run_sweep(config: SweepConfig, groups: Sequence[Group] | None = None) -> Plan:
    """Runs what is left to do of a sweep; a killed one goes on where it was when this is called again.

    Every process first takes clips of its own, its devices sharing the masks; what does not go round is done by all
    devices together. Results are the same either way. Only one process writes a chunk.

    Args:
      config: The sweep.
      groups: Its cells, if they are open already; its checkpoints and clips are opened if None.

    Returns:
      The plan it started from.

    Raises:
      FileNotFoundError: If a checkpoint or a set of clips is missing.
      ValueError: If the config does not fit the store, the checkpoints or the clips.
      OSError: If the store cannot be written, as when the disk is full; in every process, if one of several failed.
    """
    with then_wait_for_all("the store is prepared"):
        groups = open_groups(config) if groups is None else groups
        store = Store(config.store, create=True)
        check_store(store, config)
        if is_first():
            about = json.loads(json.dumps(dict(config=dataclasses.asdict(config), **origin()), default=list))
            store.write_group("", about)
            records.prepare(store, groups, masks_per_commit=config.masks_per_commit, curve_steps=config.curve_steps)
    store.forget()
    with then_wait_for_all("the plan is made"):
        plan, tasks = make_plan(store, groups, config)
    alone, together = share_out(tasks, jax.process_index(), jax.process_count())
    meter = Meter()
    progress = Progress(meter, sum(task.passes for task in (*alone, *together)), quiet=not is_first())
    for line in str(plan).splitlines():
        progress.say(line)
    counts = [ledger.options.num_masks for group in groups for ledger in group.ledgers.values()]
    most = min(config.masks_per_commit, max(counts, default=1))
    tools = Tools(config, store, Scorer(config.chunk_size, most=most, say=progress.say), meter, progress)
    try:
        with then_wait_for_all("every process has done its clips"), this_process_alone():
            for task in alone:
                do_task(task, tools)
        store.read_only = not is_first()
        if together:
            with in_step():
                for task in together:
                    do_task(task, tools)
        wait_for_all("the sweep is done")
    finally:
        meter.close()
    if tasks:
        progress.say(progress.line())
    return plan


def open_groups(config: SweepConfig) -> list[Group]:
    """The cells of a config, with their networks and clips."""
    networks = [Network.of(folder, open_checkpoint(folder)) for folder in config.checkpoints]
    return expand(config, networks)


def check_store(store: Store, config: SweepConfig) -> None:
    """Raises ValueError if a store was begun with chunks of another size."""
    about = store.attributes("")
    if about is not None and about["config"]["masks_per_commit"] != config.masks_per_commit:
        raise ValueError(
            f"`masks_per_commit` must stay what {store.url} was begun with, {about['config']['masks_per_commit']}; "
            f"got {config.masks_per_commit}."
        )


def make_plan(store: Store, groups: Sequence[Group], config: SweepConfig) -> tuple[Plan, list[Task]]:
    """What there is to do, in all and clip by clip; damaged results count as missing."""
    tasks: list[Task] = []
    counts: dict[str, Any] = dict.fromkeys(("results_held", "masks", "masks_held", "other_passes"), 0)
    for group in groups:
        places = {path: records.rows(store, path) for path in [*group.ledgers, *(c.path for c in group.cells)]}
        for case in group.cases:
            task, held = _task(store, group, case, places, config)
            counts["results_held"] += len(group.cells) - len(task.cells)
            counts["masks"] += sum(ledger.options.num_masks for ledger in group.ledgers.values())
            counts["masks_held"] += held
            if task.cells:
                tasks.append(task)
    masks = counts["masks"] - counts["masks_held"]
    counts["other_passes"] = sum(task.passes for task in tasks) - masks
    plan = Plan(
        cells=sum(len(group.cells) for group in groups),
        ledgers=len({path for group in groups for path in group.ledgers}),
        clips=sum(len(group.cases) for group in groups),
        results=sum(len(group.cells) * len(group.cases) for group in groups),
        processes=jax.process_count(),
        **counts,
    )
    return plan, tasks


def _task(store: Store, group: Group, case: Any, places: dict[str, dict[str, int]], config: SweepConfig) -> Any:
    """What is left to do on one clip, and how many of its masks are scored."""
    name = case.name
    cells = tuple(
        cell
        for cell in group.cells
        if name not in places[cell.path] or records.read_result(store, cell.path, places[cell.path][name]) is None
    )
    needed = {cell.ledger.path for cell in cells if cell.ledger is not None}
    held = {
        path: min(records.num_scored(store, ledger, places[path][name]), ledger.options.num_masks)
        for path, ledger in group.ledgers.items()
        if name in places[path]
    }
    ledgers = tuple(ledger for path, ledger in group.ledgers.items() if path in needed)
    missing = sum(ledger.options.num_masks - held.get(ledger.path, 0) for ledger in ledgers)
    passes = missing + sum(passes_of_cell(cell, group, config) for cell in cells) + 1
    return Task(group, case, cells, ledgers, passes), sum(held.values())


def share_out(tasks: Sequence[Task], process: int, num_processes: int) -> tuple[list[Task], list[Task]]:
    """The tasks that a process does alone, and those that all do together: the rest of whole rounds."""
    whole = len(tasks) - len(tasks) % num_processes
    if num_processes == 1:
        return list(tasks), []
    return list(tasks[process:whole:num_processes]), list(tasks[whole:])
