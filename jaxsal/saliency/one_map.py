"""`jaxsal.saliency_map`: the map of one clip by any method of the registry."""

from functools import partial
from typing import Any

import jax

from jaxsal import recipes
from jaxsal.core.checks import Options, check_choice, check_chunk_size, check_seed
from jaxsal.core.kinds import check_kinds
from jaxsal.core.progress import as_progress
from jaxsal.core.types import ClipTree, Progress, SaliencyOf, ScoreFn, Target
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.chunks import in_chunks
from jaxsal.engine.class_scores import of_classifier
from jaxsal.engine.classifiers import check_batches
from jaxsal.engine.requests import score_requests
from jaxsal.recipes import SETTLED, ChunkSize, RecipeName, resolve_options
from jaxsal.saliency.methods import METHODS
from jaxsal.saliency.rise import rise
from jaxsal.saliency.targets import as_targets


@check_kinds
def saliency_map(
    classifier: ScoreFn,
    clip: ClipTree,
    target: Target = None,
    *,
    method: str | Options,
    recipe: RecipeName = "default",
    seed: int = 0,
    chunk_size: ChunkSize = "auto",
    progress: Progress | bool | None = None,
) -> SaliencyOf:
    """Explains one clip by any method, given by its name or by its options.

    Args:
      classifier: Maps one clip (T, H, W, C) to logits (K,); some methods need `features` and `head` too.
      clip: The clip to explain, values in [0, 1]; or a scene, one clip for each spectrum by name.
      target: The class to explain, by number or name, or a function of the logits (K,); the predicted class if None;
        "all" for one map per class.
      method: A name, such as "occlusion"; or options, such as `OcclusionOptions(grid_shape=(4, 8, 8))` of
        `jaxsal.recipes.further`.
      recipe: Preset of the options where `method` is a name.
      seed: Of everything random, 0 to 4294967295.
      chunk_size: Masks in memory at once; changes speed, not the result. "auto" as for `jaxsal.rise`.
      progress: Called with (masks done, masks in all) now and then; True shows a bar, or lines in a log.

    Returns:
      The saliency map (T', H, W), in the method's own unit; (K, T', H, W) for "all". Of a scene one for each spectrum
      by name.

    Raises:
      TypeError: If the classifier has no `features` and `head` and the method needs them, or `method` is neither a name
        nor options.
      ValueError: If the clip, the target or an option's value is not allowed.

    Example:
      >>> import jax.numpy as jnp, jaxsal
      >>> score_fn = lambda clip: jnp.stack([9 * clip[0, 1, 2].mean(), 0.0])  # looks at one voxel
      >>> saliency = jaxsal.saliency_map(score_fn, jnp.ones((2, 4, 4, 3)), method="occlusion")
      >>> saliency.shape, int(saliency.argmax()) == 1 * 4 + 2
      ((2, 4, 4), True)
    """
    name, given = _named(method, recipe)
    if name == "rise" and given.num_masks == SETTLED:  # which is scored look by look
        check_seed(seed)
        key = jax.random.key(seed, impl="threefry2x32")
        return rise(key, classifier, clip, target, chunk_size=chunk_size, progress=progress, **vars(given))
    options, kind = of_classifier(given, classifier), METHODS[name]
    check_seed(seed)
    check_chunk_size(chunk_size)
    check_batches(classifier, getattr(options, "batch_size", None))
    batch = prepare(classifier, [clip], name="classifier")
    if kind.needs_parts:
        batch.check_parts(name, getattr(options, "layer", None))
    explained = batch.target(target)
    batch.check_logits()
    if kind.maps is not None:
        maps = kind.maps(batch, as_targets(explained), options, seed)
        return batch.by_spectrum(maps.reshape(maps.shape[1:]))
    report = as_progress(progress, kind.title, "masks")
    assert kind.masks is not None
    assert kind.read_out is not None
    score = partial(
        score_requests,
        batch,
        *kind.masks(batch, options, batch.shape, seed),
        baseline=Baseline.of(options.baseline),
        frame_slices=getattr(options, "frame_slices", "aligned"),
        batch_size=getattr(options, "batch_size", None),
        progress=report,
    )
    (scores,) = in_chunks(chunk_size, name, batch, score)
    return batch.by_spectrum(kind.read_out(scores, explained, options))


def _named(method: str | Options, recipe: str) -> tuple[str, Any]:
    """The name of a method and its options."""
    if isinstance(method, str):
        check_choice("method", method, tuple(recipes.METHODS))
        return method, resolve_options(method, recipe, {})
    kinds = {type(resolve_options(name, recipe, {})): name for name in reversed(recipes.METHODS)}
    if type(method) not in kinds:
        raise TypeError(f"`method` must be a name or options of a method; got {method!r}.")
    return kinds[type(method)], method
