"""SIDU: masks from the last activations, weighted by similarity difference times uniqueness."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.callables import join_callable, split_callable
from jaxsal.core.types import Clip, FeaturesAndHead, Progress, Target
from jaxsal.engine.baselines import make_baseline
from jaxsal.engine.families import Families
from jaxsal.engine.inputs import check_batches, check_clip, check_features_and_head, check_target, mask_shape
from jaxsal.engine.masked import score_masks
from jaxsal.engine.masks import ActivationMasks
from jaxsal.engine.scoring import score_pairs
from jaxsal.engine.side_by_side import each_clip
from jaxsal.keywords import resolve_options, takes_options
from jaxsal.recipes import SiduOptions


@takes_options("sidu")
def sidu(
    classifier: FeaturesAndHead,
    clip: Clip,
    target: Target = None,
    *,
    recipe: str = "default",
    chunk_size: int = 16,
    progress: Progress | None = None,
    **options: Any,
) -> Float[Array, "*K Tm H W"]:
    """Explains one clip by what its last channels see (SIDU).

    S_c = 1 / (0.5 d) sum_k SD_kc U_k M_k, with M_k = up(1[A_k > threshold]) the mask of channel k of d; P_k the
    scores of the clip under M_k and P_0 without; SD_kc = exp(-(P_0c - P_kc)^2 / (2 sigma^2)); and
    U_k = minmax_k(sum_j |P_k - P_j|).

    Args:
      classifier: A callable pytree with methods `features(clip)` and `head(activations)`.
      clip: The clip to explain, (T, H, W, C), values in [0, 1].
      target: c, the class to explain; the predicted class if None; "all" for one map per class.
      recipe: "default", "icpr2022" or "canonical": the options' defaults.
      chunk_size: Masks in memory at once; changes speed, not the result.
      progress: Called with (masks done, masks in all) now and then.
      **options: Fields of `jaxsal.recipes.SiduOptions`.

    Returns:
      The saliency map (T', H, W), values in [0, 2]; 0 everywhere where all masks are alike.

    Raises:
      TypeError: If the classifier has no `features` and `head`, or an option is unknown.
      ValueError: If the clip, the target or an option's value is not allowed.

    Example:
      >>> import jax.numpy as jnp, jaxsal
      >>> colours = jaxsal.Classifier.from_functions(
      ...     lambda params, clip: clip, lambda params, a: a.mean(axis=(0, 1, 2)) @ params, 9 * jnp.eye(3)
      ... )
      >>> clip = jnp.zeros((2, 4, 4, 3)).at[:, :2, :, 0].set(1.0).at[:, :, 3, 1].set(1.0)  # red top, green side
      >>> saliency = jaxsal.sidu(colours, clip, 0)
      >>> bool(saliency[:, :2, :3].mean() > saliency[:, 2:, :3].mean())
      True

    References:
      Muddamsetty et al., "SIDU: Similarity Difference and Uniqueness Method for Explainable AI", ICIP 2020,
      https://arxiv.org/abs/2006.03122
    """
    chosen: SiduOptions = resolve_options("sidu", recipe, options)
    clip = check_clip(clip, classifier)
    target = check_target(target, check_features_and_head(classifier, clip, "sidu"))
    check_batches(classifier, chosen.batch_size)
    shape = mask_shape(classifier, clip)
    split = split_callable(classifier)
    activations, logits = _features_and_logits(
        split.arrays, clip, split.static, chosen.feature_normalization == "minmax"
    )
    masks = ActivationMasks(activations, float(chosen.threshold), shape, chosen.alignment)
    ids, places = _distinct_masks(masks, chunk_size if chosen.batch_size is None else None)
    distinct_logits = score_masks(
        classifier,
        clip,
        masks,
        ids=ids,
        baseline=chosen.baseline,
        batch_size=chosen.batch_size,
        chunk_size=chunk_size,
        progress=progress,
    )
    every_class = isinstance(target, str)
    return _read_out(
        masks,
        logits,
        _take(distinct_logits, places, like=logits),
        chosen.kernel_width,
        None if every_class else target,
        chosen.scores == "probabilities",
        every_class,
    )


def sidu_clips(
    classifier: FeaturesAndHead,
    clips: Sequence[Clip],
    targets: Sequence[int],
    *,
    recipe: str = "default",
    chunk_size: int = 16,
    **options: Any,
) -> list[Float[Array, "Tm H W"]]:
    """`sidu` of several clips of one shape at once, their masks side by side in each chunk; arguments as there.

    Clips beyond the targets are there for the size of the programs alone.
    """
    chosen: SiduOptions = resolve_options("sidu", recipe, options)
    if chosen.batch_size is not None:  # a batch is of one clip
        keywords: Any = dict(recipe=recipe, chunk_size=chunk_size, **options)
        own = clips[: len(targets)]
        return [sidu(classifier, clip, target, **keywords) for clip, target in zip(own, targets, strict=True)]
    checked = [check_clip(clip, classifier) for clip in clips]
    check_features_and_head(classifier, checked[0], "sidu")
    shape = mask_shape(classifier, checked[0])
    minmax = chosen.feature_normalization == "minmax"
    activations, logits = each_clip(_features_and_logits_each, classifier, checked, static=(minmax,))
    threshold, alignment = float(chosen.threshold), chosen.alignment
    explained = activations[: len(targets)]
    masks = [ActivationMasks(jax.device_put(one), threshold, shape, alignment) for one in explained]
    distinct = [_distinct_masks(one, 1) for one in masks]
    counts = [len(ids) for ids, _ in distinct]
    numbers = np.arange(len(targets), dtype=np.int32)
    thresholds = np.full(len(clips), threshold, activations.dtype)
    scores = score_pairs(
        classifier,
        checked,
        Families.like(masks[0], [activations, thresholds]),
        [make_baseline(chosen.baseline, clip, classifier) for clip in checked],
        np.repeat(np.stack([numbers, numbers], axis=1), counts, axis=0),
        np.concatenate([ids for ids, _ in distinct]).astype(np.int32),
        chunk_size=chunk_size,
    )
    parts = np.split(np.asarray(scores), np.cumsum(counts)[:-1])
    probabilities = chosen.scores == "probabilities"
    return [
        _read_out(one, own, part[places], chosen.kernel_width, target, probabilities, False)
        for one, own, part, (_, places), target in zip(
            masks, logits[: len(masks)], parts, distinct, targets, strict=True
        )
    ]


def _take(rows: Array, places: Int[np.ndarray, " d"], *, like: Array) -> Array:
    """rows[places] on the devices of `like`, taken on the host, where nothing is compiled for the number of rows."""
    if isinstance(rows, jax.core.Tracer) or isinstance(like, jax.core.Tracer):
        return rows[places]
    return jax.device_put(np.asarray(rows)[places], like.sharding)


def _distinct_masks(
    masks: ActivationMasks, chunk_size: int | None
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " d"]]:
    """The numbers of masks of which no two are alike, filled up to whole chunks, and where each mask is among them.

    Many channels share a mask, such as one of nothing; they need to be scored once. All masks are taken where
    `chunk_size` is None, since scores depend on their batch, and where the activations are not known yet.
    """
    every = np.arange(masks.num_masks)
    if chunk_size is None or isinstance(masks.activations, jax.core.Tracer):
        return every, every
    columns = (np.asarray(masks.activations) > masks.threshold).reshape(-1, masks.num_masks).T
    _, first, places = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    return np.pad(first, (0, -len(first) % chunk_size), mode="edge"), places


@partial(jax.jit, static_argnums=(2, 3))
def _features_and_logits_each(arrays: list[Any], clips: Array, static: Any, minmax: bool) -> tuple[Array, Array]:
    classifier = join_callable(arrays, static)
    return jax.vmap(lambda clip: _parts(classifier, clip, minmax))(clips)


@partial(jax.jit, static_argnums=(2, 3))
def _features_and_logits(arrays: list[Any], clip: Array, static: Any, minmax: bool) -> tuple[Array, Array]:
    return _parts(join_callable(arrays, static), clip, minmax)


def _parts(classifier: Any, clip: Array, minmax: bool) -> tuple[Array, Array]:
    """The activations that masks are made of, and the logits of the clip."""
    activations = classifier.features(clip)
    logits = classifier.head(activations)
    if minmax:
        activations = classifier.with_normalization("minmax").features(clip)
    return activations, logits


def similarity_difference(
    original: Float[Array, " K"], scores: Float[Array, "d K"], kernel_width: float | Float[Array, ""]
) -> Float[Array, "d K"]:
    """SD_kc = exp(-(P_0c - P_kc)^2 / (2 sigma^2)), in [0, 1]."""
    return jnp.exp(-((original - scores) ** 2) / (2 * kernel_width**2))


def uniqueness(scores: Float[Array, "d K"]) -> Float[Array, " d"]:
    """U_k = minmax_k(sum_j |P_k - P_j|), in [0, 1]; 0 for all where the scores are all equal."""
    distances = jax.lax.map(lambda row: jnp.sqrt(((row - scores) ** 2).sum(axis=-1)).sum(), scores)
    return (distances - distances.min()) / (distances.max() - distances.min() + 1e-13)


@partial(jax.jit, static_argnums=(5, 6))
def _read_out(
    masks: ActivationMasks,
    logits: Array,
    masked_logits: Array,
    kernel_width: Any,
    target: Any,
    probabilities: bool,
    every_class: bool,
) -> Float[Array, "*K Tm H W"]:
    """The map of the target, the predicted class if None, or those of all classes."""
    label = jnp.argmax(logits) if target is None else target
    if probabilities:
        logits, masked_logits = jax.nn.softmax(logits), jax.nn.softmax(masked_logits)
    binary = masks.binary()
    # Masks that are all alike are told apart by rounding noise alone, which min-max would blow up.
    unique = jnp.where((binary == binary[..., :1]).all(), 0.0, uniqueness(masked_logits))
    weights = similarity_difference(logits, masked_logits, kernel_width) * unique[:, None]
    if not every_class:
        weights = jax.lax.dynamic_slice_in_dim(weights, label, 1, axis=1)
    maps = masks.weighted_sum(weights) / (0.5 * masks.num_masks)
    return maps if every_class else maps[0]
