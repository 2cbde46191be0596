"""Deletion and insertion of many maps of many clips, scored side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from jaxsal.core.types import AnyArray, ScoreFn
from jaxsal.engine.families import Families
from jaxsal.engine.inputs import check_clip, check_saliency
from jaxsal.engine.masks import RankMasks
from jaxsal.engine.scoring import score_pairs
from jaxsal.keywords import resolve_options
from jaxsal.metrics.curves import Curve, curve_baseline, deletion, insertion, read_curve
from jaxsal.metrics.steps import ranks_of_maps

_ALONE = {"deletion": deletion, "insertion": insertion}

Maps = Mapping[str, Float[AnyArray, "Tm H W"]]


def measure_maps(
    measure: str,
    score_fn: ScoreFn,
    clips: Sequence[Float[AnyArray, "T H W C"]],
    maps: Sequence[Maps],
    targets: Sequence[int],
    *,
    recipe: str = "default",
    chunk_size: int = 16,
    **options: Any,
) -> list[dict[str, Curve]]:
    """The curves of all maps of all clips: `deletion` or `insertion` of each, with few chunks that are not full.

    Args:
      measure: "deletion" or "insertion".
      score_fn: Maps one clip (T, H, W, C) to logits (K,).
      clips: Clips of one shape; those beyond the targets are there for the size of the programs alone.
      maps: For each target the maps of its clip by name, all of one shape.
      targets: Of each clip, the class whose probability is followed.
      recipe: The options' defaults.
      chunk_size: Steps in memory at once, of whatever clips; changes speed, not the result.
      **options: Fields of `jaxsal.recipes.CurveOptions`.

    Raises:
      ValueError: If a clip, a map or an option is not allowed.
    """
    chosen = resolve_options(measure, recipe, options)
    if chosen.approximation != "none":  # which steps are scored depends on the scores
        options = dict(recipe=recipe, chunk_size=chunk_size, **options)
        return [
            {name: _ALONE[measure](score_fn, clip, one, target, **options) for name, one in of_clip.items()}
            for clip, of_clip, target in zip(clips[: len(targets)], maps, targets, strict=True)
        ]
    checked = [check_clip(clip, score_fn) for clip in clips]
    shape = checked[0].shape
    owners = [(number, name) for number, of_clip in enumerate(maps) for name in of_clip]
    if not owners:
        return [{} for _ in maps]
    stack = [np.asarray(check_saliency(maps[number][name], checked[number])) for number, name in owners]
    stack += [stack[-1]] * (len(maps[-1]) * (len(clips) - len(maps)))
    saliency = np.stack(stack)
    ranks, counts = ranks_of_maps(jax.device_put(saliency), shape, chosen)
    keep, num_steps = measure == "insertion", len(counts)
    steps = np.tile(counts.astype(np.int32), (len(stack), 1))
    one = RankMasks(jax.device_put(np.zeros(shape, np.int32)), jax.device_put(steps[0]), keep)
    families = Families.like(one, [ranks, steps, np.full(len(stack), keep)])
    baselines = [curve_baseline(score_fn, clip, chosen, num_slices=saliency.shape[1]) for clip in checked]
    pairs = np.stack([[number for number, _ in owners], np.arange(len(owners))], axis=1).astype(np.int32)
    scores = score_pairs(
        score_fn,
        checked,
        families,
        baselines,
        np.repeat(pairs, num_steps, axis=0),
        np.tile(np.arange(num_steps, dtype=np.int32), len(owners)),
        chunk_size=chunk_size,
    )
    logits = np.asarray(scores).reshape(len(owners), num_steps, -1)
    curves: list[dict[str, Curve]] = [{} for _ in maps]
    for (number, name), rows in zip(owners, logits, strict=True):
        curves[number][name] = read_curve(
            jax.device_put(rows), counts, targets[number], keep, nan_as_zero=chosen.nan_as_zero
        )
    return curves
