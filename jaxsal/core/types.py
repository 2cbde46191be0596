"""Array aliases shared by the package: one clip, one mask, one saliency map, and what scores a clip."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, Float, Int

AnyArray = jax.Array | np.ndarray

Clip = Float[AnyArray, "T H W C"]
"""One clip, values in [0, 1], channels last."""

ClipTree = Clip | Mapping[str, Float[AnyArray, "T H W _"]]
"""One clip, or one scene in several spectra by name, of the same frames and pixels."""

SaliencyMap = Float[AnyArray, "Tm H W"]
"""Credit per voxel, raw units; Tm divides the clip's T."""

SaliencyOf = Float[Array, "*K Tm H W"] | dict[str, Float[Array, "*K Tm H W"]]
"""What a method gives: the map of a class or those of all; of a scene for each spectrum, by name."""

SaliencyTree = SaliencyMap | Mapping[str, SaliencyMap]
"""The map of a clip; of a scene in several spectra one for each, by name."""

ScoreFn = Callable[..., Any]
"""Maps one clip (T, H, W, C) to class scores (K,): a plain function, or any callable pytree."""

Progress = Callable[[int, int], None]
"""Called with (done, in all) now and then."""

LogitFn = Callable[[Array], Array]
"""Maps the logits of one clip (K,) to one number, such as the difference of two of them."""


class Contrast(NamedTuple):
    """What tells one class from another: how much more likely `target` is than `against` where one of them it must be.

    Attributes:
      target: The class to explain, by number or name.
      against: The class that it is told from.

    Example:
      >>> import jax, jaxsal
      >>> clip = jax.random.uniform(jax.random.key(0), (4, 16, 16, 3))
      >>> target = jaxsal.Contrast(0, 2)
      >>> jaxsal.rise(jax.random.key(1), lambda clip: clip.mean((0, 1, 2)), clip, num_masks=16, target=target).shape
      (4, 16, 16)
    """

    target: int | str | Int[AnyArray, ""]
    against: int | str | Int[AnyArray, ""]


OneTarget = int | Int[AnyArray, ""] | LogitFn | Contrast
"""What one map explains: a class by number, one against another, or a function of the logits."""

Target = int | Int[AnyArray, ""] | str | LogitFn | Contrast | None
"""What to explain: a class by number or name, one against another, or a function of the logits; None is the predicted
class, "all" gives one result per class."""


@runtime_checkable
class FeaturesAndHead(Protocol):
    """A callable pytree whose logits are head(features(clip)), such as a `jaxsal.Classifier`."""

    def features(self, clip: Clip) -> Array:
        """The activations that enter the head, (t, h, w, d)."""

    def head(self, activations: Array) -> Array:
        """Logits, (K,)."""

    def __call__(self, clip: Clip) -> Array:
        """Logits of a clip."""
