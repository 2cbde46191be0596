"""What scores clips: checks of the functions and classifiers that users pass in, and the shape of their masks."""

import inspect
from collections.abc import Mapping

import jax
from jaxtyping import PyTree

from jaxsal.core.callables import call_each, call_parts_each, shape_of
from jaxsal.core.checks import check_positive
from jaxsal.core.types import ScoreFn
from jaxsal.engine.spectra import spectra_of
from jaxsal.models.modules import described
from jaxsal.models.nnx_modules import check_inference


def check_score_fn(score_fn: ScoreFn, clips: PyTree, name: str = "score_fn") -> int:
    """The number of classes K, after checking that `score_fn`, called `name`, maps each of several clips to (K,).

    Raises:
      TypeError: If `score_fn` cannot be called, or computes outside of JAX.
      ValueError: If its result is not a vector.
    """
    if not callable(score_fn):
        raise TypeError(f"`{name}` must map a clip to class scores; got {type(score_fn).__name__}.")
    check_inference(score_fn)
    _check_takes_one(score_fn, name)
    try:
        scores = shape_of(call_each, score_fn, clips)
    except jax.errors.JAXTypeError as error:
        raise TypeError(
            f"`{name}` must compute with JAX alone; got a {type(error).__name__}, as of a function of NumPy or "
            "PyTorch, which jaxsal.Classifier.from_callback(function, num_classes) takes."
        ) from error
    except (TypeError, ValueError) as error:
        _check_channels_last(clips, error)
        if "valid JAX type" in str(error):
            raise ValueError(f"`{name}` must map one clip to class scores (K,), an array; got {error}.") from error
        raise
    return _num_classes(scores, name)


def _check_takes_one(score_fn: ScoreFn, name: str) -> None:
    """Raises TypeError if a function cannot be called with one clip alone, as far as Python can tell."""
    try:
        signature = inspect.signature(score_fn)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(None)
    except TypeError as error:
        raise TypeError(f"`{name}` must take one clip alone; got a function of {signature}.") from error


def _check_channels_last(clips: PyTree, error: Exception) -> None:
    """Raises ValueError if clips that a network could not take look as if channels came first."""
    shape = tuple(jax.tree.leaves(clips)[0].shape[1:])
    if shape[0] in (1, 3, 4) and shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"`clip` must have shape (T, H, W, C), channels last; got {shape}, where channels seem to come first: "
            f"jnp.moveaxis(clip, 0, -1) puts them last."
        ) from error


def check_batches(score_fn: ScoreFn, batch_size: int | None) -> None:
    """Checks that clips can be scored in batches of that size, or each by itself (None).

    Raises:
      TypeError: If `score_fn` has no `score_batch`.
      ValueError: If the size is below 1.
    """
    if batch_size is None:
        return
    check_positive("batch_size", batch_size)
    if not callable(getattr(score_fn, "score_batch", None)):
        raise TypeError(f"`score_fn` must have score_batch for `batch_size`; got {type(score_fn).__name__} without.")


def looked_at(classifier: PyTree, layer: str | None) -> PyTree:
    """A classifier looked at in a layer; as it is for None.

    Raises:
      TypeError: If it has no layers, which `jaxsal.Classifier.from_model` finds in Flax modules.
    """
    if layer is None:
        return classifier
    if not callable(getattr(classifier, "at", None)):
        found = type(classifier).__name__
        raise TypeError(f"`classifier` must be a jaxsal.Classifier of a Flax module for `layer`; got {found}.")
    return classifier.at(layer)


def has_parts(function: ScoreFn) -> bool:
    """Whether a function has methods `features` and `head`."""
    named = all(callable(getattr(function, name, None)) for name in ("features", "head"))
    return named and getattr(function, "has_parts", True)


def check_parts(classifier: ScoreFn, clips: PyTree, method: str) -> None:
    """Checks that `head(features(clip))` is (K,), with activations (t, h, w, d); of a scene also one for each spectrum.

    Raises:
      TypeError: If the classifier has no `features` and `head`.
      ValueError: If the activations have not four axes or the result of the head is not a vector.
    """
    if not has_parts(classifier):
        missing = [name for name in ("features", "head") if not callable(getattr(classifier, name, None))]
        whole = "of a network as a whole; classifier.at(layer) chooses a layer of a Flax module"
        found = f"{type(classifier).__name__} {'without ' + ' and '.join(missing) if missing else whole}"
        raise TypeError(f"`classifier` must have features and head for {method}; got {found}.")
    activations, logits = shape_of(call_parts_each, classifier, clips)
    if isinstance(activations, Mapping) and spectra_of(activations) != spectra_of(clips):
        raise ValueError(
            f"`classifier.features` must return activations of {spectra_of(clips)}; got {tuple(activations)}."
        )
    for one in jax.tree.leaves(activations):
        if one.ndim != 5:
            more = "; Classifier.from_tokens and at(layer, grid=...) take tokens" if one.ndim == 3 else ""
            raise ValueError(f"`classifier.features` must return (t, h, w, d){more}; got shape {one.shape[1:]}.")
    _num_classes(logits, "classifier")


def _num_classes(scores: object, name: str) -> int:
    shape = scores.shape[1:] if hasattr(scores, "shape") else described(scores)
    if isinstance(shape, str) or len(shape) != 1 or shape[0] == 0:
        raise ValueError(f"`{name}` must map one clip to class scores (K,); got {shape}.")
    return shape[0]


def mask_shape(score_fn: ScoreFn, clip_shape: tuple[int, ...], num_spectra: int = 0) -> tuple[int, ...]:
    """(T', H, W) of a classifier's masks and maps: T' = T / `frames_per_mask`, 1 where it has none.

    Of scenes in several spectra (S, T', H, W).

    Raises:
      ValueError: If the frames of a mask do not divide the clip's.
    """
    frames_per_mask = getattr(score_fn, "frames_per_mask", 1)
    num_frames, height, width, _ = clip_shape
    if num_frames % frames_per_mask:
        raise ValueError(f"`clip` must have a multiple of {frames_per_mask} frames; got {num_frames}.")
    own = num_frames // frames_per_mask, height, width
    return (num_spectra, *own) if num_spectra else own
