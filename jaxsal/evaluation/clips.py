"""The scores of a few clips of one group, see `jaxsal.evaluation.cell_maps` for their maps.

Everything that takes one pass of a clip is done for all clips at once, and so are masks of all clips and the curves of
all maps, side by side in each chunk.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jaxsal.core.devices import device_mesh
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.masks import Families
from jaxsal.engine.requests import Request, Scores, join_logits, rows_of, split_scores
from jaxsal.engine.scoring import CHUNKS_PER_PROGRAM, score
from jaxsal.evaluation.cells import Cell
from jaxsal.evaluation.groups import ScoreSet
from jaxsal.saliency.growth import portions, whole_batches
from jaxsal.saliency.order import FIRST_LOOK, looks

Keep = Callable[[int, tuple[int, int], Mapping[str, np.ndarray]], None]
"""Called with a clip's number, the (start, stop) of masks, and the arrays to keep of them."""


class Held(NamedTuple):
    """Scores of a clip that are there already.

    Attributes:
      ids: Numbers of the masks, ascending.
      logits: Of the clip under them.
      arrays: What the masks are made of, where options and seed do not determine them.
    """

    ids: np.ndarray
    logits: np.ndarray
    arrays: Mapping[str, np.ndarray]


def complete_scores(
    batch: Batch,
    found: ScoreSet,
    held: Mapping[int, Held],
    clips: Sequence[int],
    *,
    keep: Keep,
    chunk_size: int,
    pad: Callable[[Any], Any] = lambda family: family,
) -> dict[int, Scores]:
    """The scores of some clips of a batch, after scoring the missing ones.

    Args:
      batch: The clips.
      found: Which scores.
      held: By clip, the scores that are there already.
      clips: Numbers of the clips.
      keep: Keeps what is scored, as it comes.
      chunk_size: Masks in memory at once.
      pad: Gives families of masks the sizes that all families of the group share.
    """
    cell, method = found.cell, found.cell.kind
    assert method.masks is not None
    assert method.restored is not None
    complete = {
        clip: method.restored(own.arrays, cell.options, cell.shape, cell.seed)
        for clip, own in held.items()
        if len(own.ids) >= found.num_masks
    }
    scores = {
        clip: Scores(family, held[clip].ids, held[clip].logits, batch.logits[clip]) for clip, family in complete.items()
    }
    left = [clip for clip in clips if clip not in complete]
    if left:
        families, requests = method.masks(batch, cell.options, cell.shape, cell.seed)
        wanted = [_missing(request, held.get(request.clip), cell) for request in requests if request.clip in left]
        families = families if isinstance(families, Families) else Families.of([pad(one) for one in families])
        scores |= _score(batch, families, wanted, held, cell, keep, chunk_size)
    return scores


def settle_scores(
    complete: Callable[..., dict[int, Scores]],
    found: ScoreSet,
    held: Mapping[int, Held],
    clips: Sequence[int],
    *,
    enough: Callable[[int, Scores], bool],
    chunk_size: int,
) -> dict[int, Scores]:
    """The scores of some clips, of twice as many masks at a time until each clip has enough.

    Args:
      complete: `complete_scores` but for what is named here.
      found: Which scores, with the most masks.
      held: By clip, the scores that are there already.
      clips: Numbers of the clips.
      enough: (clip, scores) to whether they are.
      chunk_size: Masks in memory at once.
    """
    scores: dict[int, Scores] = {}
    left, there = list(clips), dict(held)
    for count in looks(FIRST_LOOK, found.num_masks):
        scores |= complete(found.first(count), there, left, chunk_size=chunk_size)
        there |= {clip: Held(scores[clip].ids, np.asarray(scores[clip].logits), {}) for clip in left}
        left = [clip for clip in left if not enough(clip, scores[clip])]
        if not left:
            break
    return scores


def _missing(request: Request, held: Held | None, cell: Cell) -> Request:
    """A request without the masks that are scored already; batches that are normalised together stay whole."""
    if held is None or request.places is not None:
        return request
    ids, batch_size = held.ids, getattr(cell.options, "batch_size", None)
    if batch_size is not None:
        ids = ids[whole_batches(ids, batch_size)]
    left = ~np.isin(request.ids, ids)
    return request._replace(ids=request.ids[left], ends=None if request.ends is None else request.ends[left])


def _score(
    batch: Batch,
    families: Families,
    requests: Sequence[Request],
    held: Mapping[int, Held],
    cell: Cell,
    keep: Keep,
    chunk_size: int,
) -> dict[int, Scores]:
    """Scores requests portion by portion; a mask that is scored is kept at once."""
    options, method = cell.options, cell.kind
    batch_size = getattr(options, "batch_size", None)
    run = partial(
        score,
        batch,
        families,
        baseline=Baseline.of(getattr(options, "baseline", "mean")),
        frame_slices=getattr(options, "frame_slices", "aligned"),
        batch_size=batch_size,
        chunk_size=chunk_size,
    )
    pairs, ids, ends = rows_of(requests)
    resumable = method.stored is None and all(request.places is None for request in requests)
    least = CHUNKS_PER_PROGRAM * (batch_size or chunk_size) if resumable else max(len(ids), 1)
    logits = np.empty((len(ids), batch.num_classes), np.float32)
    for rows in _portions(pairs[:, 0], least, by_clip=batch_size is not None):
        logits[rows] = run(pairs[rows], ids[rows], ends=ends[rows])
        for span in _spans(pairs[rows, 0], ids[rows]) if resumable else ():
            of_span = rows[span]
            clip, first, last = pairs[of_span[0], 0], ids[of_span[0]], ids[of_span[-1]]
            keep(int(clip), (int(first), int(last) + 1), {"logits": logits[of_span]})
    scores = {}
    for request, own in zip(requests, split_scores(batch, families, requests, logits), strict=True):
        if not resumable:
            arrays = {"logits": np.asarray(own.logits)} | (method.stored(own.family) if method.stored else {})
            keep(request.clip, (0, len(own.ids)), arrays)
        elif (there := held.get(request.clip)) is not None:
            numbers, joined = join_logits(own.ids, own.logits, there.ids, there.logits)
            own = own._replace(ids=numbers, logits=joined)
        scores[request.clip] = own
    return scores


def _portions(clips: np.ndarray, least: int, *, by_clip: bool) -> Iterator[np.ndarray]:
    """Rows a portion at a time; of one clip each where they are normalised together.

    Processes that score together take the same portions, whatever time those take in each.
    """
    parts = [np.flatnonzero(clips == clip) for clip in np.unique(clips)] if by_clip else [np.arange(len(clips))]
    divide = _evenly if device_mesh().is_multi_process else portions
    return (rows[portion] for rows in parts for portion in divide(len(rows), least))


def _evenly(count: int, least: int) -> Iterator[slice]:
    size = 16 * least
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _spans(clips: np.ndarray, ids: np.ndarray) -> list[np.ndarray]:
    """Places of rows of one clip with consecutive ids."""
    breaks = (np.diff(ids) != 1) | (np.diff(clips) != 0)
    return np.split(np.arange(len(ids)), np.flatnonzero(breaks) + 1)
