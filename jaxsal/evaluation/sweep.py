"""A sweep: a plan of groups from a config, run by one process, by several that JAX joined, or by independent jobs."""

import dataclasses
import itertools
from collections.abc import Sequence
from contextlib import nullcontext, suppress

import jax

from jaxsal.core.checks import check_no_file
from jaxsal.core.devices import this_process_alone
from jaxsal.core.origin import origin
from jaxsal.core.processes import from_first, held_by_first, is_first, then_wait_for_all, wait_for_all
from jaxsal.engine.chunks import ChunkSizes
from jaxsal.evaluation.config import SweepConfig
from jaxsal.evaluation.grid import open_groups
from jaxsal.evaluation.groups import Group
from jaxsal.evaluation.plan import Plan, Task, make_plan
from jaxsal.evaluation.progress import Progress
from jaxsal.evaluation.run import Run
from jaxsal.evaluation.runner import run_tasks
from jaxsal.evaluation.store import Store


def run_sweep(
    config: SweepConfig, groups: Sequence[Group] | None = None, *, verify: bool = False, shard: tuple[int, int] = (0, 1)
) -> Plan:
    """Runs what is left to do of a sweep; the same call resumes one that was killed.

    Each process that JAX joined takes clips of its own; leftover clips are split across all devices.
    Jobs that do not know each other take a `shard` of the clips each. Results are the same either way.

    Args:
      config: The sweep.
      groups: Its cells, if they are open already; its checkpoints and clips are opened if None.
      verify: Whether to read the whole store first and redo damaged results; otherwise only what is used is
        checked.
      shard: (i, n): do every n-th clip of the sweep from i on, whatever others have done of it.

    Returns:
      The plan it started from.

    Raises:
      FileNotFoundError: If a checkpoint or a set of clips is missing.
      ValueError: If the config does not fit the checkpoints or the clips.
      OSError: If the store cannot be written, as when the disk is full, or another run works in it that is no shard
        of the same sweep; in every process, if one of several failed. Stores on a URL have no lock.
    """
    part = "" if shard[1] == 1 else f"shard {shard[0]}/{shard[1]}"
    if "://" not in config.store:
        check_no_file("store", config.store)
    with nullcontext() if "://" in config.store else held_by_first(config.store, "sweep", part=part):
        with then_wait_for_all("the store is opened"):
            groups = open_groups(config) if groups is None else groups
            store = Store(config.store, create=True)
            if verify:
                store.verify()
            plan, todo = make_plan(groups, store)
            if is_first():
                store.write_about(dict(config=dataclasses.asdict(config), **origin()))
        tasks = _tasks_of_shard(groups, todo, shard)
        rounds = [
            share_out([task for task in tasks if task.later == later], jax.process_index(), jax.process_count())
            for later in (False, True)
        ]
        shown = _progress_of(plan, groups, rounds, store.damaged)
        run = _run_of(config, groups, store, shown)
        try:
            for alone, together in rounds:
                _run_round(alone, together, run)
            if is_first():
                store.compact()
        finally:
            shown.close()
            with suppress(OSError):  # a sweep that is stopped still waits for its last write
                store.commit()
        if tasks:
            shown.say(shown.summary())
        return plan


def _progress_of(
    plan: Plan, groups: Sequence[Group], rounds: Sequence[tuple[list[Task], list[Task]]], damaged: Sequence[str]
) -> Progress:
    """The progress of a sweep, which says first what there is to do, and who does it."""
    alone, together = rounds[0]
    passes = sum(task.passes for some in rounds for task in itertools.chain(*some))
    shown = Progress(passes, len(alone) + len(together), show=is_first())
    shares = [f"{len(alone):,} clips by this process, {len(together):,} shared by {jax.process_count()} processes"]
    left_out = dict.fromkeys(group.left_out for group in groups if group.left_out)
    for line in (*str(plan).splitlines(), *left_out, *(shares if jax.process_count() > 1 else ()), *damaged):
        shown.say(line)
    return shown


def _run_round(alone: Sequence[Task], together: Sequence[Task], run: Run) -> None:
    """Does the clips of this process, then with the others those that all share."""
    run.store.read_only = False
    with then_wait_for_all("every process has done its clips"), this_process_alone():
        run_tasks(alone, run)
    run.store.read_only = not is_first()
    run_tasks(together, run)
    wait_for_all("the clips that processes share are done")


def _run_of(config: SweepConfig, groups: Sequence[Group], store: Store, shown: Progress) -> Run:
    masks = [found.num_masks for group in groups for found in group.score_sets.values()]
    passes = shown.total_passes // len(groups)
    return Run(
        store,
        shown,
        ChunkSizes(config.chunk_size, per_device=True, most=max(masks, default=1), passes=passes, say=shown.say),
        max(4, jax.local_device_count()),
        keep_maps=config.keep_maps,
        pass_over=True,
        masks_per_commit=config.masks_per_commit,
    )


def _tasks_of_shard(groups: Sequence[Group], tasks: Sequence[Task], shard: tuple[int, int]) -> list[Task]:
    """The tasks of the first process that are of a shard: every n-th clip of the sweep, done or not."""
    numbers = from_first(lambda: _numbers(groups, tasks))
    first = [0, *itertools.accumulate(len(group.cases) for group in groups)]
    mine = [(g, c, later) for g, c, later in numbers if (first[g] + c) % shard[1] == shard[0]]
    return _tasks(groups, tasks, mine)


def _numbers(groups: Sequence[Group], tasks: Sequence[Task]) -> list[list[int]]:
    """Tasks as numbers of a group and of a clip, and whether they come later."""
    places = {id(group): number for number, group in enumerate(groups)}
    cases = {id(group): {case.name: n for n, case in enumerate(group.cases)} for group in groups}
    return [[places[id(task.group)], cases[id(task.group)][task.case.name], int(task.later)] for task in tasks]


def _tasks(groups: Sequence[Group], tasks: Sequence[Task], numbers: Sequence[Sequence[int]]) -> list[Task]:
    """The tasks of the first process, as this one sees them; all cells where it sees nothing to do."""
    found = {tuple(place): task for place, task in zip(_numbers(groups, tasks), tasks, strict=True)}
    return [found.get((g, c, later)) or _whole_task(groups[g], c, bool(later)) for g, c, later in numbers]


def _whole_task(group: Group, clip: int, later: bool) -> Task:
    """All that a plan can ask of a clip at a time."""
    cells = tuple(number for number in range(len(group.cells)) if (number in group.own) == later)
    return Task(group, group.cases[clip], cells, {}, True, 1, later)


def share_out(tasks: Sequence[Task], process: int, num_processes: int) -> tuple[list[Task], list[Task]]:
    """The tasks of this process alone, and the leftover tasks that all processes share."""
    whole = len(tasks) - len(tasks) % num_processes
    if num_processes == 1:
        return list(tasks), []
    return list(tasks[process:whole:num_processes]), list(tasks[whole:])
