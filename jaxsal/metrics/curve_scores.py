"""The scores that deletion and insertion curves are read out of, of the maps of all clips of a batch."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from jaxsal.core.types import AnyArray, Progress, Target
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import REPLACED, UNTOUCHED, Batch
from jaxsal.engine.masks import Families, RankMasks
from jaxsal.engine.requests import Request, Scores, join_logits, score_requests
from jaxsal.metrics.curve import step_scores
from jaxsal.metrics.refine import first_steps, open_steps
from jaxsal.metrics.steps import rank_maps
from jaxsal.recipes import CurveOptions


def curve_baseline(options: CurveOptions, *, segmented: bool, only: str = "") -> Baseline:
    """What a curve's removed voxels become; `segmented` where several frames share a frame of the map."""
    blur_time = not segmented if options.blur_time is None else options.blur_time
    return Baseline.of(options.baseline, blur_factor=options.blur_factor, blur_time=blur_time, only=only)


def curve_scores(
    batch: Batch,
    owners: Sequence[int],
    saliency: Float[AnyArray, "F *S Tm H W"],
    targets: Sequence[Target],
    options: CurveOptions,
    keep: bool,
    *,
    only: str = "",
    chunk_size: int = 16,
    progress: Progress | None = None,
) -> list[Scores]:
    """The logits along the curves of several maps of the clips of a batch, side by side.

    The untouched clip and the fully replaced one are scored once a batch, and steps that change nothing not at all.

    Args:
      batch: The clips.
      owners: The clip that each map is of; maps beyond fill up the program's shape.
      saliency: F maps; of scenes (F, S, T', H, W) where every spectrum has its own.
      targets: Of each map, the class whose score decides where a refined curve is scored; predicted if None.
      options: Of the measure.
      keep: True for insertion, False for deletion.
      only: The one spectrum of scenes that changes; all if empty.
      chunk_size: Steps in memory at once.
      progress: Called with (steps done, steps in all) now and then.
    """
    if isinstance(batch.clips, Mapping):
        options = _of_voxels(options)
    ranks, counts = rank_maps(saliency, batch.clip_shape, options)
    steps = np.tile(counts.astype(np.int32), (len(saliency), 1))
    like = RankMasks(ranks[0], steps[0], keep)
    families = Families.like(like, [ranks, steps, np.full(len(saliency), keep)])
    segmented = saliency.shape[-3] < batch.clip_shape[0]
    run = partial(
        score_requests,
        batch,
        families,
        baseline=curve_baseline(options, segmented=segmented, only=only),
        chunk_size=chunk_size,
        progress=progress,
    )
    first, last = (REPLACED, UNTOUCHED) if keep else (UNTOUCHED, REPLACED)
    ends = np.where(counts == 0, first, np.where(counts == counts[-1], last, 0))
    _, distinct, places = np.unique(counts, return_index=True, return_inverse=True)

    def request(number: int, wanted: Int[np.ndarray, " n"]) -> Request:
        return Request(owners[number], number, wanted.astype(np.int32), ends[wanted])

    if options.approximation == "none":
        found = run([request(number, distinct) for number in range(len(owners))])
        every = np.arange(len(counts))
        return [own._replace(ids=every, logits=own.logits[places]) for own in found]
    return _refined(run, request, len(owners), len(counts), targets, options)


def _of_voxels(options: CurveOptions) -> CurveOptions:
    """The options for scenes, whose spectra share each voxel of a map.

    Raises:
      ValueError: If they ask for every number of a clip by itself.
    """
    if options.unit == "scalar":
        raise ValueError("`unit` must be 'voxel' or 'auto' for a scene in several spectra; got 'scalar'.")
    return dataclasses.replace(options, unit="voxel")


def _refined(
    run: Callable[[list[Request]], list[Scores]],
    request: Callable[[int, Int[np.ndarray, " n"]], Request],
    num_maps: int,
    num_steps: int,
    targets: Sequence[Target],
    options: CurveOptions,
) -> list[Scores]:
    """The scores of some of the steps of each curve: every 8th, then more where a curve bends."""
    held: list[Scores | None] = [None] * num_maps
    wanted = {number: first_steps(num_steps) for number in range(num_maps)}
    while wanted:
        found = run([request(number, steps) for number, steps in wanted.items()])
        for number, own in zip(tuple(wanted), found, strict=True):
            before = held[number]
            if before is not None:
                ids, logits = join_logits(before.ids, before.logits, own.ids, own.logits)
                own = own._replace(ids=ids, logits=logits)
            held[number] = own
            found_there = np.asarray(step_scores(own, targets[number], options))
            wanted[number] = open_steps(own.ids, found_there, options.tolerance)
        wanted = {number: steps for number, steps in wanted.items() if len(steps)}
    return [own for own in held if own is not None]
