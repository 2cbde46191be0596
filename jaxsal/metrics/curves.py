"""Deletion and insertion: the target's score as the most salient voxels go, or come."""

from collections.abc import Mapping
from typing import Literal

import jax

from jaxsal.core.checks import check_chunk_size
from jaxsal.core.kinds import check_kinds
from jaxsal.core.progress import as_progress
from jaxsal.core.types import AnyArray, ClipTree, Progress, SaliencyTree, ScoreFn, Target
from jaxsal.engine.batch import prepare
from jaxsal.engine.chunks import in_chunks
from jaxsal.engine.class_scores import of_classifier
from jaxsal.engine.maps import check_saliency
from jaxsal.engine.requests import Scores
from jaxsal.engine.scoring import even_chunk
from jaxsal.metrics.curve import Curve, read_curve
from jaxsal.metrics.curve_scores import curve_scores
from jaxsal.recipes import Approximation, Area, ChunkSize, CurveOptions, RecipeName, ScoreKind, Ties, chosen_options


@check_kinds
def deletion(
    score_fn: ScoreFn,
    clip: ClipTree,
    saliency: SaliencyTree,
    target: Target = None,
    *,
    recipe: RecipeName = "default",
    num_steps: int | None = None,
    step_size: int | Literal["row"] | None = None,
    step_rounding: Literal["exact", "float32"] | None = None,
    baseline: str | AnyArray | Mapping[str, AnyArray] | None = None,
    blur_factor: int | None = None,
    blur_time: bool | None = None,
    unit: Literal["voxel", "scalar", "auto"] | None = None,
    ties: Ties | None = None,
    nan_as_zero: bool | None = None,
    scores: ScoreKind | None = None,
    area: Area | None = None,
    approximation: Approximation | None = None,
    tolerance: float | None = None,
    chunk_size: ChunkSize = "auto",
    progress: Progress | bool | None = None,
) -> Curve:
    """Removes the most salient voxels first; a good map has a low area under the curve.

    Step s replaces the k_s most salient voxels of the clip by the baseline, in space and time together, all
    channels at once; k_s runs from none to all.

    Args:
      score_fn: Maps one clip (T, H, W, C) to logits (K,).
      clip: The clip, (T, H, W, C), values in [0, 1]; or a scene, one clip for each spectrum by name.
      saliency: Its map, (T', H, W), T' divides T. Of a scene one for each spectrum by name, whose voxels go side by
        side; one for a single spectrum by name, which alone changes; or one array, whose voxels go in all spectra.
      target: The class whose score is followed, by number or name, or a function of the logits (K,); the predicted
        class of the clip if None.
      recipe: "default", "icpr2022" or "canonical": supplies every option below that is None.
      num_steps: S, scores of a curve, the untouched and the fully changed clip among them; at least 2.
      step_size: Elements changed per step, instead of `num_steps`; "row" is one row of every mask frame, the
        official code's 224 of 224 x 224 pixels.
      step_rounding: Step s changes floor(s n / (S - 1)) elements ("exact"), or the truncated float32 linspace of
        the study's code ("float32"), one more at a few steps.
      baseline: What deletion puts in and insertion starts from, a name of `jaxsal.engine.baselines` or an array;
        of a scene also an array for each spectrum.
      blur_factor: For the baseline "blur": how much smaller the clip is in between.
      blur_time: For the baseline "blur": whether time is degraded too; by default where every frame has its own mask.
      unit: What is ranked: a "voxel" of the map with all its frames and channels, or every "scalar" of the clip;
        "auto" takes scalars where frames share maps in segments (the study's code for PAN). A scene in several
        spectra has voxels only.
      ties: Order of equally salient elements: a fixed "random" permutation, or raster order, "first" or "last"
        element first ("last" is the official code's).
      nan_as_zero: Whether a score that is no number counts as 0, as in the study's code for PAN, or stays.
      scores: The scores, "probabilities", "softmax", "sigmoid", "logits" or "given", as for `jaxsal.rise`.
      area: Where the scores stand when the area under them is taken: at the "fractions" that are changed, or evenly
        spaced by "steps", as in both original codes.
      approximation: "none" scores every step; "refine" scores every 8th, then between those that differ by more than
        `tolerance`, and draws straight lines elsewhere, see `jaxsal.metrics.refine`.
      tolerance: For "refine": a difference of scores, at least 0.
      chunk_size: Steps in memory at once; changes speed, not the result. "auto" is 16 on a CPU, on an accelerator as
        many as fit, at most 64 a device.
      progress: Called with (steps done, steps in all) now and then; True shows a bar, or lines in a log.

    Returns:
      The curve; its first score is the clip's own, its last that of the baseline, its `floor`.

    Raises:
      TypeError: If an argument is of the wrong kind.
      ValueError: If the clip, the map, the target or an option's value is not allowed.

    Example:
      >>> import jax.numpy as jnp, jaxsal
      >>> def score_fn(clip):
      ...     return jnp.stack([9 * clip[0, 1, 2].mean(), 0.0])  # looks at one voxel
      >>> clip = jnp.ones((2, 4, 4, 3))
      >>> right = jnp.zeros((2, 4, 4)).at[0, 1, 2].set(1.0)
      >>> curve = jaxsal.deletion(score_fn, clip, right, num_steps=9)
      >>> curve.scores.shape, float(curve.fractions[-1])
      ((9,), 1.0)
      >>> bool(curve.auc < jaxsal.deletion(score_fn, clip, -right, num_steps=9).auc)
      True

    References:
      Petsiuk et al., "RISE", BMVC 2018, https://arxiv.org/abs/1806.07421
    """
    options: CurveOptions = of_classifier(chosen_options("deletion", recipe, locals()), score_fn)
    return _curve(
        score_fn, clip, saliency, target, options, False, chunk_size, as_progress(progress, "deletion", "steps")
    )


@check_kinds
def insertion(
    score_fn: ScoreFn,
    clip: ClipTree,
    saliency: SaliencyTree,
    target: Target = None,
    *,
    recipe: RecipeName = "default",
    num_steps: int | None = None,
    step_size: int | Literal["row"] | None = None,
    step_rounding: Literal["exact", "float32"] | None = None,
    baseline: str | AnyArray | Mapping[str, AnyArray] | None = None,
    blur_factor: int | None = None,
    blur_time: bool | None = None,
    unit: Literal["voxel", "scalar", "auto"] | None = None,
    ties: Ties | None = None,
    nan_as_zero: bool | None = None,
    scores: ScoreKind | None = None,
    area: Area | None = None,
    approximation: Approximation | None = None,
    tolerance: float | None = None,
    chunk_size: ChunkSize = "auto",
    progress: Progress | bool | None = None,
) -> Curve:
    """Puts the most salient voxels into the baseline first; a good map has a high area under the curve.

    As `deletion`, from the other end: step s shows the k_s most salient voxels of the clip, else the baseline.
    Arguments, result and errors as there.

    Example:
      >>> import jax.numpy as jnp, jaxsal
      >>> score_fn = lambda clip: jnp.stack([9 * clip[0].mean(), 0.0])  # looks at the first of two frames
      >>> first, last = jnp.eye(2)[:, :, None, None] * jnp.ones((4, 4))
      >>> aucs = [jaxsal.insertion(score_fn, jnp.ones((2, 4, 4, 3)), m, baseline="zero").auc for m in (first, last)]
      >>> bool(aucs[0] > aucs[1])
      True
    """
    options: CurveOptions = of_classifier(chosen_options("insertion", recipe, locals()), score_fn)
    return _curve(
        score_fn, clip, saliency, target, options, True, chunk_size, as_progress(progress, "insertion", "steps")
    )


def _curve(
    score_fn: ScoreFn,
    clip: ClipTree,
    saliency: SaliencyTree,
    target: Target,
    options: CurveOptions,
    keep: bool,
    chunk_size: ChunkSize,
    progress: Progress | bool | None,
) -> Curve:
    check_chunk_size(chunk_size)
    batch, report = prepare(score_fn, [clip]), as_progress(progress, "insertion" if keep else "deletion", "steps")
    target = batch.target(target, all_classes=False)
    ranked, only = check_saliency(saliency, batch.clip_shape, batch.spectra)
    traced = batch.traced or isinstance(ranked, jax.core.Tracer)
    if options.approximation == "refine" and (traced or isinstance(target, jax.core.Tracer)):
        raise TypeError("`approximation` must be 'none' under jit, where no score is known; got 'refine'.")

    def scores_in_chunks(chunk_size: int) -> list[Scores]:
        size = even_chunk(options.num_steps, chunk_size) if options.approximation == "none" else chunk_size
        return curve_scores(
            batch, [0], ranked[None], [target], options, keep, only=only, chunk_size=size, progress=report
        )

    (scores,) = in_chunks(chunk_size, "curve", batch, scores_in_chunks)
    batch.check_logits()  # the untouched clip is a step of the curve
    curve = read_curve(scores, target, options)
    return curve if traced else jax.device_put(curve)
