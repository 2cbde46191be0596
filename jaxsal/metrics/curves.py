"""Deletion and insertion: the target's probability as the most salient voxels go, or come."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import softmax

from jaxsal.core.types import AnyArray, Clip, Progress, SaliencyMap, ScoreFn, Target
from jaxsal.engine.baselines import make_baseline
from jaxsal.engine.inputs import check_clip, check_saliency, check_score_fn, check_target
from jaxsal.engine.masked import score_masks
from jaxsal.engine.masks import RankMasks
from jaxsal.keywords import resolve_options, takes_options
from jaxsal.metrics.refine import refine
from jaxsal.metrics.steps import ranks_and_counts
from jaxsal.recipes import CurveOptions


class Curve(NamedTuple):
    """A deletion or insertion curve.

    Attributes:
      fractions: Share of the clip that is changed at each step, from 0 to 1, (S,).
      scores: The target's probability, (S,).
      auc: Area under the scores at evenly spaced steps, by the trapezoid rule, in [0, 1].
      num_scored: How many of the scores the classifier gave where some are interpolated; None where all are its own.
    """

    fractions: Float[AnyArray, " S"]
    scores: Float[AnyArray, " S"]
    auc: Float[AnyArray, ""]
    num_scored: int | Int[AnyArray, ""] | None = None


@takes_options("deletion")
def deletion(
    score_fn: ScoreFn,
    clip: Clip,
    saliency: SaliencyMap,
    target: Target = None,
    *,
    recipe: str = "default",
    chunk_size: int = 16,
    progress: Progress | None = None,
    **options: Any,
) -> Curve:
    """Removes the most salient voxels first; a good map has a low area under the curve.

    Step s replaces the k_s most salient voxels of the clip by the baseline, in space and time together, all
    channels at once; k_s runs from none to all.

    Args:
      score_fn: Maps one clip (T, H, W, C) to logits (K,).
      clip: The clip, (T, H, W, C), values in [0, 1].
      saliency: Its map, (T', H, W), T' divides T.
      target: The class whose probability is followed; the predicted class of the clip if None.
      recipe: "default", "icpr2022" or "canonical": the options' defaults.
      chunk_size: Steps in memory at once; changes speed, not the result.
      progress: Called with (steps done, steps in all) now and then.
      **options: Fields of `jaxsal.recipes.CurveOptions`.

    Returns:
      The curve; its first score is the clip's own, its last that of the baseline, the floor.

    Raises:
      TypeError: If an argument is of the wrong kind or an option is unknown.
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
    chosen = resolve_options("deletion", recipe, options)
    return _curve(score_fn, clip, saliency, target, chosen, False, chunk_size, progress)


@takes_options("insertion")
def insertion(
    score_fn: ScoreFn,
    clip: Clip,
    saliency: SaliencyMap,
    target: Target = None,
    *,
    recipe: str = "default",
    chunk_size: int = 16,
    progress: Progress | None = None,
    **options: Any,
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
    chosen = resolve_options("insertion", recipe, options)
    return _curve(score_fn, clip, saliency, target, chosen, True, chunk_size, progress)


def _curve(
    score_fn: ScoreFn,
    clip: Clip,
    saliency: SaliencyMap,
    target: Target,
    options: CurveOptions,
    keep: bool,
    chunk_size: int,
    progress: Progress | None,
) -> Curve:
    clip = check_clip(clip, score_fn)
    target = check_target(target, check_score_fn(score_fn, clip), all_classes=False)
    saliency = check_saliency(saliency, clip)
    baseline = curve_baseline(score_fn, clip, options, num_slices=saliency.shape[0])
    ranks, counts = ranks_and_counts(saliency, clip.shape, options)
    masks = RankMasks(ranks, jax.device_put(counts.astype(np.int32)), keep)
    score = partial(
        score_masks,
        score_fn,
        clip,
        masks,
        baseline=jnp.broadcast_to(baseline, clip.shape),  # of one shape, so that all curves share a program
        chunk_size=chunk_size,
        progress=progress,
    )
    if options.approximation == "refine":
        if any(isinstance(value, jax.core.Tracer) for value in (clip, saliency, target)):
            raise TypeError("`approximation` must be 'none' under jit, where no score is known; got 'refine'.")
        return _refined_curve(score, counts, target, keep, options, chunk_size)
    return read_curve(score(), counts, target, keep, nan_as_zero=options.nan_as_zero)


def _refined_curve(
    score: Callable[..., Array],
    counts: Int[np.ndarray, " S"],
    target: Target,
    keep: bool,
    options: CurveOptions,
    chunk_size: int,
) -> Curve:
    """The curve from some of its steps; the first call of `score` has the untouched clip among them."""
    labels = [] if target is None else [target]

    def probabilities(steps: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        whole = np.pad(steps, (0, -len(steps) % chunk_size), mode="edge")  # chunks of one size, one program
        logits = np.asarray(score(ids=whole), np.float32)[: len(steps)]
        if not labels:
            labels.append(int(logits[-1 if keep else 0].argmax()))
        found = softmax(logits, axis=-1)[:, labels[0]]
        return np.nan_to_num(found, nan=0.0) if options.nan_as_zero else found

    found = refine(probabilities, len(counts), options.tolerance)
    fractions, scores = (counts / counts[-1]).astype(np.float32), found.scores
    fractions, scores, area = jax.device_put((fractions, scores, np.float32(_area(scores))))
    return Curve(fractions, scores, area, int(found.scored.sum()))


def curve_baseline(
    score_fn: ScoreFn, clip: Float[Array, "T H W C"], options: CurveOptions, *, num_slices: int
) -> Float[Array, "..."]:
    """What a curve's removed voxels become; `num_slices` is the map's T'."""
    blur_time = num_slices == clip.shape[0] if options.blur_time is None else options.blur_time
    return make_baseline(options.baseline, clip, score_fn, blur_factor=options.blur_factor, blur_time=blur_time)


def read_curve(
    logits: Float[Array, "S K"],
    counts: Int[np.ndarray, " S"],
    target: Target,
    keep: bool,
    *,
    nan_as_zero: bool = False,
) -> Curve:
    """The curve of a class from the logits of all steps.

    Args:
      logits: Of every step.
      counts: Elements changed at every step.
      target: The class; None is the predicted class of the untouched clip, which is one of the steps.
      keep: Whether the last step (insertion) or the first (deletion) is the untouched clip.
      nan_as_zero: Whether a probability that is no number counts as 0.
    """
    fractions = jax.device_put((counts / counts[-1]).astype(np.float32))
    clean = len(counts) - 1 if keep else 0
    return Curve(fractions, *_scores_and_auc(logits, clean, target, nan_as_zero))


@partial(jax.jit, static_argnums=(3,))
def _scores_and_auc(
    logits: Float[Array, "S K"], clean: int | Int[Array, ""], target: Target, nan_as_zero: bool
) -> tuple[Float[Array, " S"], Float[Array, ""]]:
    label = jnp.argmax(logits[clean]) if target is None else target
    scores = jax.nn.softmax(logits.astype(jnp.float32), axis=-1)[:, label]
    scores = jnp.where(jnp.isnan(scores), 0.0, scores) if nan_as_zero else scores
    return scores, _area(scores)


def _area(scores: Float[AnyArray, " S"]) -> Any:
    """Under the scores at evenly spaced steps from 0 to 1, by the trapezoid rule."""
    return (scores.sum() - (scores[0] + scores[-1]) / 2) / (len(scores) - 1)
