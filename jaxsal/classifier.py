"""A classifier of one clip: weights, normalisation, last features and head, as one pytree."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxsal.core.checks import check_choice, check_positive
from jaxsal.core.kinds import check_kinds
from jaxsal.core.normalization import IMAGENET_MEAN as IMAGENET_MEAN, IMAGENET_STD as IMAGENET_STD
from jaxsal.core.shown import count_text, listed
from jaxsal.core.types import ClipTree
from jaxsal.models.modules import Network
from jaxsal.models.places import AfterLayer, LayerOutput, Place, as_path, layer_shapes
from jaxsal.models.receptive import receptive_fields
from jaxsal.models.sources import Sources
from jaxsal.models.tokens import Positions, TokenHead
from jaxsal.recipes import ScoreKind

if TYPE_CHECKING:
    from jaxsal.training.networks import NetworkSpec


Normalization = Literal["standardize", "minmax"]
Precision = Literal["float32", "bfloat16"]


def _cast(tree: PyTree, precision: str) -> PyTree:
    return jax.tree.map(lambda leaf: leaf.astype(precision), tree)


_ARRAYS = ("params", "mean", "std")
_STATIC = ("features_fn", "head_fn", "frames_per_mask", "normalization", "precision", "whole_fn")


@jax.tree_util.register_pytree_with_keys_class
@dataclass(frozen=True, repr=False)
class Classifier(Sources):
    """Maps one clip (T, H, W, C), values in [0, 1], to logits (K,); or one scene, a clip for each spectrum by name.

    A pytree whose leaves are the weights and the normalisation, so it enters compiled functions as an argument:
    another checkpoint of the same network compiles nothing.

    Attributes:
      params: The weights, any pytree.
      mean: Per channel, or None for no standardisation; of scenes by spectrum.
      std: Per channel, or None; of scenes by spectrum.
      features_fn: (params, normalised clip) -> activations (t, h, w, d) that enter the head; None for a network that is
        taken as a whole.
      head_fn: (params, activations) -> logits (K,); after a layer within a network (params, activations, normalised
        clip) -> logits.
      whole_fn: (params, normalised clip) -> logits (K,), where that is not the head of the features.
      frames_per_mask: Frames that share one mask frame; T' = T / frames_per_mask.
      precision: Of weights and activations; logits are float32 with both.
      normalization: "standardize" is (clip - mean) / std; "minmax" takes the clip's own range to [0, 1].
      scores: How logits become scores where a method's own `scores` is "probabilities": "softmax", "sigmoid" or "given"
        say what the network was trained for; "probabilities" is softmax, and no and yes for a single logit.
      classes: Names of the classes, in the order of the logits; `target` then takes a name too. Empty if not known.
      spec: What `jaxsal.load` knows of the network: spectra, frames, size, sampler. None for a model of your own.

    No program depends on `scores`, `classes` and `spec`: the same network under other names compiles nothing. Inside
    `jax.jit`, and after `jax.tree.map`, a classifier lacks them.

    Example:
      >>> import jax, jax.numpy as jnp, jaxsal
      >>> classifier = jaxsal.Classifier.from_functions(
      ...     lambda params, clip: clip * params,  # features: activations (t, h, w, d)
      ...     lambda params, activations: activations.mean(axis=(0, 1, 2)),  # head: logits (K,)
      ...     jnp.array([1.0, 2.0, 3.0]),
      ... )
      >>> classifier(jnp.ones((2, 4, 4, 3))).tolist()
      [1.0, 2.0, 3.0]
      >>> jax.vmap(classifier)(jnp.ones((5, 2, 4, 4, 3))).shape  # a batch of clips
      (5, 3)
    """

    params: PyTree
    mean: PyTree
    std: PyTree
    features_fn: Callable[[Any, Array], Array] | None
    head_fn: Callable[..., Array] | None
    frames_per_mask: int = 1
    normalization: Normalization = "standardize"
    precision: Precision = "float32"
    whole_fn: Callable[[Any, Array], Array] | None = None
    scores: ScoreKind = "probabilities"
    classes: tuple[str, ...] = ()
    spec: "NetworkSpec | None" = None

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        """The arrays under their names, and what programs depend on; names of classes are neither."""
        arrays = [(jax.tree_util.GetAttrKey(name), getattr(self, name)) for name in _ARRAYS]
        return arrays, tuple(getattr(self, name) for name in _STATIC)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], arrays: Sequence[Any]) -> "Classifier":
        """The classifier again, without the names of its classes."""
        return cls(*arrays, *static)

    def __repr__(self) -> str:
        leaves = jax.tree.leaves(self.params)
        parts = [f"{count_text(sum(int(np.size(leaf)) for leaf in leaves))} weights, {self.precision}"]
        if self.spec is not None:
            parts.insert(0, f"{self.spec.arch}, trained on {self.spec.spectra}, clips {self.spec.clip_shape}")
        if self.classes:
            parts.append(f"{len(self.classes)} classes: {listed(self.classes)}")
        return f"Classifier({'; '.join(parts)})"

    @check_kinds
    def with_normalization(self, normalization: Normalization) -> "Classifier":
        """The same classifier with another input normalisation, "standardize" or "minmax".

        "minmax" is the study's (clip - min) / (max - min + 1e-13) over the whole clip.

        Raises:
          ValueError: If the name is unknown.
        """
        check_choice("normalization", normalization, get_args(Normalization))
        return dataclasses.replace(self, normalization=normalization)

    @check_kinds
    def with_precision(self, precision: Precision) -> "Classifier":
        """The same classifier with weights and activations of another precision, "float32" or "bfloat16".

        "bfloat16" halves the memory of both and is faster where the device has units for it; clips are masked and
        normalised in float32 all the same, and scores, maps and ledgers stay float32, as do the running statistics of
        batch norm (Flax's collection "batch_stats"), whose range 8 bits would not do. Weights that were rounded stay
        rounded.

        Raises:
          ValueError: If the name is unknown.
        """
        check_choice("precision", precision, get_args(Precision))

        def cast(path: tuple[object, ...], leaf: PyTree) -> PyTree:
            kept = any(getattr(part, "key", None) == "batch_stats" for part in path)
            if kept or not jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating):
                return leaf
            return jnp.asarray(leaf, precision)

        params = jax.tree_util.tree_map_with_path(cast, self.params)
        return dataclasses.replace(self, params=params, precision=precision)

    def normalize(self, clip: PyTree) -> PyTree:
        """The clip (*B, T, H, W, C) as the network takes it; "minmax" takes several clips as one.

        Each spectrum of a scene is normalised by itself.
        """
        if isinstance(clip, Mapping):
            by_name = {name: [None if of is None else of[name] for of in (self.mean, self.std)] for name in clip}
            return {
                name: dataclasses.replace(self, mean=mean, std=std).normalize(clip[name])
                for name, (mean, std) in by_name.items()
            }
        clip = jnp.asarray(clip)
        if self.normalization == "minmax":
            return (clip - clip.min()) / (clip.max() - clip.min() + 1e-13)
        return clip if self.mean is None or self.std is None else (clip - self.mean) / self.std

    @property
    def has_parts(self) -> bool:
        """Whether there are features and a head, which Grad-CAM and SIDU need; else `at` chooses a layer."""
        return self.features_fn is not None

    @check_kinds
    def at(
        self, layer: str | tuple[str, ...], *, grid: tuple[int, int, int] | None = None, skip: int = 0
    ) -> "Classifier":
        """The same classifier, looked at in another layer, which Grad-CAM and SIDU then explain by.

        Args:
          layer: Path of a Flax module within the network, such as "layer3" or "layer3.conv1"; `jaxsal layers` and
            `layers` list them. It must be called once a clip.
          grid: (t, h, w) of the layer's tokens (1, skip + t h w, d), where it gives no activations (1, t, h, w, d).
          skip: Tokens before those of the grid.

        Raises:
          TypeError: If the network is no Flax module.
          ValueError: If `grid` or `skip` is not allowed; when a clip is explained, if there is no such layer.

        Example:
          >>> import jax, flax.linen as nn, jaxsal
          >>> net = nn.Sequential([nn.Conv(4, (3, 3, 3)), nn.relu, lambda a: a.mean((1, 2, 3)), nn.Dense(2)])
          >>> clip = jax.random.uniform(jax.random.key(0), (2, 4, 4, 3))
          >>> network = jaxsal.Classifier.from_model(net, net.init(jax.random.key(1), clip[None]))
          >>> jaxsal.gradcam(network.at("layers_0"), clip).shape
          (2, 4, 4)
        """
        place = Place(self._module("at"), as_path(layer), Positions(grid, skip))
        return dataclasses.replace(self, features_fn=LayerOutput(place), head_fn=AfterLayer(place))

    @check_kinds
    def layers(self, clip_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The layers of a Flax module that `at` can choose, with the shapes of their outputs for a clip (T, H, W, C).

        Raises:
          TypeError: If the network is no Flax module, or the shape holds something else than integers.
          ValueError: If the shape is not four positive counts.
        """
        for count in clip_shape:
            check_positive("clip_shape", count)
        if len(clip_shape) != 4:
            raise ValueError(f"`clip_shape` must be four positive counts, (T, H, W, C); got {clip_shape}.")
        return layer_shapes(self._module("layers"), self.params, self._like(clip_shape))

    def receptive_fields(self, clip_shape: tuple[int, ...]) -> dict[str, tuple[int, int, int]]:
        """Frames, rows and columns of a clip (T, H, W, C) that the middle activation of each layer depends on.

        It takes T + H + W forward passes. Layers that give no activations are left out.

        Raises:
          TypeError: If the network is no Flax module.
        """
        return receptive_fields(self._module("receptive_fields"), self.params, self._like(clip_shape))

    def _like(self, clip_shape: tuple[int, ...]) -> PyTree:
        """The shape of a clip; of a scene, whose means say its channels, of that in every spectrum."""
        if not isinstance(self.mean, Mapping):
            return jax.ShapeDtypeStruct(clip_shape, jnp.float32)
        sizes = {name: np.size(mean) for name, mean in self.mean.items()}
        return {name: jax.ShapeDtypeStruct((*clip_shape[:3], size), jnp.float32) for name, size in sizes.items()}

    def _module(self, method: str) -> Network:
        if isinstance(self.whole_fn, Network):
            return self.whole_fn
        found = f"a classifier of {type(self.whole_fn or self.features_fn).__name__}"
        raise TypeError(f"`classifier.{method}` must be of a Flax module given to from_model; got {found}.")

    def features(self, clip: ClipTree) -> PyTree:
        """The activations (t, h, w, d) that enter the head, of a clip in [0, 1]; of two streams by spectrum."""
        return self._call(self.features_fn, self.normalize(clip))

    def head(self, activations: PyTree) -> Float[Array, " K"]:
        """Logits from activations."""
        return self._call(self.head_fn, activations)

    def head_of(self, clip: ClipTree) -> Callable[[PyTree], Array]:
        """The head for the activations of one clip, which a head after a layer within a network needs too."""
        if not isinstance(self.head_fn, AfterLayer | TokenHead):
            return self.head
        normalized = self.normalize(clip)
        return lambda activations: self._call(self.head_fn, activations, normalized)

    def __call__(self, clip: ClipTree) -> Float[Array, " K"]:
        """Logits of a clip in [0, 1]."""
        return self._logits(self.normalize(clip))

    def _logits(self, normalized: PyTree) -> Float[Array, " K"]:
        if self.whole_fn is not None and (self.features_fn is None or isinstance(self.head_fn, AfterLayer | TokenHead)):
            return self._call(self.whole_fn, normalized)
        return self.head(self._call(self.features_fn, normalized))

    def _call(self, function: Callable[..., PyTree] | None, *inputs: PyTree) -> PyTree:
        """A function of the weights in the classifier's precision; what it gives is float32."""
        if function is None:
            raise TypeError("`classifier` must have features and head; got a whole network: use classifier.at(layer).")
        if self.precision == "float32":
            return _compiled(function, self.params, *inputs)
        with jax.numpy_dtype_promotion("standard"):  # statistics of batch norm are float32
            return _cast(_compiled(function, self.params, *_cast(inputs, self.precision)), "float32")

    def score_batch(self, clips: PyTree) -> Float[Array, "B K"]:
        """Logits of several clips that are normalised as one, so that with "minmax" each depends on all of them."""
        return jax.vmap(self._logits)(self.normalize(clips))


@partial(jax.jit, static_argnums=0, inline=True)
def _compiled(function: Callable[..., PyTree], params: PyTree, *inputs: PyTree) -> PyTree:
    """One program where nothing else is compiled, as in a notebook; part of the program that asks for it elsewhere."""
    return function(params, *inputs)
