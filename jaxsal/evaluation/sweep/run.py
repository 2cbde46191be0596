"""Runs a sweep: what the store lacks is planned, laid over processes and devices, and done clip by clip."""

import dataclasses
import itertools
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import jax

from jaxsal.core.devices import this_process_alone
from jaxsal.core.processes import from_first, in_step, is_first, then_wait_for_all, wait_for_all
from jaxsal.evaluation.sweep import records
from jaxsal.evaluation.sweep.cells import Group, Network, expand
from jaxsal.evaluation.sweep.config import SweepConfig
from jaxsal.evaluation.sweep.plan import Task, make_plan, survey
from jaxsal.evaluation.sweep.programs import Meter, Scorer
from jaxsal.evaluation.sweep.progress import Plan, Progress
from jaxsal.evaluation.sweep.store import Store
from jaxsal.evaluation.sweep.work import Tools, do_tasks
from jaxsal.training.checkpoint import open_checkpoint, origin


def run_sweep(config: SweepConfig, groups: Sequence[Group] | None = None, *, verify: bool = False) -> Plan:
    """Runs what is left to do of a sweep; a killed one goes on where it was when this is called again.

    Every process first takes clips of its own: what takes one pass of a clip is done for as many clips as it has
    devices, one on each; masks are laid over its devices. What does not go round is done by all devices together.
    Results are the same either way. Only one process writes a chunk.

    Args:
      config: The sweep.
      groups: Its cells, if they are open already; its checkpoints and clips are opened if None.
      verify: Whether to read saved maps and curves too, and make damaged ones again; scores always are.

    Returns:
      The plan it started from.

    Raises:
      FileNotFoundError: If a checkpoint or a set of clips is missing.
      ValueError: If the config does not fit the store, the checkpoints or the clips.
      OSError: If the store cannot be written, as when the disk is full; in every process, if one of several failed.
    """
    with then_wait_for_all("the store is opened"):
        groups = open_groups(config) if groups is None else groups
        store = Store(config.store, create=True)
    found = from_first(lambda: _prepare(store, groups, config, verify))
    plan, tasks = make_plan(found, groups)
    alone, together = share_out(tasks, jax.process_index(), jax.process_count())
    meter = Meter()
    progress = Progress(meter, sum(task.passes for task in (*alone, *together)), quiet=not is_first())
    for line in str(plan).splitlines():
        progress.say(line)
    for message in found["damaged"]:
        progress.say(f"damaged scores are made again: {message}")
    counts = [ledger.options.num_masks for group in groups for ledger in group.ledgers.values()]
    most = min(config.masks_per_commit, max(counts, default=1))
    tools = Tools(config, store, Scorer(config.chunk_size, most=most, say=progress.say), meter, progress)
    try:
        with then_wait_for_all("every process has done its clips"), this_process_alone():
            _do_all(alone, tools)
        store.read_only = not is_first()
        if together:
            with in_step():
                _do_all(together, tools)
        wait_for_all("the sweep is done")
    finally:
        meter.close()
        with suppress(OSError):  # of a sweep that is stopped, the last write is still awaited
            store.settle()
    if tasks:
        progress.say(progress.line())
    return plan


def _do_all(tasks: Sequence[Task], tools: Tools) -> None:
    """As many clips of one group at a time as this process has devices."""
    for _, alike in itertools.groupby(tasks, key=lambda task: id(task.group)):
        of_group = list(alike)
        for start in range(0, len(of_group), jax.local_device_count()):
            do_tasks(of_group[start : start + jax.local_device_count()], tools)


def _prepare(store: Store, groups: Sequence[Group], config: SweepConfig, verify: bool) -> dict[str, Any]:
    """Makes room for what a sweep finds, and says what the store holds of it."""
    check_store(store, config)
    about = dict(config=dataclasses.asdict(config), **origin())
    store.update_group("", lambda before: about)
    records.prepare(store, groups, masks_per_commit=config.masks_per_commit, curve_steps=config.curve_steps)
    return survey(store, groups, config, verify=verify)


def open_groups(config: SweepConfig) -> list[Group]:
    """The cells of a config, with their networks and clips."""
    networks = [Network.of(folder, open_checkpoint(folder)) for folder in config.checkpoints]
    return expand(config, networks)


def check_store(store: Store, config: SweepConfig) -> None:
    """Raises ValueError if a store was begun with chunks of another size."""
    about = store.attributes("")
    begun = None if about is None else about.get("config", {}).get("masks_per_commit")
    if begun not in (None, config.masks_per_commit):
        raise ValueError(
            f"`masks_per_commit` must stay what {store.url} was begun with, {begun}; got {config.masks_per_commit}."
        )


def share_out(tasks: Sequence[Task], process: int, num_processes: int) -> tuple[list[Task], list[Task]]:
    """The tasks that a process does alone, and those that all do together: the rest of whole rounds."""
    whole = len(tasks) - len(tasks) % num_processes
    if num_processes == 1:
        return list(tasks), []
    return list(tasks[process:whole:num_processes]), list(tasks[whole:])
