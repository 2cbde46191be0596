"""RISE: random masks, weighted by what the classifier says of the clip under them."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxsal.core.fingerprints import fingerprint, weights_fingerprint
from jaxsal.core.types import Clip, Progress, ScoreFn, Target
from jaxsal.engine.inputs import check_batches, check_clip, check_key, check_score_fn, check_target, mask_shape
from jaxsal.keywords import resolve_options, takes_options
from jaxsal.recipes import RiseOptions
from jaxsal.saliency.ledger import RiseLedger, clip_logits
from jaxsal.saliency.missing import score_missing


@takes_options("rise")
def rise(
    key: PRNGKeyArray,
    score_fn: ScoreFn,
    clip: Clip,
    target: Target = None,
    *,
    recipe: str = "default",
    chunk_size: int = 16,
    progress: Progress | None = None,
    **options: Any,
) -> Float[Array, "*K Tm H W"]:
    """Explains one clip by its scores under random masks (RISE).

    S_c = 1 / (N p) sum_n w_c(M_n * clip + (1 - M_n) * baseline) M_n, with w_c the probability (or logit) of c.

    Args:
      key: Random key; mask n depends on (key, n) alone. One key gives all clips the same masks.
      score_fn: Maps one clip (T, H, W, C) to logits (K,); its `frames_per_mask`, if any, sets T' = T / that.
      clip: The clip to explain, (T, H, W, C), values in [0, 1].
      target: c, the class to explain; the predicted class if None; "all" for one map per class.
      recipe: "default", "icpr2022" or "canonical": the options' defaults.
      chunk_size: Masks in memory at once; changes speed, not the result.
      progress: Called with (masks done, masks in all) now and then.
      **options: Fields of `jaxsal.recipes.RiseOptions`.

    Returns:
      The saliency map (T', H, W), in scores; (K, T', H, W) for "all".

    Raises:
      TypeError: If an argument is of the wrong kind or an option is unknown.
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
    check_target(target, check_score_fn(score_fn, check_clip(clip, score_fn)))
    ledger = rise_ledger(key, score_fn, clip, recipe=recipe, chunk_size=chunk_size, progress=progress, **options)
    return ledger.map(target)


@takes_options("rise")
def rise_ledger(
    key: PRNGKeyArray,
    score_fn: ScoreFn,
    clip: Clip,
    *,
    recipe: str = "default",
    path: str | Path | None = None,
    chunk_size: int = 16,
    progress: Progress | None = None,
    **options: Any,
) -> RiseLedger:
    """Scores a clip under random masks once, for any number of maps afterwards.

    Args:
      key: Random key; mask n depends on (key, n) alone.
      score_fn: Maps one clip (T, H, W, C) to logits (K,).
      clip: The clip to explain, (T, H, W, C), values in [0, 1].
      recipe: "default", "icpr2022" or "canonical": the options' defaults.
      path: Where the ledger is saved as it grows, every ten seconds. A ledger of the same run found there is taken
        up, not redone; if it holds more masks, they stay in the file.
      chunk_size: Masks in memory at once; changes speed, not the result.
      progress: Called with (masks done, masks in all) now and then.
      **options: Fields of `jaxsal.recipes.RiseOptions`.

    Returns:
      The ledger of the `num_masks` masks, with `.map(target)`, `.stderr(target)` and `.save(path)`.

    Raises:
      TypeError: If an argument is of the wrong kind or an option is unknown.
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
    chosen: RiseOptions = resolve_options("rise", recipe, options)
    check_key(key)
    clip = check_clip(clip, score_fn)
    num_classes = check_score_fn(score_fn, clip)
    check_batches(score_fn, chosen.batch_size)
    ledger = RiseLedger(
        key_data=np.asarray(jax.random.key_data(key)),
        shape=mask_shape(score_fn, clip),
        options=chosen,
        clip_fingerprint=fingerprint(clip),
        clip_logits=clip_logits(score_fn, clip),
        ids=np.zeros(0, np.int32),
        logits=np.zeros((0, num_classes), np.float32),
        precision=getattr(score_fn, "precision", None),
        weights=weights_fingerprint(score_fn),
    )
    if path is not None and Path(path).exists():
        ledger = ledger.merge(RiseLedger.load(path))
    count = chosen.num_masks
    ledger = score_missing(ledger, score_fn, clip, count, path=path, chunk_size=chunk_size, progress=progress)
    return ledger.first(count)
