"""Model parameter randomisation tests: whether a method's map depends on what the network has learnt."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxsal.classifier import Classifier
from jaxsal.core.checks import Options, check_number, check_positive, hint
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import AnyArray, ClipTree, Target
from jaxsal.engine.batch import prepare
from jaxsal.engine.class_scores import own_kind, predicted_class
from jaxsal.engine.spectra import in_a_row
from jaxsal.metrics.noise import noisy
from jaxsal.metrics.sparsity import entropy
from jaxsal.models.modules import Network
from jaxsal.saliency.one_map import saliency_map

NUM_BINS = 100


class Randomised(NamedTuple):
    """What a map has left of itself while layer after layer loses what it has learnt.

    Attributes:
      layers: The layers, from the output to the input; each is randomised with all before it.
      similarities: To the trained network's map after each, see `similarity`, in [-1, 1]; low is good.
    """

    layers: tuple[str, ...]
    similarities: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over layers."""
        return float(np.mean(self.similarities))


def layers_of(classifier: Classifier, clip_shape: tuple[int, ...]) -> tuple[str, ...]:
    """Paths of the layers with weights, from the output to the input, statistics of batch norm with their layer.

    The layers of a Flax module are in the order of their calls for a clip (T, H, W, C); of functions in the reverse
    order of their parameters.
    """
    paths = [_layer(path) for path, _ in jax.tree_util.tree_flatten_with_path(classifier.params)[0]]
    known = list(dict.fromkeys(paths))
    if isinstance(classifier.whole_fn, Network):
        calls = {layer: number for number, layer in enumerate(classifier.layers(clip_shape))}
        known.sort(key=lambda layer: calls.get(layer, len(calls)))
    return tuple(reversed(known))


def _layer(path: tuple[Any, ...]) -> str:
    """The path of an array's module: the names on the way, but for Flax's collection and the array's own name."""
    names = [str(getattr(part, "key", getattr(part, "name", getattr(part, "idx", part)))) for part in path]
    inner = names[1:] if names and names[0] in ("params", "batch_stats") else names
    return ".".join(inner[:-1] or inner)


def randomise(key: PRNGKeyArray, classifier: Classifier, layers: Sequence[str]) -> Classifier:
    """The classifier with the weights of some layers shuffled within each array.

    The sources draw weights anew as before training. Shuffled ones keep every array's mean, spread and sign, which any
    network allows, normalisation with its positive variances too.

    Args:
      key: Random key; an array's order depends on the key and the array's place alone.
      classifier: The classifier.
      layers: Paths, as of `layers_of`.
    """
    found, structure = jax.tree_util.tree_flatten_with_path(classifier.params)
    leaves = []
    for number, (path, leaf) in enumerate(found):
        if _layer(path) in layers:
            shuffled = jax.random.permutation(jax.random.fold_in(key, number), jnp.ravel(leaf))
            leaf = shuffled.reshape(jnp.shape(leaf))
        leaves.append(leaf)
    return dataclasses.replace(classifier, params=jax.tree.unflatten(structure, leaves))


@check_kinds
def mprt(
    key: PRNGKeyArray,
    classifier: Classifier,
    clip: ClipTree,
    target: Target = None,
    *,
    method: str | Options,
    layers: Sequence[str] | None = None,
    num_samples: int = 1,
    noise_std: float = 0.0,
    seed: int = 0,
) -> Randomised:
    """How similar a map stays while layers are randomised from the output to the input (MPRT); smooth over noisy clips.

    The map of N samples is 1/N sum_n S(x + e_n), e_n normal with std `noise_std`: one sample without noise is the
    classic test, more are the smooth one, in which noise of gradients does not pass for dependence on weights.

    Args:
      key: Random key, of the weights and of the noise.
      classifier: The classifier.
      clip: The clip, values in [0, 1].
      target: The explained class; the class that the trained network predicts if None.
      method: A name or options, as for `jaxsal.saliency_map`.
      layers: Paths of layers in the order of randomisation; those of `layers_of` if None. The method runs once for
        each, times `num_samples`.
      num_samples: N, at least 1.
      noise_std: In units of the clip's values, at least 0; noisy values stay in [0, 1].
      seed: Of a random method.

    Raises:
      ValueError: If a layer is unknown, or an option's value is not allowed.

    References:
      Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, https://arxiv.org/abs/1810.03292; Hedström et
      al., "Sanity Checks Revisited", 2024, https://arxiv.org/abs/2401.06465
    """
    known = layers_of(classifier, _shape(clip))
    order = known if layers is None else tuple(layers)
    for layer in order:
        if layer not in known:
            raise ValueError(f"`layers` must be of {known}; got {layer!r}.{hint(layer, known)}")
    check_positive("num_samples", num_samples)
    if not check_number("noise_std", noise_std) >= 0:
        raise ValueError(f"`noise_std` must be at least 0; got {noise_std}.")
    explained = _explained(classifier, clip, target)
    of_weights, of_noise = jax.random.split(key)

    def draw(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
        return noise_std * jax.random.normal(key, shape)

    def mean_map(network: Classifier) -> np.ndarray:
        clips = [noisy(of_noise, number, clip, draw) for number in range(num_samples)] if noise_std else [clip]
        return np.mean([_map(network, one, explained, method, seed) for one in clips], axis=0)

    own = mean_map(classifier)
    randomised = (randomise(of_weights, classifier, order[: count + 1]) for count in range(len(order)))
    return Randomised(order, tuple(similarity(own, mean_map(network)) for network in randomised))


@check_kinds
def efficient_mprt(
    key: PRNGKeyArray,
    classifier: Classifier,
    clip: ClipTree,
    target: Target = None,
    *,
    method: str | Options,
    seed: int = 0,
) -> float:
    """How much more complex a map gets where the whole network is randomised (efficient MPRT): high is good.

    (H(S') - H(S)) / H(S), H the entropy of the histogram of a map's values in 100 bins, S' the map of the network with
    all layers randomised. Two maps in all, and no similarity of maps whose signs and scales are their own.

    Args:
      key: Random key of the weights.
      classifier: The classifier.
      clip: The clip, values in [0, 1].
      target: The explained class; the class that the trained network predicts if None.
      method: A name or options, as for `jaxsal.saliency_map`.
      seed: Of a random method.

    Returns:
      The relative rise; NaN where the trained network's map is constant.

    References:
      Hedström et al., "Sanity Checks Revisited", 2024, https://arxiv.org/abs/2401.06465
    """
    explained = _explained(classifier, clip, target)
    own = complexity(_map(classifier, clip, explained, method, seed))
    whole = randomise(key, classifier, layers_of(classifier, _shape(clip)))
    return (complexity(_map(whole, clip, explained, method, seed)) - own) / own if own > 0 else np.nan


def similarity(one: Float[np.ndarray, " P"], other: Float[np.ndarray, " P"]) -> float:
    """Spearman's correlation of two maps; 0 where one of them is constant, since nothing of the other is in it."""
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic) if np.ptp(one) > 0 and np.ptp(other) > 0 else 0.0


def complexity(saliency: AnyArray) -> float:
    """The entropy of the histogram of a map's values, in nats; 0 for a constant map."""
    counts, _ = np.histogram(np.ravel(saliency), NUM_BINS)
    return entropy(counts.astype(np.float64))


def _shape(clip: ClipTree) -> tuple[int, ...]:
    return tuple(jax.tree.leaves(clip)[0].shape)


def _explained(classifier: Classifier, clip: ClipTree, target: Target) -> Target:
    batch = prepare(classifier, [clip], name="classifier")
    known = batch.target(target, all_classes=False)
    return int(predicted_class(batch.logits[0], own_kind(classifier))) if known is None else known


def _map(classifier: Classifier, clip: ClipTree, target: Target, method: str | Options, seed: int) -> np.ndarray:
    return in_a_row(saliency_map(classifier, clip, target, method=method, seed=seed))
