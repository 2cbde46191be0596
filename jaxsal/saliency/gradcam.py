"""Grad-CAM: the last activations, weighted by the gradient of the target's logit."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from jaxsal.core.callables import Static, head_of, join_callable, split_callable
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import AnyArray, ClipTree, FeaturesAndHead, LogitFn, SaliencyOf, Target
from jaxsal.engine.batch import Batch, prepare
from jaxsal.engine.class_scores import num_targets, own_kind, predicted_class, target_scores
from jaxsal.engine.inputs import looked_at
from jaxsal.engine.resample import resample
from jaxsal.engine.spectra import beside
from jaxsal.recipes import Alignment, GradCamOptions, RecipeName, ScoreKind, chosen_options


@check_kinds
def gradcam(
    classifier: FeaturesAndHead,
    clip: ClipTree,
    target: Target = None,
    *,
    recipe: RecipeName = "default",
    relu: Literal["sum", "channels"] | None = None,
    gradient_pool: Literal["sum", "mean"] | None = None,
    weights_per: Literal["auto", "clip", "frame"] | None = None,
    alignment: Alignment | None = None,
    layer: str | None = None,
) -> SaliencyOf:
    """Explains one clip by its last activations (Grad-CAM).

    S = up(ReLU(sum_k alpha_k A_k)), alpha_k = sum_{t,y,x} dF_c / dA_k, with A the activations that enter the head
    and F_c the target's logit (-z and z for a single logit z), or the function of the logits. One forward pass, and the
    gradient of the head alone.

    Args:
      classifier: Anything with methods `features(clip)` and `head(activations)`; a `jaxsal.Classifier`.
      clip: The clip to explain, (T, H, W, C), values in [0, 1]; or a scene, one clip for each spectrum by name.
      target: c, the class to explain, by number or name, or a function of the logits (K,); the predicted class if None;
        "all" for one map per class.
      recipe: "default", "icpr2022" or "canonical": supplies every option below that is None.
      relu: "sum" drops negative evidence after the sum over channels, as the paper does; "channels" drops it in
        each channel before the sum, as the study's code does.
      gradient_pool: "sum" of the gradient over positions, as both codes do, or "mean": a constant factor.
      weights_per: One channel weight per "clip" or per "frame" of activations; "auto" takes "frame" where the
        frames of a clip share masks in segments.
      alignment: How the map is stretched to the clip, see `jaxsal.engine.resample`.
      layer: Layer of a Flax module whose activations are A, as `classifier.at` takes it; the one that enters the head
        if None.

    Returns:
      The saliency map (T', H, W), at least 0, in logits; (K, T', H, W) for "all". Of a scene one for each spectrum by
      name, from the activations of that spectrum; the same for all where the activations are of all.

    Raises:
      TypeError: If the classifier has no `features` and `head`.
      ValueError: If the clip, the target or an option's value is not allowed, or there is no such layer.

    Example:
      The classes are the colours' means, so one bright red voxel is all that is red:

      >>> import jax.numpy as jnp, jaxsal
      >>> red = jaxsal.Classifier.from_functions(
      ...     lambda params, clip: clip, lambda params, a: a.mean(axis=(0, 1, 2)) @ params, jnp.eye(3)
      ... )
      >>> clip = jnp.zeros((2, 4, 4, 3)).at[0, 1, 2, 0].set(1.0)
      >>> saliency = jaxsal.gradcam(red, clip, 0)
      >>> saliency.shape
      (2, 4, 4)
      >>> int(saliency.argmax()) == (0 * 4 + 1) * 4 + 2
      True

    References:
      Selvaraju et al., "Grad-CAM", ICCV 2017, https://arxiv.org/abs/1610.02391
    """
    options = chosen_options("gradcam", recipe, locals())
    batch = prepare(classifier, [clip], name="classifier")
    batch.check_parts("gradcam", options.layer)
    explained = batch.target(target)
    if explained is None or isinstance(explained, str) or callable(explained):
        maps = gradcam_maps(batch, explained, options)
    else:
        maps = gradcam_maps(batch, [explained], options)
    batch.check_logits()
    return batch.by_spectrum(maps.reshape(maps.shape[1:]))


def gradcam_maps(
    batch: Batch, targets: Sequence[int | Int[AnyArray, ""]] | LogitFn | Literal["all"] | None, options: GradCamOptions
) -> Float[Array, "B *K_S Tm H W"]:
    """The maps of all clips of a batch.

    Args:
      batch: The clips.
      targets: The class of each clip, a function of the logits, "all" for every class, None for the predicted ones.
      options: Of the method.
    """
    segmented = batch.shape[-3] < batch.clip_shape[0]
    per_frame = options.weights_per == "frame" or (options.weights_per == "auto" and segmented)
    labels: AnyArray = np.zeros(batch.size, np.int32)
    if isinstance(targets, list):
        filled = [*targets, *targets[-1:] * (batch.size - len(targets))]
        traced = any(isinstance(target, jax.core.Tracer) for target in filled)
        labels = jnp.stack(filled).astype(jnp.int32) if traced else np.asarray(filled, np.int32)
    kind = "given" if isinstance(targets, list) else targets
    static = batch.shape, per_frame, kind, own_kind(batch.score_fn), options
    if options.layer is not None:
        split = split_callable(looked_at(batch.score_fn, options.layer))
        batch.count(len(batch.originals))
        return batch.each(_maps_each, None, labels, static=static, split=split)[0]
    maps, parts = batch.each(_maps_each, batch.parts, labels, static=static)
    if batch.parts is None:  # one program gives all, which a small network would notice
        batch.learn_parts(*parts)
    return maps


@partial(jax.jit, static_argnums=(4, 5, 6, 7, 8, 9))
def _maps_each(
    weights: list[AnyArray],
    clips: PyTree,
    activations: PyTree | None,
    labels: Int[AnyArray, " B"],
    static: Static,
    shape: tuple[int, ...],
    per_frame: bool,
    targets: Literal["given", "all"] | LogitFn | None,
    scores: ScoreKind,
    options: GradCamOptions,
) -> tuple[Float[Array, "B *K_S Tm H W"], tuple[PyTree, Float[Array, "B K"]] | None]:
    """The maps, and the activations and logits of the clips where the activations were not given."""
    classifier = join_callable(weights, static)
    positions = (1, 2) if per_frame else (0, 1, 2)

    def explain(clip: ClipTree, known: PyTree | None, label: Array) -> tuple[Array, tuple[PyTree, Array] | None]:
        activations = classifier.features(clip) if known is None else known
        logits, pull_back = jax.vjp(head_of(classifier, clip), activations)
        parts = (activations, logits) if known is None else None

        def explain_target(target: Array | LogitFn) -> Array:
            of_logits = jax.grad(lambda logits: target_scores(logits[None], target, "logits")[0])(logits)
            (gradient,) = pull_back(of_logits)
            maps = jax.tree.map(explain_part, gradient, activations)
            if isinstance(maps, Mapping):
                return beside(maps)
            return jnp.broadcast_to(maps, shape)

        def explain_part(gradient: Array, activations: Array) -> Array:
            pool = jnp.sum if options.gradient_pool == "sum" else jnp.mean
            evidence = pool(gradient, axis=positions, keepdims=True) * activations
            if options.relu == "channels":
                evidence = jax.nn.relu(evidence)
            return resample(jax.nn.relu(evidence.sum(axis=-1)), shape[-3:], options.alignment)

        if targets == "all":
            return jax.vmap(explain_target)(jnp.arange(num_targets(logits.shape[0]))), parts
        if callable(targets):
            return explain_target(targets), parts
        return explain_target(label if targets == "given" else jnp.asarray(predicted_class(logits, scores))), parts

    return jax.vmap(explain)(clips, activations, jnp.asarray(labels))
