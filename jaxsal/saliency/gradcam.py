"""Grad-CAM: the last activations, weighted by the gradient of the target's logit."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxsal.core.callables import Static, head_of, join_callable
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import AnyArray, ClipTree, FeaturesAndHead, OneTarget, SaliencyOf, Target
from jaxsal.engine.batch import Batch, prepare
from jaxsal.engine.class_scores import own_kind, target_scores
from jaxsal.engine.resample import resample
from jaxsal.engine.spectra import beside
from jaxsal.recipes import METHODS, Alignment, GradCamOptions, RecipeName, ScoreKind, chosen_options
from jaxsal.saliency.method import LayerOptions, Method, of_layer
from jaxsal.saliency.targets import Kind, Targets, as_targets, explain_targets, labels_of


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
    options: GradCamOptions = chosen_options("gradcam", recipe, locals())
    batch = prepare(classifier, [clip], name="classifier")
    batch.check_parts("gradcam", options.layer)
    maps = gradcam_maps(batch, as_targets(batch.target(target)), options)
    batch.check_logits()
    return batch.by_spectrum(maps.reshape(maps.shape[1:]))


def gradcam_maps(batch: Batch, targets: Targets, options: GradCamOptions) -> Float[Array, "B *K_S Tm H W"]:
    """The maps of all clips of a batch.

    Args:
      batch: The clips.
      targets: See `jaxsal.saliency.targets`.
      options: Of the method.
    """
    segmented = batch.shape[-3] < batch.clip_shape[0]
    per_frame = options.weights_per == "frame" or (options.weights_per == "auto" and segmented)
    return cam_maps(batch, targets, gradcam_evidence, options, per_frame=per_frame)


def gradcam_evidence(
    gradient: Float[Array, "t h w d"], activations: Float[Array, "t h w d"], options: GradCamOptions, per_frame: bool
) -> Float[Array, "t h w"]:
    """sum_k alpha_k A_k, before what is negative is dropped."""
    pool = jnp.sum if options.gradient_pool == "sum" else jnp.mean
    evidence = pool(gradient, axis=(1, 2) if per_frame else (0, 1, 2), keepdims=True) * activations
    if options.relu == "channels":
        evidence = jax.nn.relu(evidence)
    return evidence.sum(axis=-1)


def cam_maps(
    batch: Batch, targets: Targets, evidence: Callable[..., Array], options: LayerOptions, *, per_frame: bool = False
) -> Float[Array, "B *K_S Tm H W"]:
    """up(ReLU(evidence)) of all clips of a batch, from the activations and the target's gradient there.

    Args:
      batch: The clips.
      targets: See `jaxsal.saliency.targets`.
      evidence: (gradient, activations, options, per_frame) to the evidence (t, h, w); a function of a module.
      options: Of the method.
      per_frame: Whether frames are weighed by themselves.
    """
    labels, kind = labels_of(targets, batch.size)
    static = batch.shape, per_frame, kind, own_kind(batch.score_fn), options, evidence
    known = batch.parts if options.layer is None else batch.activations(layer=options.layer)
    maps, parts = batch.each(_maps_each, known, labels, static=static, split=batch.split_at(options.layer))
    if parts is not None:  # one program gives all, which a small network would notice
        batch.learn_parts(*parts)
    return maps


@partial(jax.jit, static_argnums=(4, 5, 6, 7, 8, 9, 10))
def _maps_each(
    weights: list[AnyArray],
    clips: PyTree,
    activations: PyTree | None,
    labels: Int[AnyArray, "B *two"],
    static: Static,
    shape: tuple[int, ...],
    per_frame: bool,
    targets: Kind,
    scores: ScoreKind,
    options: LayerOptions,
    evidence: Callable[..., Array],
) -> tuple[Float[Array, "B *K_S Tm H W"], tuple[PyTree, Float[Array, "B K"]] | None]:
    """The maps, and the activations and logits of the clips where the activations were not given."""
    classifier = join_callable(weights, static)

    def explain(clip: ClipTree, known: PyTree | None, label: Array) -> tuple[Array, tuple[PyTree, Array] | None]:
        activations = classifier.features(clip) if known is None else known
        logits, pull_back = jax.vjp(head_of(classifier, clip), activations)
        parts = (activations, logits) if known is None else None

        def explain_target(target: OneTarget) -> Array:
            of_logits = jax.grad(lambda logits: target_scores(logits[None], target, "logits")[0])(logits)
            (gradient,) = pull_back(of_logits)
            maps = jax.tree.map(explain_part, gradient, activations)
            if isinstance(maps, Mapping):
                return beside(maps)
            return jnp.broadcast_to(maps, shape)

        def explain_part(gradient: Array, activations: Array) -> Array:
            found = jax.nn.relu(evidence(gradient, activations, options, per_frame))
            return resample(found, shape[-3:], options.alignment)

        return explain_targets(explain_target, logits, label, targets, scores), parts

    return jax.vmap(explain)(clips, activations, jnp.asarray(labels))


METHOD = Method(
    "gradcam",
    METHODS["gradcam"],
    maps=lambda batch, targets, options, seed: gradcam_maps(batch, targets, options),
    activations=of_layer,
    needs_parts=True,
    seeded=False,
)
