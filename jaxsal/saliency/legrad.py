"""LeGrad: how the score of every layer's tokens depends on the attention that they get."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxsal.classifier import Classifier
from jaxsal.core.callables import Static, join_callable
from jaxsal.core.types import AnyArray, OneTarget
from jaxsal.engine.batch import Batch
from jaxsal.engine.class_scores import own_kind, predicted_class, target_scores
from jaxsal.engine.resample import resample
from jaxsal.models.modules import Network, Path
from jaxsal.recipes import METHODS
from jaxsal.recipes.further import LeGradOptions
from jaxsal.saliency.controls import Maps
from jaxsal.saliency.method import Method
from jaxsal.saliency.targets import Kind, Targets, explain_targets, labels_of

ATTENTION = "attention"
"""Name of the modules that give attention weights, (1, heads, queries, keys)."""


def legrad_maps(batch: Batch, targets: Targets, options: LeGradOptions, seed: int) -> Maps:
    """S = up(1/L sum_l mean over heads and queries of ReLU(dF_c^l / dA^l)), A^l the attention weights of layer l.

    F_c^l is the logit that the network's head gives for the tokens after layer l, so that every layer is asked by
    itself; the gradient stays within the layer. One pass, and the gradients of the layers.

    Raises:
      TypeError: If the network's attention weights are no layers.

    References:
      Bousselham et al., "LeGrad: An Explainability Method for Vision Transformers via Feature Formation Sensitivity",
      ICCV 2025, https://arxiv.org/abs/2404.03214
    """
    classifier = batch.score_fn
    if not isinstance(classifier, Classifier) or not isinstance(classifier.whole_fn, Network):
        raise TypeError("`classifier` must be of a Flax module of tokens for LeGrad, such as VideoMAE; got functions.")
    if targets is None:
        targets = [predicted_class(logits, own_kind(classifier)) for logits in batch.logits]
    labels, kind = labels_of(targets, batch.size)
    maps = batch.each(_maps_each, labels, static=(batch.shape, batch.num_classes, kind, options))
    batch.count(len(batch.originals))
    return maps


@partial(jax.jit, static_argnums=(3, 4, 5, 6, 7))
def _maps_each(
    weights: list[AnyArray],
    clips: PyTree,
    labels: Int[AnyArray, "B *two"],
    static: Static,
    shape: tuple[int, ...],
    num_classes: int,
    targets: Kind,
    options: LeGradOptions,
) -> Float[Array, "B *K Tm H W"]:
    classifier: Classifier = join_callable(weights, static)

    def explain(clip: Array, label: Array) -> Array:
        attention = attention_weights(classifier, clip)

        def explain_target(target: OneTarget) -> Array:
            def total(nudges: dict[Path, Array]) -> Array:
                logits = jnp.stack(layer_logits(classifier, clip, nudges))
                return target_scores(logits, target, "logits").sum()

            gradients = jax.grad(total)({path: jnp.zeros_like(own) for path, own in attention.items()})
            evidence = jnp.stack([jax.nn.relu(own).mean(axis=(0, 1, 2)) for own in gradients.values()]).mean(axis=0)
            grid = jax.eval_shape(classifier.features, clip).shape[:3]
            return resample(evidence.reshape(grid), shape, options.alignment)

        return explain_targets(explain_target, jnp.zeros(num_classes), label, targets, "logits")

    return jax.vmap(explain)(clips, jnp.asarray(labels))


def attention_weights(classifier: Classifier, clip: Array) -> dict[Path, Array]:
    """The attention weights of every layer, (1, heads, queries, keys), by their path.

    Raises:
      TypeError: If the network has none that are layers.
    """
    found: dict[Path, Array] = {}

    def watch(path: Path, outputs: PyTree) -> PyTree:
        if path[-1] == ATTENTION:
            found[path] = outputs
        return outputs

    assert isinstance(classifier.whole_fn, Network)
    classifier.whole_fn.watched(watch, classifier.params, classifier.normalize(clip))
    if not found:
        raise TypeError(
            f"`classifier` must be a network of tokens whose attention weights are layers called {ATTENTION!r}, such "
            "as VideoMAE; got one without. `jaxsal layers` lists its layers."
        )
    return found


def layer_logits(classifier: Classifier, clip: Array, nudges: dict[Path, Array]) -> list[Float[Array, " K"]]:
    """What the head says of the tokens after each layer, where something is added to attention weights.

    Tokens enter the next layer without their gradient.
    """
    tokens: list[Array] = []
    layers = {path[:-1] for path in nudges}

    def watch(path: Path, outputs: PyTree) -> PyTree:
        if path in nudges:
            return outputs + nudges[path]
        if path in layers:
            tokens.append(outputs)
            return jax.lax.stop_gradient(outputs)
        return outputs

    assert isinstance(classifier.whole_fn, Network)
    classifier.whole_fn.watched(watch, classifier.params, classifier.normalize(clip))
    shape = jax.eval_shape(classifier.features, clip).shape
    return [classifier.head(own.reshape(shape)) for own in tokens]


METHOD = Method(
    "legrad",
    METHODS["legrad"],
    maps=legrad_maps,
    extra_passes=lambda options: 1,
    needs_parts=True,
    seeded=False,
)
