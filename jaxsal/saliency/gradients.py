"""Integrated gradients and SmoothGrad: gradients by the clip itself, averaged over samples one at a time."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, UInt32

from jaxsal.core.callables import Static, join_callable
from jaxsal.core.devices import clip_mesh
from jaxsal.core.types import AnyArray, ClipTree, OneTarget
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.class_scores import of_classifier, own_kind, predicted_class, target_scores
from jaxsal.engine.spectra import beside
from jaxsal.recipes import METHODS
from jaxsal.recipes.further import IntegratedOptions, SmoothGradOptions
from jaxsal.saliency.controls import Maps
from jaxsal.saliency.method import Method
from jaxsal.saliency.targets import Kind, Targets, explain_targets, labels_of

Sample = Callable[[Any, Array, Int[Array, ""], ClipTree, ClipTree], ClipTree]
"""(options, key, number, clip, baseline) to the clip whose gradient is taken."""
Credit = Callable[[Any, Array, Array, Array], Array]
"""(options, mean gradient, clip, baseline) to the credit of every value of the clip, (T, H, W, C)."""
GradientOptions = IntegratedOptions | SmoothGradOptions


def on_the_way(
    options: IntegratedOptions, key: Array, number: Int[Array, ""], clip: ClipTree, baseline: ClipTree
) -> ClipTree:
    """B + (n + 1/2) / N (x - b): the middle of the n-th of N parts of the way."""
    share = (number.astype(jnp.float32) + 0.5) / options.num_samples
    return jax.tree.map(lambda own, other: other + share * (own - other), clip, baseline)


def of_the_way(options: IntegratedOptions, gradient: Array, clip: Array, baseline: Array) -> Array:
    """S = (x - b) 1/N sum_n dF_c/dx (x_n), which adds up to F_c(x) - F_c(b) as N grows.

    References:
      Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017, https://arxiv.org/abs/1703.01365
    """
    return (clip - baseline) * gradient


def noisy(
    options: SmoothGradOptions, key: Array, number: Int[Array, ""], clip: ClipTree, baseline: ClipTree
) -> ClipTree:
    """X + e_n, e_n normal, which the key and n determine."""
    leaves, structure = jax.tree.flatten(clip)
    keys = [jax.random.fold_in(jax.random.fold_in(key, number), part) for part in range(len(leaves))]
    pairs = zip(leaves, keys, strict=True)
    return jax.tree.unflatten(
        structure, [leaf + options.noise_std * jax.random.normal(own, leaf.shape) for leaf, own in pairs]
    )


def of_noise(options: SmoothGradOptions, gradient: Array, clip: Array, baseline: Array) -> Array:
    """S = |1/N sum_n dF_c/dx (x + e_n)|, or the mean itself.

    References:
      Smilkov et al., "SmoothGrad", 2017, https://arxiv.org/abs/1706.03825
    """
    return jnp.abs(gradient) if options.sign == "absolute" else gradient


def gradient_maps(
    batch: Batch,
    targets: Targets,
    options: GradientOptions,
    seed: int,
    sample: Sample,
    credit: Credit,
    baseline: Baseline,
) -> Float[Array, "B *K_S Tm H W"]:
    """The credit of the voxels of all clips: summed over channels, and over the frames that share a frame of the map.

    Memory is that of one gradient of each clip, whatever `num_samples` is.

    Args:
      batch: The clips.
      targets: See `jaxsal.saliency.targets`.
      options: Of the method.
      seed: Of everything random.
      sample: The clips whose gradients are averaged; a function of a module.
      credit: What is made of the mean gradient; a function of a module.
      baseline: What `sample` and `credit` compare the clip with.
    """
    options = of_classifier(options, batch.score_fn)
    if targets is None:
        scores = own_kind(batch.score_fn)
        targets = [predicted_class(logits, scores) for logits in batch.logits]
    labels, kind = labels_of(targets, batch.size)
    stand_ins = batch.stand_ins(baseline, clip_mesh(batch.size))
    seeds = np.full(batch.size, seed, np.uint32)
    static = batch.shape, batch.num_classes, kind, options, sample, credit
    maps = batch.each(_maps_each, stand_ins, labels, seeds, static=static)
    batch.count(options.num_samples * len(batch.originals))
    return maps


@partial(jax.jit, static_argnums=(5, 6, 7, 8, 9, 10, 11))
def _maps_each(
    weights: list[AnyArray],
    clips: PyTree,
    stand_ins: PyTree,
    labels: Int[AnyArray, "B *two"],
    seeds: UInt32[AnyArray, " B"],
    static: Static,
    shape: tuple[int, ...],
    num_classes: int,
    targets: Kind,
    options: GradientOptions,
    sample: Sample,
    credit: Credit,
) -> Float[Array, "B *K_S Tm H W"]:
    score_fn = join_callable(weights, static)

    def explain(clip: ClipTree, stand_in: ClipTree, label: Array, seed: Array) -> Array:
        key = jax.random.key(seed, impl="threefry2x32")

        def explain_target(target: OneTarget) -> Array:
            def score(at: ClipTree) -> Array:
                return target_scores(score_fn(at)[None], target, options.scores)[0]

            def add_sample(number: Array, total: PyTree) -> PyTree:
                gradient = jax.grad(score)(sample(options, key, number, clip, stand_in))
                return jax.tree.map(jnp.add, total, gradient)

            total = jax.lax.fori_loop(0, options.num_samples, add_sample, jax.tree.map(jnp.zeros_like, clip))
            mean = jax.tree.map(lambda own: own / options.num_samples, total)
            found = jax.tree.map(partial(credit, options), mean, clip, stand_in)
            maps = jax.tree.map(lambda own: own.sum(axis=-1).reshape(shape[-3], -1, *shape[-2:]).sum(axis=1), found)
            return beside(maps) if isinstance(maps, Mapping) else maps

        return explain_targets(explain_target, jnp.zeros(num_classes), label, targets, "logits")

    return jax.vmap(explain)(clips, stand_ins, jnp.asarray(labels), jnp.asarray(seeds))


def _integrated(batch: Batch, targets: Targets, options: IntegratedOptions, seed: int) -> Maps:
    hashable = dataclasses.replace(options, baseline="mean")  # the program gets the baseline itself
    return gradient_maps(batch, targets, hashable, 0, on_the_way, of_the_way, Baseline.of(options.baseline))


def _smoothgrad(batch: Batch, targets: Targets, options: SmoothGradOptions, seed: int) -> Maps:
    return gradient_maps(batch, targets, options, seed, noisy, of_noise, Baseline.of("zero"))


def _num_samples(options: GradientOptions) -> int:
    return options.num_samples


INTEGRATED = Method("integrated", METHODS["integrated"], maps=_integrated, extra_passes=_num_samples, seeded=False)
SMOOTHGRAD = Method("smoothgrad", METHODS["smoothgrad"], maps=_smoothgrad, extra_passes=_num_samples)
