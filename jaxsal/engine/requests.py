"""Requests for scores, and the scores: what methods and measures ask of the road and what it gives them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxsal.core.types import AnyArray, Progress
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.masks import Families, MaskFamily
from jaxsal.engine.scoring import score
from jaxsal.recipes import FrameSlices


class Scores(NamedTuple):
    """What a classifier says of one clip under numbered masks; every map, curve and effect is a read-out of it.

    Attributes:
      family: The masks.
      ids: Their numbers, (N,).
      logits: Of the clip under them, (N, K).
      clip_logits: Of the untouched clip, (K,).
    """

    family: MaskFamily
    ids: Int[np.ndarray, " N"]
    logits: Float[AnyArray, "N K"]
    clip_logits: Float[AnyArray, " K"]


class Request(NamedTuple):
    """Masks of one family that a clip is to be scored under.

    Attributes:
      clip: The clip's number in its batch.
      family: The family's number.
      ids: The numbers of the masks to score, (n,).
      ends: As for `score`; None where nothing is known of the masks.
      places: Where each of the family's masks 0, 1, ... is among `ids`, where several are alike.
    """

    clip: int
    family: int
    ids: Int[np.ndarray, " n"]
    ends: Int[np.ndarray, " n"] | None = None
    places: Int[np.ndarray, " N"] | None = None


def score_requests(
    batch: Batch,
    families: Sequence[MaskFamily] | Families,
    requests: Sequence[Request],
    *,
    baseline: Baseline,
    frame_slices: FrameSlices = "aligned",
    batch_size: int | None = None,
    chunk_size: int = 16,
    progress: Progress | None = None,
) -> list[Scores]:
    """The scores of several requests, side by side in each chunk; arguments as for `score`."""
    families = families if isinstance(families, Families) else Families.of(families)
    pairs, ids, ends = rows_of(requests)
    logits = score(
        batch,
        families,
        pairs,
        ids,
        baseline=baseline,
        ends=ends,
        frame_slices=frame_slices,
        batch_size=batch_size,
        chunk_size=chunk_size,
        progress=progress,
    )
    return split_scores(batch, families, requests, logits)


def rows_of(requests: Sequence[Request]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The clip and the family, the mask and the end of every row that requests want scored, as `score` takes them."""
    counts = [len(request.ids) for request in requests]
    owners = np.array([[request.clip, request.family] for request in requests], np.int32)
    ends = [np.zeros(n, int) if r.ends is None else r.ends for n, r in zip(counts, requests, strict=True)]
    ids = [request.ids for request in requests]
    return np.repeat(owners, counts, axis=0), np.concatenate(ids), np.concatenate(ends)


def split_scores(
    batch: Batch, families: Families, requests: Sequence[Request], logits: Float[AnyArray, "N K"]
) -> list[Scores]:
    """What each request gets of the logits of all rows: those of every mask that it stands for."""
    scores = []
    stop = 0
    for request in requests:
        start, stop = stop, stop + len(request.ids)
        ids, own = request.ids, logits[start:stop]
        if request.places is not None:
            ids, own = np.arange(len(request.places), dtype=np.int32), own[request.places]
        scores.append(Scores(families[request.family], ids, own, batch.logits[request.clip]))
    return scores


def join_logits(
    ids: Int[np.ndarray, " n"],
    logits: Float[AnyArray, "n K"],
    more_ids: Int[np.ndarray, " m"],
    more_logits: Float[AnyArray, "m K"],
) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, "N K"]]:
    """The masks of both with their logits, ids ascending; the first logits count where both have a mask."""
    every, first = np.unique(np.concatenate([ids, more_ids]), return_index=True)
    return every, np.concatenate([logits, more_logits])[first]
