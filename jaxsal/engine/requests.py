"""Requests for scores, and the scores: what methods and measures ask of the road and what it gives them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

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
    counts = [len(request.ids) for request in requests]
    owners = np.array([[request.clip, request.family] for request in requests], np.int32)
    known = [np.zeros(n, int) if r.ends is None else r.ends for n, r in zip(counts, requests, strict=True)]
    logits = score(
        batch,
        families,
        np.repeat(owners, counts, axis=0),
        np.concatenate([request.ids for request in requests]),
        baseline=baseline,
        ends=np.concatenate(known) if batch_size is None else None,
        frame_slices=frame_slices,
        batch_size=batch_size,
        chunk_size=chunk_size,
        progress=progress,
    )
    stops = np.cumsum(counts)
    return [
        Scores(families[r.family], *in_places(r, logits[stop - n : stop]), batch.logits[r.clip])
        for r, n, stop in zip(requests, counts, stops, strict=True)
    ]


def in_places(request: Request, logits: Float[AnyArray, "n K"]) -> tuple[Int[np.ndarray, " N"], Any]:
    """The numbers of all masks that a request stands for, and their logits."""
    if request.places is None:
        return request.ids, logits
    return np.arange(len(request.places), dtype=np.int32), logits[request.places]
