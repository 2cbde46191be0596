"""RISE's scores of one clip as a ledger: begun, taken up from a file, grown and settled."""

import dataclasses
from functools import partial
from pathlib import Path

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxsal.core.checks import check_chunk_size
from jaxsal.core.kinds import check_kinds
from jaxsal.core.progress import as_progress
from jaxsal.core.types import AnyArray, ClipTree, Progress, ScoreFn, Target
from jaxsal.engine.batch import Batch, prepare
from jaxsal.engine.chunks import in_chunks
from jaxsal.engine.class_scores import of_classifier
from jaxsal.engine.classifiers import check_batches
from jaxsal.engine.inputs import check_key
from jaxsal.recipes import (
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
from jaxsal.saliency.growth import grow
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.saliency.order import FIRST_LOOK, looks
from jaxsal.saliency.settled import grow_until_settled


@check_kinds
def rise_ledger(
    key: PRNGKeyArray,
    score_fn: ScoreFn,
    clip: ClipTree,
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
    path: str | Path | None = None,
    chunk_size: ChunkSize = "auto",
    progress: Progress | bool | None = None,
) -> RiseLedger:
    """Scores a clip under random masks once, for any number of maps afterwards.

    Args:
      key: Random key; mask n depends on (key, n) alone.
      score_fn: Maps one clip (T, H, W, C) to logits (K,).
      clip: The clip to explain, (T, H, W, C), values in [0, 1]; or a scene, one clip for each spectrum by name.
      recipe: "default", "icpr2022" or "canonical": supplies every option below that is None.
      num_masks: N; the standard error of the map falls as 1 / sqrt(N). "settled" doubles N from 250 on until the order
        of the most salient cells, of the predicted class, is settled, see `jaxsal.saliency.settled`.
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
      path: Where the ledger is saved as it grows, every ten seconds. A ledger of the same run found there is taken
        up, not redone; if it holds more masks, they stay in the file.
      chunk_size: Masks in memory at once; changes speed, not the result. "auto" is 16 on a CPU, on an accelerator as
        many as fit, at most 64 a device.
      progress: Called with (masks done, masks in all) now and then; True shows a bar, or lines in a log.

    Returns:
      The ledger of the `num_masks` masks, with `.map(target)`, `.stderr(target)` and `.save(path)`.

    Raises:
      TypeError: If an argument is of the wrong kind.
      ValueError: If the clip or an option's value is not allowed, or `path` holds a ledger of another run, clip or
        classifier.

    Example:
      >>> import jax, jax.numpy as jnp, jaxsal
      >>> score_fn = lambda clip: jnp.stack([clip[:1].mean(), clip[1:].mean()])
      >>> clip = jnp.ones((2, 4, 4, 3))
      >>> ledger = jaxsal.rise_ledger(jax.random.key(0), score_fn, clip, num_masks=16)
      >>> ledger.map("all").shape, ledger.map(1, num_masks=8).shape, ledger.stderr(1).shape
      ((2, 2, 4, 4), (2, 4, 4), (2, 4, 4))
      >>> len(ledger.extend(score_fn, clip, 24).ids)
      24
    """
    options: RiseOptions = of_classifier(chosen_options("rise", recipe, locals()), score_fn)
    return grown_ledger(key, prepare_clip(key, score_fn, clip, options), None, options, path, chunk_size, progress)


def prepare_clip(key: PRNGKeyArray, score_fn: ScoreFn, clip: ClipTree, options: RiseOptions) -> Batch:
    """The clip as a batch, after checks of the key and of batches."""
    check_key(key)
    check_batches(score_fn, options.batch_size)
    return prepare(score_fn, [clip])


def grown_ledger(
    key: PRNGKeyArray,
    batch: Batch,
    target: Target,
    options: RiseOptions,
    path: str | Path | None,
    chunk_size: ChunkSize,
    progress: Progress | bool | None,
) -> RiseLedger:
    """The ledger of a prepared clip with all masks of the options, or as many as settle the order of `target`."""
    check_chunk_size(chunk_size)
    batch.check_logits()
    bounded = dataclasses.replace(options, num_masks=options.most)
    ledger = RiseLedger.empty(batch, np.asarray(jax.random.key_data(key)), bounded)
    if path is not None and Path(path).exists():
        ledger = ledger.merge(RiseLedger.load(path))
    report = as_progress(progress, "RISE", "masks")

    def extend(begun: RiseLedger, count: int) -> RiseLedger:
        growth = partial(grow, begun, batch, count, path=path, progress=report)
        return in_chunks(chunk_size, "rise", batch, growth, passes=count - len(begun.ids))

    if options.num_masks != SETTLED:
        return extend(ledger, options.num_masks).first(options.num_masks)
    ledger, found = grow_until_settled(ledger, target, options, looks(FIRST_LOOK, options.most), extend)
    return ledger.first(found.num_masks)
