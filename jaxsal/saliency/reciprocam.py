"""ReciproCAM: what the head says of the activations of one place alone; the network itself runs once."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from jaxsal.core.callables import Static, head_of, join_callable
from jaxsal.core.types import AnyArray, ClipTree, OneTarget
from jaxsal.engine.batch import Batch
from jaxsal.engine.class_scores import own_kind, target_scores
from jaxsal.engine.resample import resample
from jaxsal.recipes import METHODS, Alignment, ScoreKind
from jaxsal.recipes.further import ReciproCamOptions
from jaxsal.saliency.controls import Maps
from jaxsal.saliency.method import Method, of_layer
from jaxsal.saliency.targets import Kind, Targets, explain_targets, labels_of

_CHUNK = 32


def reciprocam_maps(batch: Batch, targets: Targets, options: ReciproCamOptions, seed: int) -> Maps:
    """S_c = up(minmax_p(F_c(head(A at place p, 0 elsewhere)))) over the places p of the last activations.

    A logit that is a sum over places gets each place's part. Of a network with activations for each spectrum the
    places of all spectra are compared with each other.

    References:
      Byun and Lee, "Recipro-CAM", 2022, https://arxiv.org/abs/2209.14074 (without its 3 x 3 filter)
    """
    labels, kind = labels_of(targets, batch.size)
    static = batch.shape, kind, own_kind(batch.score_fn), options.alignment
    split, activations = batch.split_at(options.layer), batch.activations(layer=options.layer)
    return batch.each(_maps_each, activations, labels, static=static, split=split)


@partial(jax.jit, static_argnums=(4, 5, 6, 7, 8))
def _maps_each(
    weights: list[AnyArray],
    clips: PyTree,
    activations: PyTree,
    labels: Int[AnyArray, "B *two"],
    static: Static,
    shape: tuple[int, ...],
    targets: Kind,
    scores: ScoreKind,
    alignment: Alignment,
) -> Float[Array, "B *K_S Tm H W"]:
    classifier = join_callable(weights, static)

    def explain(clip: ClipTree, own: PyTree, label: Array) -> Array:
        leaves, structure = jax.tree.flatten(own)
        head, sizes = head_of(classifier, clip), [int(np.prod(leaf.shape[:3])) for leaf in leaves]
        firsts = np.cumsum([0, *sizes])[:-1]

        def logits_at(place: Int[Array, ""]) -> Float[Array, " K"]:
            alone = [
                jnp.where((np.arange(size).reshape(*leaf.shape[:3], 1) + first) == place, leaf, 0)
                for leaf, size, first in zip(leaves, sizes, firsts.tolist(), strict=True)
            ]
            return head(jax.tree.unflatten(structure, alone))

        logits = jax.lax.map(logits_at, jnp.arange(sum(sizes)), batch_size=_CHUNK)

        def explain_target(target: OneTarget) -> Array:
            found = target_scores(logits, target, "logits")
            spread = found.max() - found.min()
            found = jnp.where(spread > 0, (found - found.min()) / jnp.where(spread > 0, spread, 1), 0)
            parts = jnp.split(found, firsts[1:].tolist())
            maps = [
                resample(part.reshape(leaf.shape[:3]), shape[-3:], alignment)
                for part, leaf in zip(parts, leaves, strict=True)
            ]
            return jnp.broadcast_to(maps[0] if len(maps) == 1 else jnp.stack(maps), shape)

        return explain_targets(explain_target, head(own), label, targets, scores)

    return jax.vmap(explain)(clips, activations, jnp.asarray(labels))


METHOD = Method(
    "reciprocam",
    METHODS["reciprocam"],
    maps=reciprocam_maps,
    activations=of_layer,
    needs_parts=True,
    seeded=False,
)
