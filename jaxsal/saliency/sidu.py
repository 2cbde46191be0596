"""SIDU: masks from the last activations, weighted by similarity difference times uniqueness."""

from collections.abc import Mapping
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, UInt8

from jaxsal.core.checks import check_chunk_size
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import AnyArray, ClipTree, Contrast, FeaturesAndHead, LogitFn, Progress, SaliencyOf, Target
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import REPLACED, Batch, prepare
from jaxsal.engine.chunks import in_chunks
from jaxsal.engine.class_scores import class_scores, of_classifier, predicted_class, target_scores
from jaxsal.engine.classifiers import check_batches
from jaxsal.engine.masks import ActivationMasks, Families
from jaxsal.engine.requests import Request, Scores, score_requests
from jaxsal.engine.spectra import from_rows, in_all_channels
from jaxsal.recipes import METHODS, Alignment, ChunkSize, RecipeName, ScoreKind, SiduOptions, chosen_options
from jaxsal.saliency.method import Method


@check_kinds
def sidu(
    classifier: FeaturesAndHead,
    clip: ClipTree,
    target: Target = None,
    *,
    recipe: RecipeName = "default",
    threshold: float | None = None,
    kernel_width: float | None = None,
    scores: ScoreKind | None = None,
    baseline: str | AnyArray | None = None,
    alignment: Alignment | None = None,
    feature_normalization: Literal["same", "minmax"] | None = None,
    batch_size: int | None = None,
    layer: str | None = None,
    chunk_size: ChunkSize = "auto",
    progress: Progress | None = None,
) -> SaliencyOf:
    """Explains one clip by what its last channels see (SIDU).

    S_c = 1 / (0.5 d) sum_k SD_kc U_k M_k, with M_k = up(1[A_k > threshold]) the mask of channel k of d; P_k the
    scores of the clip under M_k and P_0 without; SD_kc = exp(-(P_0c - P_kc)^2 / (2 sigma^2)); and
    U_k = minmax_k(sum_j |P_k - P_j|).

    Args:
      classifier: A callable pytree with methods `features(clip)` and `head(activations)`.
      clip: The clip to explain, (T, H, W, C), values in [0, 1]; or a scene, one clip for each spectrum by name.
      target: c, the class to explain, by number or name, or a function of the logits (K,), whose values then stand for
        P_c in SD; the predicted class if None; "all" for one map per class.
      recipe: "default", "icpr2022" or "canonical": supplies every option below that is None.
      threshold: A channel's mask is where its activation is above this; below 0 every mask keeps everything and
        the map is 0.
      kernel_width: sigma of the similarity kernel, in units of the scores.
      scores: P, "probabilities" (the official code), "softmax", "sigmoid", "logits" (the study's) or "given", as for
        `jaxsal.rise`.
      baseline: What stands in for removed voxels, a name of `jaxsal.engine.baselines` or an array.
      alignment: How masks are stretched, see `jaxsal.engine.resample`.
      feature_normalization: Normalisation of the pass that gives the activations: the classifier's own ("same")
        or "minmax" (the study's code).
      batch_size: Masked clips that are scored together where the classifier's normalisation depends on the batch
        (the study's code for PAN: 64 with min-max); each by itself otherwise.
      layer: Layer of a Flax module whose channels are A, as `classifier.at` takes it; the one that enters the head if
        None.
      chunk_size: Masks in memory at once; changes speed, not the result. "auto" is 16 on a CPU, on an accelerator as
        many as fit, at most 64 a device.
      progress: Called with (masks done, masks in all) now and then.

    Returns:
      The saliency map (T', H, W), values in [0, 2]; 0 everywhere where all masks are alike. Of a scene one for each
      spectrum by name: the mask of a channel of one spectrum keeps nothing of the others, and a channel of all of them
      keeps the same of each.

    Raises:
      TypeError: If the classifier has no `features` and `head`.
      ValueError: If the clip, the target or an option's value is not allowed, or there is no such layer.

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
    options: SiduOptions = of_classifier(chosen_options("sidu", recipe, locals()), classifier)
    check_batches(classifier, options.batch_size)
    check_chunk_size(chunk_size)
    batch = prepare(classifier, [clip], name="classifier")
    batch.check_parts("sidu", options.layer)
    target = batch.target(target)
    batch.check_logits()
    (found,) = in_chunks(chunk_size, "sidu", batch, partial(sidu_scores, batch, options, progress=progress))
    return batch.by_spectrum(sidu_map(found, target, options))


def sidu_scores(
    batch: Batch, options: SiduOptions, *, chunk_size: int = 16, progress: Progress | None = None
) -> list[Scores]:
    """The logits of every clip under the masks of its d channels; masks that are alike are scored once."""
    return score_requests(
        batch,
        *masks(batch, options, batch.shape),
        baseline=Baseline.of(options.baseline),
        batch_size=options.batch_size,
        chunk_size=chunk_size,
        progress=progress,
    )


def masks(batch: Batch, options: SiduOptions, shape: tuple[int, ...], seed: int = 0) -> tuple[Families, list[Request]]:
    """The masks of the channels of every clip, a family each, and which of them to score."""
    found = batch.activations(*activations_read(options))
    activations = in_all_channels(found, batch.spectra)
    leaves, threshold = jax.tree.leaves(activations), float(options.threshold)
    like = ActivationMasks(jax.tree.map(lambda one: one[0], activations), threshold, shape[-3:], options.alignment)
    families = Families.like(like, [*leaves, np.full(batch.size, threshold, leaves[0].dtype)])
    numbers = range(len(batch.originals))
    if batch.traced or options.batch_size is not None:  # not known yet, or scores depend on their batch: all masks
        every = np.arange(like.num_masks, dtype=np.int32)
        return families, [Request(number, number, every) for number in numbers]
    bits = np.asarray(pack_masks(activations, threshold))
    return families, [Request(number, number, *_distinct(bits[number])) for number in numbers]


def activations_read(options: SiduOptions) -> tuple[str | None, str | None]:
    """The normalisation and the layer of the activations that are read, as of `Batch.activations`."""
    return "minmax" if options.feature_normalization == "minmax" else None, options.layer


def stored(family: ActivationMasks) -> dict[str, np.ndarray]:
    """The thresholded activations in bits, (d, n), and their (t, h, w), from which `restored` makes the masks.

    Of a scene the bits are those of one spectrum after the other, and there is a row of positions for each.
    """
    parts = jax.tree.map(lambda one: one[None], family.activations)
    bits = np.asarray(pack_masks(parts, family.threshold))[0]
    shapes = jax.tree.map(lambda one: np.array(one.shape[:3], np.int32), family.activations)
    return {"masks": bits, "positions": np.stack(shapes) if isinstance(shapes, tuple) else shapes}


def restored(
    arrays: Mapping[str, np.ndarray], options: SiduOptions, shape: tuple[int, ...], seed: int
) -> ActivationMasks:
    """The masks from what `stored` gave."""
    positions = np.atleast_2d(arrays["positions"])
    bits = np.unpackbits(arrays["masks"], axis=1, count=int(positions.prod(axis=1).sum())).astype(np.float32)
    parts = jax.device_put(from_rows(bits, positions, of_scene=len(shape) == 4))
    return ActivationMasks(parts, 0.5, shape[-3:], options.alignment)


@jax.jit
def pack_masks(activations: PyTree, threshold: float | Float[Array, ""]) -> UInt8[Array, "B d n"]:
    """The thresholded activations (B, t, h, w, d) of each channel, eight to a byte, which tell masks apart on the host.

    Of scenes those of one spectrum after the other.
    """
    binary = [(one > threshold).reshape(len(one), -1, one.shape[-1]) for one in jax.tree.leaves(activations)]
    return jnp.packbits(jnp.moveaxis(jnp.concatenate(binary, axis=1), -1, 1), axis=-1)


def _distinct(
    bits: UInt8[np.ndarray, "d n"],
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Int[np.ndarray, " d"]]:
    """Numbers of masks of which no two are alike, which of them keep nothing, and where each mask is among them.

    Many channels share a mask, such as one of nothing.
    """
    _, first, places = np.unique(bits, axis=0, return_index=True, return_inverse=True)
    ends = np.where(bits[first].any(axis=1), 0, REPLACED)
    return first.astype(np.int32), ends, places.ravel()


def sidu_map(scores: Scores, target: Target, options: SiduOptions) -> Float[Array, "*K_S Tm H W"]:
    """The map of a class, the predicted one if None, or of every class for "all", from the scores of all channels."""
    rows = jnp.asarray(scores.clip_logits), jnp.asarray(scores.logits)
    static = target if callable(target) or isinstance(target, str) else None
    label = target if static is None else None
    return _read_out(scores.family, *rows, options.kernel_width, label, static, options.scores)


def similarity_difference(
    original: Float[Array, " n"], scores: Float[Array, "d n"], kernel_width: float | Float[Array, ""]
) -> Float[Array, "d n"]:
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
    kernel_width: float | Float[Array, ""],
    label: int | Int[Array, ""] | Contrast | None,
    target: LogitFn | str | None,
    scores: ScoreKind,
) -> Float[Array, "*K_S Tm H W"]:
    """The map; `target` is a function of the logits, "all", or None for the class `label`, None for the predicted."""
    rows = jnp.concatenate([logits[None], masked_logits])
    every = jnp.asarray(class_scores(rows, scores))
    if target == "all":
        explained = every
    else:
        number = predicted_class(logits, scores) if label is None else label
        wanted = target if callable(target) else jax.tree.map(jnp.asarray, number)
        explained = jnp.asarray(target_scores(rows, wanted, scores))[:, None]
    # Masks that are all alike are told apart by rounding noise alone, which min-max would blow up.
    alike = jnp.stack([(binary == binary[..., :1]).all() for binary in jax.tree.leaves(masks.binary())]).all()
    unique = jnp.where(alike, 0.0, uniqueness(every[1:]))
    weights = similarity_difference(explained[0], explained[1:], kernel_width) * unique[:, None]
    maps = masks.weighted_sum(weights) / (0.5 * masks.num_masks)
    return maps if target == "all" else maps[0]


METHOD = Method(
    "sidu",
    METHODS["sidu"],
    masks=masks,
    num_masks=lambda options, shape, channels: channels,
    read_out=sidu_map,
    stored=stored,
    restored=restored,
    read_options=("kernel_width", "scores"),
    activations=activations_read,
    needs_parts=True,
    seeded=False,
)
