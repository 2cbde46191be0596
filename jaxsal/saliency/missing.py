"""Scores the masks that a ledger lacks, kept as they come so that a killed run loses seconds."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxsal.core.types import AnyArray, Progress, ScoreFn
from jaxsal.engine.masked import score_masks
from jaxsal.engine.scoring import CHUNKS_PER_PROGRAM

SAVE_SECONDS = 10.0
_SAVING_SHARE = 0.01
_PORTION = 65_536  # most masks whose scores are beside the ledger before they are in it


def score_missing(
    ledger: Any,
    score_fn: ScoreFn,
    clip: Float[AnyArray, "T H W C"],
    num_masks: int,
    *,
    path: str | Path | None,
    chunk_size: int,
    progress: Progress | None,
) -> Any:
    """The ledger with all of its first `num_masks` masks scored.

    With a `path` the scores are saved every ten seconds, and at the end, also at one by an exception. A save writes
    the whole file; where that takes long, saves are so far apart that they take at most a hundredth of the time.

    Args:
      ledger: A `RiseLedger` of this clip and classifier.
      score_fn: What scores the masks.
      clip: The clip.
      num_masks: How many masks it should hold.
      path: Where to save it, if anywhere.
      chunk_size: Masks in memory at once.
      progress: Called with (masks done, masks in all) now and then.
    """
    wanted, batch_size = np.arange(num_masks, dtype=np.int32), ledger.options.batch_size
    if batch_size is not None and not np.isin(wanted, ledger.ids).all():
        whole = _whole_batches(ledger.ids, batch_size)  # the scores of other batches change with what fills them
        ledger = dataclasses.replace(ledger, ids=ledger.ids[whole], logits=ledger.logits[whole])
    missing = np.setdiff1d(wanted, ledger.ids)
    growing = _Growing(ledger, missing, None if path is None else Path(path))
    least = _PORTION if path is None else CHUNKS_PER_PROGRAM * (batch_size or chunk_size)
    start, portion = 0, least
    try:
        while start < len(missing):
            stop = start + portion
            if len(missing) < stop + least:
                stop = len(missing)  # a short rest would be scored by a program of its own
            began = time.monotonic()
            scores = score_masks(
                score_fn,
                clip,
                ledger.masks,
                ids=missing[start:stop],
                baseline=ledger.options.baseline,
                frame_slices=ledger.options.frame_slices,
                batch_size=batch_size,
                chunk_size=chunk_size,
                progress=_shifted(progress, num_masks - len(missing) + start, num_masks),
            )
            growing.add(missing[start:stop], np.asarray(scores, np.float32))
            if time.monotonic() - began < SAVE_SECONDS / 4:
                portion = max(portion, min(2 * portion, _PORTION))
            start = stop
    finally:
        growing.save()
    return growing.so_far()


def _whole_batches(ids: Int[np.ndarray, " N"], batch_size: int) -> Bool[np.ndarray, " N"]:
    """Which of these masks are in a batch that is there as a whole, batches being counted from mask 0."""
    batches = ids // batch_size
    return (np.bincount(batches) == batch_size)[batches]


class _Growing:
    """A ledger with room for all of its scores, which is filled as they come, and written when it is time."""

    def __init__(self, ledger: Any, missing: Int[np.ndarray, " N"], path: Path | None):
        self.ledger, self.path = ledger, path
        self.ids = np.union1d(ledger.ids, missing)
        self.logits = np.empty((len(self.ids), ledger.logits.shape[1]), np.float32)
        self.scored = np.zeros(len(self.ids), bool)
        self._fill(ledger.ids, ledger.logits)
        self.saved, self.wait, self.anything_new = time.monotonic(), SAVE_SECONDS, False

    def _fill(self, ids: np.ndarray, logits: np.ndarray) -> None:
        rows = np.searchsorted(self.ids, ids)
        self.logits[rows], self.scored[rows] = logits, True

    def add(self, ids: np.ndarray, logits: np.ndarray) -> None:
        self._fill(ids, logits)
        self.anything_new = True
        if time.monotonic() - self.saved >= self.wait:
            self.save()

    def so_far(self) -> Any:
        """The ledger with what is scored; without a copy where no mask is missing amid others."""
        count = int(self.scored.sum())
        rows: Any = slice(count) if self.scored[:count].all() else self.scored
        return dataclasses.replace(self.ledger, ids=self.ids[rows], logits=self.logits[rows])

    def save(self) -> None:
        """Writes what is there, if anything is new."""
        if self.path is None or not self.anything_new:
            return
        began = time.monotonic()
        self.so_far().save(self.path)
        self.saved, self.anything_new = time.monotonic(), False
        self.wait = max(SAVE_SECONDS, (self.saved - began) / _SAVING_SHARE)


def _shifted(progress: Progress | None, done_before: int, total: int) -> Progress | None:
    """Progress of a portion as progress of the whole."""
    if progress is None:
        return None
    return lambda done, _: progress(done_before + done, total)
