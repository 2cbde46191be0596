"""RISE: random masks, weighted by the classifier's scores of the clip under them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import AnyArray, ClipTree, Progress, SaliencyOf, ScoreFn, Target
from jaxsal.engine.batch import Batch
from jaxsal.engine.class_scores import of_classifier
from jaxsal.engine.requests import Request, Scores
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.recipes import (
    METHODS,
    SETTLED,
    Alignment,
    ChunkSize,
    Estimator,
    FrameSlices,
    MaskCount,
    RecipeName,
    RiseOptions,
    Sampling,
    ScoreKind,
    TemporalCell,
    chosen_options,
)
from jaxsal.saliency.method import Method
from jaxsal.saliency.order import settled_so_far
from jaxsal.saliency.readout import read_ledger, rise_map
from jaxsal.saliency.rise_family import READ_OPTIONS, rise_family
from jaxsal.saliency.rise_ledger import grown_ledger, prepare_clip


@check_kinds
def rise(
    key: PRNGKeyArray,
    score_fn: ScoreFn,
    clip: ClipTree,
    target: Target = None,
    *,
    recipe: RecipeName = "default",
    num_masks: MaskCount | None = None,
    grid_shape: tuple[int, int, int] | None = None,
    keep_prob: float | None = None,
    scores: ScoreKind | None = None,
    baseline: str | AnyArray | None = None,
    alignment: Alignment | None = None,
    temporal_cell: TemporalCell | None = None,
    frame_slices: FrameSlices | None = None,
    estimator: Estimator | None = None,
    batch_size: int | None = None,
    sampling: Sampling | None = None,
    settled_cells: int | None = None,
    confidence: float | None = None,
    most_masks: int | None = None,
    chunk_size: ChunkSize = "auto",
    progress: Progress | bool | None = None,
) -> SaliencyOf:
    """Explains one clip by its scores under random masks (RISE).

    S_c = 1 / (N p) sum_n w_c(M_n * clip + (1 - M_n) * baseline) M_n, with w_c the probability (or logit) of c.

    Args:
      key: Random key; mask n depends on (key, n) alone. One key gives all clips the same masks.
      score_fn: Maps one clip (T, H, W, C) to logits (K,); its `frames_per_mask`, if any, sets T' = T / that.
      clip: The clip to explain, (T, H, W, C), values in [0, 1]; or a scene, one clip for each spectrum by name, whose
        masks M_n are independent of each other.
      target: c, the class to explain, by number or name, or a function of the logits (K,); the predicted class if None;
        "all" for one map per class.
      recipe: "default", "icpr2022" or "canonical": supplies every option below that is None.
      num_masks: N; the standard error of the map falls as 1 / sqrt(N). "settled" doubles N from 250 on until the order
        of the most salient cells is settled, see `jaxsal.saliency.settled`; `target` is then a single class.
      grid_shape: Cells of the random grid in time, height and width.
      keep_prob: Chance of keeping a cell, in (0, 1].
      scores: What weighs the masks: "probabilities" (as the paper: what the classifier says its scores are, else
        "softmax"; a single logit gives yes and no), "softmax", "sigmoid" (classes that do not exclude each other),
        "logits" (the study's code), or "given" (the function returns probabilities already).
      baseline: What stands in for removed voxels, a name of `jaxsal.engine.baselines` or an array.
      alignment: How grids are stretched, see `jaxsal.engine.resample`.
      temporal_cell: Whether the length of a cell in time follows from the cells in time ("own") or from the
        cells in height ("spatial", the study's code).
      frame_slices: Which slice of a segment mask a frame gets: its own ("aligned"), or f mod T' ("modulo", the
        study's code for PAN).
      estimator: "mean" is the paper's; "centered" subtracts the mean score from the weights and adds it back to the
        map: the same expectation, far less variance; "ridge" regresses the scores on the masks, as LIME does.
      batch_size: Masked clips that are scored together where the classifier's normalisation depends on the batch
        (the study's code for PAN: 24 with min-max); each by itself otherwise.
      sampling: How the random grids go together: "independent", or "stratified" or "sobol", which cover the grids more
        evenly; standard errors need "independent".
      settled_cells: With "settled" masks: how many of the most salient cells of the grid must be in a settled order.
      confidence: With "settled" masks: how sure that order must be, above 0 and below 1.
      most_masks: With "settled" masks: N at most; the order may then be open.
      chunk_size: Masks in memory at once; changes speed, not the result. "auto" is 16 on a CPU, on an accelerator as
        many as fit, at most 64 a device.
      progress: Called with (masks done, masks in all) now and then; True shows a bar, or lines in a log.

    Returns:
      The saliency map (T', H, W), in scores; (K, T', H, W) for "all". Of a scene one for each spectrum by name, in the
      same unit.

    Raises:
      TypeError: If an argument is of the wrong kind.
      ValueError: If the clip, the target or an option's value is not allowed.

    Example:
      >>> import jax, jax.numpy as jnp, jaxsal
      >>> def score_fn(clip):
      ...     return jnp.stack([9 * clip[0, 1, 2, 0], 0.0])  # looks at one voxel
      >>> clip = jnp.ones((2, 4, 4, 3))
      >>> saliency = jaxsal.rise(jax.random.key(0), score_fn, clip, 0, num_masks=200, estimator="centered")
      >>> saliency.shape
      (2, 4, 4)
      >>> bool(saliency[0, 1, 2] > saliency[1, 3, 0])
      True

    References:
      Petsiuk et al., "RISE", BMVC 2018, https://arxiv.org/abs/1806.07421
    """
    options: RiseOptions = of_classifier(chosen_options("rise", recipe, locals()), score_fn)
    batch = prepare_clip(key, score_fn, clip, options)
    target = batch.target(target, all_classes=options.num_masks != SETTLED)
    return grown_ledger(key, batch, target, options, None, chunk_size, progress).map(target)


def masks(batch: Batch, options: RiseOptions, shape: tuple[int, ...], seed: int) -> tuple[Any, list[Request]]:
    """The masks of all clips, the same for each, and their numbers."""
    ids = np.arange(options.most, dtype=np.int32)
    return [restored({}, options, shape, seed)], [Request(number, 0, ids) for number in range(len(batch.originals))]


def restored(arrays: Mapping[str, np.ndarray], options: RiseOptions, shape: tuple[int, ...], seed: int) -> RiseMasks:
    """The masks, which options and seed determine."""
    return rise_family(jax.random.key(seed, impl="threefry2x32"), shape, options)


def read_out(scores: Scores, target: Target, options: RiseOptions) -> Float[Array, "*K_S Tm H W"]:
    """The map of a class, the predicted one if None, or of every class for "all", from the first N masks.

    With `num_masks="settled"` N is the number that settled the order of the most salient cells for this target.
    """
    settled = settled_so_far(scores, target, options)
    used = min(options.most, len(scores.ids)) if settled is None else settled.num_masks
    return read_ledger(rise_map, scores, used, target, options.estimator, options.scores)


METHOD = Method(
    "rise",
    METHODS["rise"],
    masks=masks,
    num_masks=lambda options, shape, channels: options.most,
    read_out=read_out,
    settled=settled_so_far,
    restored=restored,
    read_options=READ_OPTIONS,
)
RIDGE = dataclasses.replace(METHOD, name="ridge", title=METHODS["ridge"], scores_of="rise")
"""RISE's scores, read by a regression, see `jaxsal.saliency.regression`."""
