"""What a run has still to do: found out from the store's index, without reading a score or computing anything."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jaxsal.engine.baselines import Baseline
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.groups import Group
from jaxsal.evaluation.store import Store
from jaxsal.saliency.method import OWN


class Task(NamedTuple):
    """What is still to do on one clip.

    Attributes:
      group: What the clip is of.
      case: The clip.
      cells: Numbers of the cells without a result.
      scores: By series, how many masks are not scored yet.
      anything: Whether there is anything to do.
      passes: Forward passes, at most.
      later: Whether the cells are of the control `other`, whose maps are those of other clips.
    """

    group: Group
    case: Case
    cells: tuple[int, ...]
    scores: dict[str, int]
    anything: bool
    passes: int
    later: bool = False


class Plan(NamedTuple):
    """How much there is to do, and how much of it is done.

    Attributes:
      cells: Cells.
      clips: Clips, once for each group.
      clips_done: Clips of which nothing is missing.
      results: Cells times their clips.
      results_done: Results that the store holds.
      masks: Masks to score, of all methods that have masks.
      masks_done: Masks whose scores the store holds.
      passes: Forward passes to do, at most: SIDU scores channels with the same mask once, and refined curves leave
        steps out.
    """

    cells: int = 0
    clips: int = 0
    clips_done: int = 0
    results: int = 0
    results_done: int = 0
    masks: int = 0
    masks_done: int = 0
    passes: int = 0

    def __str__(self) -> str:
        return (
            f"{self.cells:,} cells on {self.clips:,} clips: {self.results:,} results, {self.results_done:,} done\n"
            f"{self.masks:,} masks to score, {self.masks_done:,} done\n"
            f"at most {self.passes:,} forward passes to do"
        )


def make_plan(groups: Sequence[Group], store: Store | None, *, keep_clips: bool = False) -> tuple[Plan, list[Task]]:
    """What there is to do in all, and clip by clip.

    Args:
      groups: The cells and clips.
      store: What is done; nothing if None.
      keep_clips: Whether the clips themselves are stored, too.

    Returns:
      The plan, and the tasks that are left; tasks that need maps of others come last.
    """
    tasks = [task for group in groups for task in _tasks(group, store, keep_clips)]
    tasks.sort(key=lambda task: task.later)
    masks = sum(found.num_masks * len(group.cases) for group in groups for found in group.score_sets.values())
    results = sum(len(group.cases_of(number)) for group in groups for number in range(len(group.cells)))
    todo = [task for task in tasks if task.anything]
    clips = sum(len(group.cases) for group in groups)
    plan = Plan(
        cells=sum(len(group.cells) for group in groups),
        clips=clips,
        clips_done=clips - len({(id(task.group), task.case.name) for task in todo}),
        results=results,
        results_done=results - sum(len(task.cells) for task in tasks),
        masks=masks,
        masks_done=masks - sum(sum(task.scores.values()) for task in tasks),
        passes=sum(task.passes for task in todo),
    )
    return plan, todo


class _Kind(NamedTuple):
    """What maps cost that are measured alike.

    Attributes:
      passes: Forward passes of one map, at most, beside the untouched and the fully replaced clips.
      ends: What replaces the whole clip.
      cells: Numbers of the cells.
    """

    passes: int
    ends: frozenset[Baseline]
    cells: set[int]


def _tasks(group: Group, store: Store | None, keep_clips: bool) -> Iterator[Task]:
    held: dict[str, Any] = {series: store.held("scores", series) if store else {} for series in group.score_sets}
    kinds: dict[Any, _Kind] = {}
    at_once = {number: cell for number, cell in enumerate(group.cells) if number not in group.own}
    for number, cell in at_once.items():
        if (alike := cell.measured_alike) not in kinds:
            replaced = frozenset(group.baselines(cell).values())
            kinds[alike] = _Kind(group.measuring_passes(cell), replaced, set())
        kinds[alike].cells.add(number)
    direct = {number for number, cell in enumerate(group.cells) if cell.kind.maps is not None}
    for case, left in zip(group.cases, _cells_left(group, store), strict=True):
        cells = tuple(number for number in left if number in at_once)
        if later := tuple(number for number in left if number in group.own):
            measuring = sum(group.measuring_passes(group.cells[number]) for number in later)
            yield Task(group, case, later, {}, True, measuring, later=True)
        scores: dict[str, int] = {}
        for series, found in group.score_sets.items():
            missing = found.num_masks - _count(held[series].get(case.name, ()), found.num_masks)
            if found.open_ended and not any(group.reads[number] == series for number in left):
                missing = 0  # what the results needed is there
            scores |= {series: missing} if missing > 0 else {}
        kept = store is not None and store.note("clip", group.clip_series, case.name) is not None
        passes, ends = sum(scores.values()), set[Baseline]()
        known = set(group.baselines(group.cells[0]).values()) if kept else set()
        for kind in kinds.values():
            count = len(kind.cells.intersection(cells))
            passes += count * kind.passes
            known |= kind.ends if count < len(kind.cells) else set()
            ends |= kind.ends if count else set()
        sets = [group.score_sets[series].cell for series in scores]
        seen = kept or len(cells) < len(at_once) or any(case.name in clips for clips in held.values())
        untouched = not seen or any(cell.kind.needs_parts for cell in sets) or not direct.isdisjoint(cells)
        own = [group.cells[number] for number in direct.intersection(cells)]
        made = [*sets, *own]
        passes += sum(cell.kind.extra_passes(cell.options) for cell in made)
        passes += len({cell.kind.activations(cell.options) for cell in made} - {OWN})
        todo = bool(cells or scores or (keep_clips and not kept))
        yield Task(group, case, cells, scores, todo, passes + len(ends - known) + untouched if todo else 0)


def _cells_left(group: Group, store: Store | None) -> list[tuple[int, ...]]:
    """Of each clip, the numbers of the cells without a result."""
    every = {case.name for case in group.cases}
    left: dict[str, list[int]] = {name: [] for name in every}
    for number, series in enumerate(group.series):
        wanted = every if number not in group.partners else group.partners[number].keys()
        for name in wanted - set(store.clips("result", series) if store else ()):
            left[name].append(number)
    return [tuple(left[case.name]) for case in group.cases]


def _count(spans: Sequence[tuple[int, int]], most: int) -> int:
    """How many of the first `most` masks some spans hold."""
    return sum(min(stop, most) - start for start, stop in spans if start < most)
