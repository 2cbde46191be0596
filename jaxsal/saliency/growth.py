"""Scores that grow: what is missing is scored in portions and kept as it comes, so that a killed run loses seconds."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxsal.core.finite import check_logits
from jaxsal.core.types import Progress
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.scoring import CHUNKS_PER_PROGRAM, even_chunk, score

if TYPE_CHECKING:
    from jaxsal.saliency.ledger import RiseLedger

SAVE_SECONDS = 10.0
_SAVING_SHARE = 0.01
_PORTION = 65_536  # most masks whose scores are beside the others before they are among them

Ids = Int[np.ndarray, " _"]
Logits = Float[np.ndarray, "_ K"]


def grow(
    ledger: "RiseLedger",
    batch: Batch,
    num_masks: int,
    *,
    path: str | Path | None,
    chunk_size: int,
    progress: Progress | None,
) -> "RiseLedger":
    """A ledger with its first `num_masks` masks scored on the clip of a batch, saved as it grows."""
    ids, logits, options = ledger.ids, ledger.logits, ledger.options
    wanted = np.arange(num_masks, dtype=np.int32)
    if options.batch_size is not None and not np.isin(wanted, ids).all():
        whole = whole_batches(ids, options.batch_size)  # the scores of other batches change with what fills them
        ids, logits = ids[whole], logits[whole]
    missing = np.setdiff1d(wanted, ids)

    def save(ids: np.ndarray, logits: np.ndarray) -> None:
        dataclasses.replace(ledger, ids=ids, logits=logits).save(path or "")

    def score_ids(portion: Int[np.ndarray, " n"], before: int) -> Float[np.ndarray, "n K"]:
        logits = score(
            batch,
            [ledger.masks],
            np.zeros((len(portion), 2), np.int32),
            portion,
            baseline=Baseline.of(options.baseline),
            frame_slices=options.frame_slices,
            batch_size=options.batch_size,
            chunk_size=even_chunk(len(portion), chunk_size),
            progress=_shifted(progress, num_masks - len(missing) + before, num_masks),
        )
        finite = np.isfinite(logits).all(axis=1)
        if not finite.all():
            number = int(portion[~finite][0])
            check_logits(logits[~finite][0], f"the clip under mask {number}", batch.score_fn)
        return np.asarray(logits)

    least = CHUNKS_PER_PROGRAM * (options.batch_size or chunk_size)
    ids, logits = score_missing(ids, logits, missing, score_ids, least=least, save=None if path is None else save)
    return dataclasses.replace(ledger, ids=ids, logits=logits)


def _shifted(progress: Progress | None, done_before: int, total: int) -> Progress | None:
    """Progress of a portion as progress of the whole."""
    if progress is None:
        return None
    return lambda done, _: progress(done_before + done, total)


def score_missing(
    ids: Ids,
    logits: Logits,
    missing: Ids,
    score: Callable[[Ids, int], Logits],
    *,
    least: int,
    save: Callable[[Ids, Logits], None] | None = None,
) -> tuple[Ids, Logits]:
    """All ids with their scores, ascending, after scoring the missing ones.

    Scores are saved every ten seconds, and at the end, also at one by an exception. Where a save takes long, saves are
    so far apart that they take at most a hundredth of the time.

    Args:
      ids: The numbers that are scored, ascending.
      logits: Their scores.
      missing: The numbers that are not.
      score: Scores some masks; called with their numbers and how many of `missing` are done before.
      least: Masks of a portion at least, so that few programs are made.
      save: Writes the ids and scores that there are.
    """
    growing = _Growing(ids, logits, missing, save)
    try:
        for rows in portions(len(missing), least if save is not None else _PORTION):
            growing.add(missing[rows], np.asarray(score(missing[rows], rows.start), np.float32))
    finally:
        growing.save()
    return growing.scored_rows()


def portions(count: int, least: int) -> Iterator[slice]:
    """Parts of `count` rows, at first of `least`, larger ones while they take little time.

    A short rest belongs to the part before, since it would be scored by a program of its own.
    """
    start, size = 0, least
    while start < count:
        stop = count if count < start + size + least else start + size
        began = time.monotonic()
        yield slice(start, stop)
        if time.monotonic() - began < SAVE_SECONDS / 4:
            size = max(size, min(2 * size, _PORTION))
        start = stop


def whole_batches(ids: Ids, batch_size: int) -> Bool[np.ndarray, " N"]:
    """Which of these masks are in a batch that is there as a whole, batches being counted from mask 0."""
    batches = ids // batch_size
    return (np.bincount(batches) == batch_size)[batches]


class _Growing:
    """Scores with room for the missing ones, filled as they arrive and written from time to time."""

    def __init__(self, ids: Ids, logits: Logits, missing: Ids, save: Callable[[Ids, Logits], None] | None):
        self.write = save
        self.ids = np.union1d(ids, missing)
        self.logits = np.empty((len(self.ids), logits.shape[1]), np.float32)
        self.scored = np.zeros(len(self.ids), bool)
        self._fill(ids, logits)
        self.saved, self.wait, self.anything_new = time.monotonic(), SAVE_SECONDS, False

    def _fill(self, ids: Ids, logits: Logits) -> None:
        rows = np.searchsorted(self.ids, ids)
        self.logits[rows], self.scored[rows] = logits, True

    def add(self, ids: Ids, logits: Logits) -> None:
        self._fill(ids, logits)
        self.anything_new = True
        if time.monotonic() - self.saved >= self.wait:
            self.save()

    def scored_rows(self) -> tuple[Ids, Logits]:
        """The numbers and scores that there are; without a copy where no mask is missing amid others."""
        count = int(self.scored.sum())
        rows = slice(count) if self.scored[:count].all() else self.scored
        return self.ids[rows], self.logits[rows]

    def save(self) -> None:
        if self.write is None or not self.anything_new:
            return
        began = time.monotonic()
        self.write(*self.scored_rows())
        self.saved, self.anything_new = time.monotonic(), False
        self.wait = max(SAVE_SECONDS, (self.saved - began) / _SAVING_SHARE)
