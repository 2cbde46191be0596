"""Grad-CAM: the last activations, weighted by the gradient of the target's logit."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsal.core.callables import join_callable, split_callable
from jaxsal.core.types import Clip, FeaturesAndHead, Target
from jaxsal.engine.inputs import check_clip, check_features_and_head, check_target, mask_shape
from jaxsal.engine.resample import resample
from jaxsal.engine.side_by_side import each_clip
from jaxsal.keywords import resolve_options, takes_options
from jaxsal.recipes import GradCamOptions


@takes_options("gradcam")
def gradcam(
    classifier: FeaturesAndHead, clip: Clip, target: Target = None, *, recipe: str = "default", **options: Any
) -> Float[Array, "*K Tm H W"]:
    """Explains one clip by its last activations (Grad-CAM).

    S = up(ReLU(sum_k alpha_k A_k)), alpha_k = sum_{t,y,x} dF_c / dA_k, with A the activations that enter the head
    and F_c the target's logit. One forward pass, and the gradient of the head alone.

    Args:
      classifier: Anything with methods `features(clip)` and `head(activations)`; a `jaxsal.Classifier`.
      clip: The clip to explain, (T, H, W, C), values in [0, 1].
      target: c, the class to explain; the predicted class if None; "all" for one map per class.
      recipe: "default", "icpr2022" or "canonical": the options' defaults.
      **options: Fields of `jaxsal.recipes.GradCamOptions`.

    Returns:
      The saliency map (T', H, W), at least 0, in logits; (K, T', H, W) for "all".

    Raises:
      TypeError: If the classifier has no `features` and `head`, or an option is unknown.
      ValueError: If the clip, the target or an option's value is not allowed.

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
    chosen: GradCamOptions = resolve_options("gradcam", recipe, options)
    clip = check_clip(clip, classifier)
    target = check_target(target, check_features_and_head(classifier, clip, "gradcam"))
    mask_shape(classifier, clip)
    split = split_callable(classifier)
    every_class = isinstance(target, str)
    return _gradcam(split.arrays, clip, None if every_class else target, split.static, every_class, chosen)


def gradcam_clips(
    classifier: FeaturesAndHead,
    clips: Sequence[Clip],
    targets: Sequence[int],
    *,
    recipe: str = "default",
    **options: Any,
) -> Float[np.ndarray, "B Tm H W"]:
    """`gradcam` of several clips of one shape at once, laid over the devices of this process; arguments as there.

    Clips beyond the targets are there for the size of the program alone.
    """
    chosen: GradCamOptions = resolve_options("gradcam", recipe, options)
    clips = [check_clip(clip, classifier) for clip in clips]
    check_features_and_head(classifier, clips[0], "gradcam")
    mask_shape(classifier, clips[0])
    labels = [np.int32(target) for target in targets]
    return each_clip(_gradcam_each, classifier, clips, labels, static=(chosen,))[: len(targets)]


@partial(jax.jit, static_argnums=(3, 4))
def _gradcam_each(
    arrays: list[Any], clips: Array, targets: Array, static: Any, options: GradCamOptions
) -> Float[Array, "B Tm H W"]:
    classifier: Any = join_callable(arrays, static)
    return jax.vmap(lambda clip, target: _maps(classifier, clip, target, False, options))(clips, targets)


@partial(jax.jit, static_argnums=(3, 4, 5))
def _gradcam(
    arrays: list[Any], clip: Array, target: Any, static: Any, every_class: bool, options: GradCamOptions
) -> Float[Array, "*K Tm H W"]:
    return _maps(join_callable(arrays, static), clip, target, every_class, options)


def _maps(
    classifier: Any, clip: Array, target: Any, every_class: bool, options: GradCamOptions
) -> Float[Array, "*K Tm H W"]:
    """The map of the target, the predicted class if None, or those of all classes."""
    shape = mask_shape(classifier, clip)
    segmented = shape[0] < clip.shape[0]
    per_frame = options.weights_per == "frame" or (options.weights_per == "auto" and segmented)
    positions = (1, 2) if per_frame else (0, 1, 2)
    activations = classifier.features(clip)
    logits, pull_back = jax.vjp(classifier.head, activations)

    def explain(label):
        (gradient,) = pull_back(jax.nn.one_hot(label, logits.shape[0], dtype=logits.dtype))
        pool = jnp.sum if options.gradient_pool == "sum" else jnp.mean
        evidence = pool(gradient, axis=positions, keepdims=True) * activations
        if options.relu == "channels":
            evidence = jax.nn.relu(evidence)
        return resample(jax.nn.relu(evidence.sum(axis=-1)), shape, options.alignment)

    if every_class:
        return jax.vmap(explain)(jnp.arange(logits.shape[0]))
    return explain(jnp.argmax(logits) if target is None else target)
