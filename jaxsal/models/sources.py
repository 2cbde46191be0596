"""Where classifiers come from: a Flax module, two functions, tokens, or a function that is not JAX."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast, get_args

from jaxtyping import Array, PyTree

from jaxsal.core.checks import check_choice, check_positive
from jaxsal.core.finite import check_weights
from jaxsal.core.kinds import check_kinds
from jaxsal.core.normalization import IMAGENET_MEAN, IMAGENET_STD, Colours, as_colours
from jaxsal.models.callback import Callback
from jaxsal.models.modules import Model, ModelMethod
from jaxsal.models.nnx_modules import check_inference, is_nnx, taken_apart
from jaxsal.models.tokens import Positions, TokenFeatures, TokenHead, TokenNetwork
from jaxsal.recipes import ScoreKind

if TYPE_CHECKING:
    from typing import Self
else:
    Self = Any  # the checks of shapes in the tests cannot follow the real one


class Sources:
    """The ways to make a `jaxsal.Classifier`."""

    @classmethod
    @check_kinds
    def from_model(
        cls,
        model: Model | Callable[..., Any],
        variables: PyTree = None,
        *,
        mean: Colours | None = IMAGENET_MEAN,
        std: Colours | None = IMAGENET_STD,
        scores: ScoreKind = "probabilities",
        classes: Sequence[str] = (),
    ) -> Self:
        """A classifier from a Flax module of batches of clips, of Linen or NNX.

        With methods `features(clips)` and `head(activations)` every method explains it. Without them the module is
        taken as a whole, for RISE and the curves, and `classifier.at(layer)` opens it to Grad-CAM and SIDU. Arguments
        called train, training, is_training, deterministic and use_running_average say that nothing is trained.

        Args:
          model: The module; a field or attribute `frames_per_mask` is honoured. It returns logits (B, K), or a
            mapping or an object that has `logits`.
          variables: What `model.apply` takes, {"params": ..., "batch_stats": ...}; a Flax NNX module has its own.
          mean: Per channel, in [0, 1]; ImageNet's by default, as in the study. None for no standardisation. Of
            scenes in several spectra for each, by name.
          std: Per channel; ImageNet's by default.
          scores: "sigmoid" for classes that do not exclude each other, "given" where the network returns probabilities.
          classes: Names of the classes, in the order of the logits.

        Raises:
          TypeError: If the module has only one of the two methods, or neither and cannot be called.
          ValueError: As `from_functions`; or if an NNX module is in training mode or comes with variables.
        """
        missing = [name for name in ("features", "head") if not callable(getattr(model, name, None))]
        if missing and (len(missing) == 1 or not callable(model)):
            found = f"{type(model).__name__} without {' and '.join(missing)}"
            raise TypeError(f"`model` must have methods features and head; got {found}.")
        of_method: Callable[[str], Any] = partial(ModelMethod, cast(Model, model))
        if is_nnx(model):
            if variables is not None:
                raise ValueError(f"`variables` must be left out for an NNX module; got {type(variables).__name__}.")
            check_inference(model)
            variables, of_method = taken_apart(model)
        whole = of_method("__call__") if callable(model) else None
        features, head = (None if missing else of_method(name) for name in ("features", "head"))
        frames = getattr(model, "frames_per_mask", 1)
        return cls._made(features, head, whole, variables, mean, std, frames, scores, classes)

    @classmethod
    @check_kinds
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
    ) -> Self:
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
        return cls._made(features, head, None, params, mean, std, frames_per_mask, scores, classes)

    @classmethod
    @check_kinds
    def from_tokens(
        cls,
        features: Callable[[Any, Array], Array],
        head: Callable[[Any, Array], Array],
        params: PyTree,
        *,
        grid: tuple[int, int, int],
        skip: int = 0,
        mean: Colours | None = None,
        std: Colours | None = None,
        frames_per_mask: int = 1,
        scores: ScoreKind = "probabilities",
        classes: Sequence[str] = (),
    ) -> Self:
        """A classifier from two functions that pass tokens (n, d), as transformers do.

        Grad-CAM and SIDU look at the tokens of the grid; those before it, such as one of the class, stay as they are.

        Args:
          features: Maps (params, normalised clip (T, H, W, C)) to tokens (skip + t h w, d).
          head: Maps (params, tokens) to logits (K,).
          params: The weights, any pytree of arrays.
          grid: (t, h, w): how the tokens lie in the clip, time first.
          skip: Tokens before those of the grid.
          mean: Per channel, in [0, 1], or None for no standardisation.
          std: Per channel.
          frames_per_mask: Frames that share one mask frame.
          scores: "sigmoid" for classes that do not exclude each other, "given" where the network returns probabilities.
          classes: Names of the classes, in the order of the logits.

        Raises:
          ValueError: As `from_functions`, or if `grid` is not three counts, or `skip` below 0.

        Example:
          >>> import jax.numpy as jnp, jaxsal
          >>> def features(params, clip):  # a token for the class, then one for each of 2 x 2 x 2 blocks
          ...     blocks = clip.reshape(2, 1, 2, 2, 2, 2, 3).mean(axis=(1, 3, 5)).reshape(8, 3)
          ...     return jnp.concatenate([params, blocks])
          >>> head = lambda params, tokens: tokens.mean(axis=0)
          >>> network = jaxsal.Classifier.from_tokens(features, head, jnp.zeros((1, 3)), grid=(2, 2, 2), skip=1)
          >>> network.features(jnp.ones((2, 4, 4, 3))).shape, jaxsal.gradcam(network, jnp.ones((2, 4, 4, 3))).shape
          ((2, 2, 2, 3), (2, 4, 4))
        """
        place = Positions(grid, skip)
        parts = TokenFeatures(features, place), TokenHead(features, head, place), TokenNetwork(features, head)
        return cls._made(*parts, params, mean, std, frames_per_mask, scores, classes)

    @classmethod
    @check_kinds
    def from_callback(
        cls,
        function: Callable[[Any], Any],
        num_classes: int,
        *,
        mean: Colours | None = None,
        std: Colours | None = None,
        frames_per_mask: int = 1,
        scores: ScoreKind = "probabilities",
        classes: Sequence[str] = (),
    ) -> Self:
        """A classifier from a function of NumPy arrays: a model of PyTorch, ONNX Runtime, TensorFlow or a server.

        For RISE, both curves and `score_masks`. Grad-CAM and SIDU need layers, which JAX does not see in it. The clips
        of a chunk come in one call, so `chunk_size` is the batch of the model.

        Args:
          function: Maps clips (B, T, H, W, C), float32, to scores (B, K); of scenes it gets a dict of such arrays.
          num_classes: K.
          mean: Per channel, in [0, 1], or None where the function takes clips in [0, 1].
          std: Per channel.
          frames_per_mask: Frames that share one mask frame.
          scores: "sigmoid" for classes that do not exclude each other, "given" where it returns probabilities.
          classes: Names of the classes, in the order of the scores.

        Raises:
          TypeError: If `function` cannot be called.
          ValueError: As `from_functions`.

        Example:
          >>> import jax, jaxsal
          >>> function = lambda clips: 9 * clips.mean(axis=(1, 2, 3))  # NumPy in, NumPy out
          >>> colours = jaxsal.Classifier.from_callback(function, 3, classes=("red", "green", "blue"))
          >>> clip = jax.random.uniform(jax.random.key(0), (2, 4, 4, 3))
          >>> jaxsal.rise(jax.random.key(1), colours, clip, "green", num_masks=8).shape
          (2, 4, 4)
        """
        check_positive("num_classes", num_classes)
        whole = Callback(function, num_classes)
        return cls._made(None, None, whole, (), mean, std, frames_per_mask, scores, classes)

    @classmethod
    def _made(
        cls,
        features: Callable[..., Array] | None,
        head: Callable[..., Array] | None,
        whole: Callable[..., Array] | None,
        params: PyTree,
        mean: Colours | None,
        std: Colours | None,
        frames_per_mask: int,
        scores: ScoreKind,
        classes: Sequence[str],
    ) -> Self:
        """A classifier, after checking all that it is made of."""
        check_positive("frames_per_mask", frames_per_mask)
        check_choice("scores", scores, tuple(kind for kind in get_args(ScoreKind) if kind != "logits"))
        if isinstance(classes, str) or len(set(classes)) < len(classes):
            raise ValueError(f"`classes` must be a list of different names; got {classes!r}.")
        check_weights("params", params)
        means, stds = as_colours(mean, std)
        fields = dict(frames_per_mask=frames_per_mask, whole_fn=whole, scores=scores, classes=tuple(classes))
        make: Callable[..., Self] = cls
        return make(params, means, stds, features, head, **fields)
