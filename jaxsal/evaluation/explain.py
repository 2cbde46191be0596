"""Explains clips by several methods and measures the maps: a plan of one classifier on some clips."""

import sys
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from jaxsal.classifier import Classifier
from jaxsal.core.files import DamagedError
from jaxsal.core.types import ScoreFn
from jaxsal.engine.chunks import ChunkSizes
from jaxsal.engine.spectra import form_of
from jaxsal.evaluation.cases import select_cases as select_cases
from jaxsal.evaluation.cells import Case, cells_of, check_names_differ, class_against
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.groups import Group, classifier_identity, with_precision
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.progress import Progress
from jaxsal.evaluation.reading import Place, places_of, read_explanation
from jaxsal.evaluation.run import Run
from jaxsal.evaluation.runner import forget_changed_clips, run_tasks
from jaxsal.evaluation.store import Store
from jaxsal.recipes import ChunkSize

Found = TypeVar("Found")

FOLDER = "results"
"""Of the store, in the folder of a run."""


def explaining_groups(
    classifier: ScoreFn,
    clip_shape: tuple[int, ...],
    cases: Sequence[Case],
    options: ExplainOptions,
    *,
    channels: Sequence[tuple[str, int]] = (),
    classes: Sequence[str] = (),
    source: str = "",
    **identity: object,
) -> list[Group]:
    """The plan of explaining clips of one shape: a group for every class that is asked for.

    Args:
      classifier: What is explained.
      clip_shape: (T, H, W, C); of scenes that of their first spectrum.
      cases: The clips.
      options: Methods, recipe and their options.
      channels: Of scenes, every spectrum with its channels.
      classes: Names of the classes.
      source: Of the classifier, for people.
      **identity: What else tells the results from others.

    Raises:
      ValueError: If an option is not allowed, or two cases share a name.
    """
    check_names_differ(cases)
    exact = classifier
    if isinstance(classifier, Classifier):
        classifier = with_precision(classifier, options.precision)
    against = class_against(options.against, classes)
    shared: dict[str, object] = classifier_identity(classifier) | identity
    groups = []
    for target in dict.fromkeys(case.target for case in cases):
        wanted = "predicted" if target is None else target
        cells = cells_of(options, classifier, clip_shape, wanted, against=against, num_spectra=len(channels))
        chosen = tuple(case for case in cases if case.target == target)
        form = tuple(clip_shape), tuple(channels)
        groups.append(Group(shared, classifier, tuple(classes), form[0], chosen, cells, source, form[1], exact))
    return groups


class Explained(NamedTuple):
    """Explanations, and where the store has them."""

    explanations: list[Explanation]
    places: list[Place]


def explain_all(
    classifier: ScoreFn,
    cases: Iterable[Case],
    options: ExplainOptions,
    directory: str | Path | None = None,
    *,
    clip_shape: tuple[int, ...] | None = None,
    progress: bool = False,
) -> list[Explanation]:
    """Explains clips, a few at a time; results of the same clips, weights and options are taken up, not made again.

    Args:
      classifier: What is explained.
      cases: The clips.
      options: Methods, recipe and their options; `clips_per_batch` says how many clips, of one shape, go together.
      directory: Folder of the store of results; they are kept in memory alone if None.
      clip_shape: (T, H, W, C) of all clips; each is read beforehand to find out if None.
      progress: Whether to say on standard error how far it is.

    Raises:
      ValueError: If an option is not allowed, two cases share a name, or a clip cannot be used.
    """
    return explain_cases(classifier, cases, options, directory, clip_shape=clip_shape, progress=progress).explanations


def explain_cases(
    classifier: ScoreFn,
    cases: Iterable[Case],
    options: ExplainOptions,
    directory: str | Path | None = None,
    *,
    clip_shape: tuple[int, ...] | None = None,
    channels: Sequence[tuple[str, int]] = (),
    classes: Sequence[str] = (),
    source: str = "",
    progress: bool = False,
) -> Explained:
    """`explain_all`, with where the store has what was found; arguments as there and for `explaining_groups`."""
    found, places = explain_each(
        classifier,
        cases,
        options,
        lambda store, case, place: read_explanation(store, place, options),
        directory,
        clip_shape=clip_shape,
        channels=channels,
        classes=classes,
        source=source,
        progress=progress,
    )
    return Explained(found, places)


Read = Callable[[Store, Case, Place], Found]
"""What is made of a clip's results: of the store, the case, and where the store has its results."""


def explain_each(
    classifier: ScoreFn,
    cases: Iterable[Case],
    options: ExplainOptions,
    read: Read[Found],
    directory: str | Path | None = None,
    *,
    keep_clips: bool = True,
    clip_shape: tuple[int, ...] | None = None,
    channels: Sequence[tuple[str, int]] = (),
    classes: Sequence[str] = (),
    source: str = "",
    progress: bool = False,
) -> tuple[list[Found], list[Place]]:
    """Explains clips, then reads what was found clip by clip, so that no more is held than `read` gives.

    Args:
      classifier: As of `explain_all`, as all that is not named here.
      cases: The clips.
      options: Methods, recipe and their options.
      read: Reads a clip's results; raises DamagedError if something is damaged.
      directory: Folder of the store.
      keep_clips: Whether the clips and their baselines are stored.
      clip_shape: (T, H, W, C) of all clips.
      channels: As of `explaining_groups`, as the next two.
      classes: Names of the classes.
      source: Of the classifier.
      progress: Whether to say how far it is.

    Returns:
      What `read` gave of each clip, and where the store has them.
    """
    given = list(cases)
    check_names_differ(given)
    at_once = min(options.clips_per_batch, max(len(given), 1))
    if options.chunk_size != "auto":
        at_once = min(at_once, options.chunk_size)
    load = lru_cache(at_once)(lambda number: given[number].load())  # a few clips are loaded once
    cases = [case._replace(load=partial(load, number)) for number, case in enumerate(given)]
    store = Store(f"memory://{uuid.uuid4().hex}" if directory is None else str(directory), create=True)
    by_form: dict[Any, list[Case]] = {}
    options.check()
    for case in cases:
        known = None if clip_shape is None else (clip_shape, tuple(channels))
        by_form.setdefault(known or form_of(case.load()), []).append(case)
    groups = [
        group
        for (shape, own), alike in by_form.items()
        for group in explaining_groups(classifier, shape, alike, options, channels=own, classes=classes, source=source)
    ]
    by_name = {case.name: case for case in cases}

    def read_all() -> tuple[list[Found], list[Place]]:
        own = {place.name: place for place in places_of(groups, store)}
        places = [own[name] for name in by_name]
        return [read(store, by_name[place.name], place) for place in places], places

    run = partial(run_groups, groups, store, read_all, keep_maps=True, keep_clips=keep_clips, show=progress)
    found = run(chunk_size=options.chunk_size, clips_at_once=at_once)
    if directory is None:
        store.clear()
    return found


def run_groups(
    groups: Sequence[Group],
    store: Store,
    read: Callable[[], Found],
    *,
    chunk_size: ChunkSize,
    clips_at_once: int,
    keep_maps: bool = False,
    keep_clips: bool = False,
    show: bool = True,
    show_plan: bool = False,
) -> Found:
    """Does what a store lacks of a plan or holds of other clips, and reads it; what is damaged then is made again.

    Args:
      groups: The plan.
      store: Where results go.
      read: Reads from the store, once all is there; raises DamagedError if something is damaged.
      chunk_size: Perturbed clips in memory at once, or "auto".
      clips_at_once: Clips that are done together.
      keep_maps: Whether all maps are stored, for pictures.
      keep_clips: Whether the clips and their baselines are.
      show: Whether to say on standard error how far it is.
      show_plan: Whether to print the plan there first.

    Returns:
      What `read` gives.
    """

    def complete_and_read() -> Found:
        forget_changed_clips(groups, store)
        plan, tasks = make_plan(groups, store, keep_clips=keep_clips)
        if show_plan:
            print(plan, file=sys.stderr)
        shown = Progress(plan.passes, sum(not task.later for task in tasks), show=show)
        for reason in dict.fromkeys(group.left_out for group in groups if group.left_out):
            shown.say(reason)
        chunks = ChunkSizes(chunk_size, passes=plan.passes // max(len(groups), 1), say=shown.say)
        run = Run(store, shown, chunks, clips_at_once, keep_maps, keep_clips)
        try:
            run_tasks(tasks, run)
        finally:
            shown.close()
        return read()

    try:
        return complete_and_read()
    except DamagedError:
        store.verify()  # where one record is damaged, others may be
        return complete_and_read()
