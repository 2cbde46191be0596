"""A classifier of one clip: weights, normalisation, last features and head, as one pytree."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxsal.core.checks import check_choice, check_positive
from jaxsal.core.finite import check_weights
from jaxsal.core.normalization import IMAGENET_MEAN, IMAGENET_STD, Colours, as_colours
from jaxsal.core.shown import count_text, listed
from jaxsal.core.types import ClipTree
from jaxsal.recipes import ScoreKind

if TYPE_CHECKING:
    from jaxsal.training.networks import NetworkSpec


@runtime_checkable
class Model(Protocol):
    """A Flax module."""

    @property
    def apply(self) -> Callable[..., Any]:
        """(variables, inputs, method=name) -> what the method of that name gives."""


Normalization = Literal["standardize", "minmax"]
Precision = Literal["float32", "bfloat16"]


def _cast(tree: PyTree, precision: str) -> PyTree:
    return jax.tree.map(lambda leaf: leaf.astype(precision), tree)


@dataclass(frozen=True)
class _ModelMethod:
    """One method of a Flax module as a function of (variables, input), equal for equal modules."""

    model: Model
    method: str

    def __call__(self, variables: PyTree, inputs: PyTree) -> PyTree:
        return _apply(self, variables, inputs)


@partial(jax.jit, static_argnums=(0,))
def _apply(bound: _ModelMethod, variables: PyTree, inputs: PyTree) -> PyTree:
    """Compiled so that a network is traced once for all programs that it is a part of."""
    outputs = bound.model.apply(variables, jax.tree.map(lambda part: part[None], inputs), method=bound.method)
    return jax.tree.map(lambda part: part[0], outputs)


_ARRAYS = ("params", "mean", "std")
_STATIC = ("features_fn", "head_fn", "frames_per_mask", "normalization", "precision")


@jax.tree_util.register_pytree_with_keys_class
@dataclass(frozen=True, repr=False)
class Classifier:
    """Maps one clip (T, H, W, C), values in [0, 1], to logits (K,); or one scene, a clip for each spectrum by name.

    A pytree whose leaves are the weights and the normalisation, so it enters compiled functions as an argument:
    another checkpoint of the same network compiles nothing.

    Attributes:
      params: The weights, any pytree.
      mean: Per channel, or None for no standardisation; of scenes by spectrum.
      std: Per channel, or None; of scenes by spectrum.
      features_fn: (params, normalised clip) -> activations (t, h, w, d) that enter the head.
      head_fn: (params, activations) -> logits (K,).
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
    mean: Any
    std: Any
    features_fn: Callable[[Any, Array], Array]
    head_fn: Callable[[Any, Array], Array]
    frames_per_mask: int = 1
    normalization: Normalization = "standardize"
    precision: Precision = "float32"
    scores: ScoreKind = "probabilities"
    classes: tuple[str, ...] = ()
    spec: "NetworkSpec | None" = None

    @classmethod
    def from_model(
        cls,
        model: Model,
        variables: PyTree,
        *,
        mean: Colours | None = IMAGENET_MEAN,
        std: Colours | None = IMAGENET_STD,
        scores: ScoreKind = "probabilities",
        classes: Sequence[str] = (),
    ) -> "Classifier":
        """A classifier from a Flax module with methods `features(clips)` and `head(activations)`.

        Args:
          model: The module; a field or attribute `frames_per_mask` is honoured.
          variables: What `model.apply` takes, {"params": ..., "batch_stats": ...}.
          mean: Per channel, in [0, 1]; ImageNet's by default, as in the study. None for no standardisation. Of
            scenes in several spectra for each, by name.
          std: Per channel; ImageNet's by default.
          scores: "sigmoid" for classes that do not exclude each other, "given" where the network returns probabilities.
          classes: Names of the classes, in the order of the logits.

        Raises:
          TypeError: If the module lacks one of the two methods.
          ValueError: As `from_functions`.
        """
        missing = [name for name in ("features", "head") if not callable(getattr(model, name, None))]
        if missing:
            found = f"{type(model).__name__} without {' and '.join(missing)}"
            raise TypeError(f"`model` must have methods features and head; got {found}.")
        return cls.from_functions(
            _ModelMethod(model, "features"),
            _ModelMethod(model, "head"),
            variables,
            mean=mean,
            std=std,
            frames_per_mask=getattr(model, "frames_per_mask", 1),
            scores=scores,
            classes=classes,
        )

    @classmethod
    def from_functions(
        cls,
        features: Callable[[Any, Array], Array],
        head: Callable[[Any, Array], Array],
        params: PyTree,
        *,
        mean: Colours | None = None,
        std: Colours | None = None,
        frames_per_mask: int = 1,
        scores: ScoreKind = "probabilities",
        classes: Sequence[str] = (),
    ) -> "Classifier":
        """A classifier from two functions of any JAX library.

        Args:
          features: Maps (params, normalised clip (T, H, W, C)) to activations (t, h, w, d).
          head: Maps (params, activations) to logits (K,).
          params: The weights, any pytree of arrays.
          mean: Per channel, in [0, 1], or None for no standardisation; of scenes in several spectra for each, by name.
          std: Per channel, likewise.
          frames_per_mask: Frames that share one mask frame.
          scores: "sigmoid" for classes that do not exclude each other, "given" where the network returns probabilities.
          classes: Names of the classes, in the order of the logits.

        Raises:
          ValueError: If only one of `mean` and `std` is given, they are not of one length, finite and `std` above 0,
            `frames_per_mask` is below 1, two classes share a name, or a weight is NaN or infinite.

        Example:
          >>> import jax.numpy as jnp, jaxsal
          >>> features = lambda params, clip: clip - params["dark"]
          >>> head = lambda params, activations: activations.mean(axis=(0, 1, 2))
          >>> classifier = jaxsal.Classifier.from_functions(features, head, {"dark": jnp.float32(0.25)})
          >>> classifier(jnp.ones((2, 4, 4, 3))).tolist()
          [0.75, 0.75, 0.75]
        """
        check_positive("frames_per_mask", frames_per_mask)
        check_choice("scores", scores, tuple(kind for kind in get_args(ScoreKind) if kind != "logits"))
        if isinstance(classes, str) or len(set(classes)) < len(classes):
            raise ValueError(f"`classes` must be a list of different names; got {classes!r}.")
        check_weights("params", params)
        means, stds = as_colours(mean, std)
        return cls(params, means, stds, features, head, frames_per_mask, scores=scores, classes=tuple(classes))

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

    def with_normalization(self, normalization: Normalization) -> "Classifier":
        """The same classifier with another input normalisation, "standardize" or "minmax".

        "minmax" is the study's (clip - min) / (max - min + 1e-13) over the whole clip.

        Raises:
          ValueError: If the name is unknown.
        """
        check_choice("normalization", normalization, get_args(Normalization))
        return dataclasses.replace(self, normalization=normalization)

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

    def normalize(self, clip: Any) -> Any:
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

    def features(self, clip: ClipTree) -> Any:
        """The activations (t, h, w, d) that enter the head, of a clip in [0, 1]; of two streams by spectrum."""
        return self._features(self.normalize(clip))

    def _features(self, normalized: PyTree) -> PyTree:
        if self.precision == "float32":
            return self.features_fn(self.params, normalized)
        with jax.numpy_dtype_promotion("standard"):  # statistics of batch norm are float32
            return _cast(self.features_fn(self.params, _cast(normalized, self.precision)), "float32")

    def head(self, activations: PyTree) -> Float[Array, " K"]:
        """Logits from activations."""
        if self.precision == "float32":
            return self.head_fn(self.params, activations)
        with jax.numpy_dtype_promotion("standard"):
            return self.head_fn(self.params, _cast(activations, self.precision)).astype(jnp.float32)

    def __call__(self, clip: ClipTree) -> Float[Array, " K"]:
        """Logits of a clip in [0, 1]."""
        return self.head(self.features(clip))

    def score_batch(self, clips: PyTree) -> Float[Array, "B K"]:
        """Logits of several clips that are normalised as one, so that with "minmax" each depends on all of them."""
        return jax.vmap(lambda clip: self.head(self._features(clip)))(self.normalize(clips))
