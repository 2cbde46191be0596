"""Array aliases shared by the package: one clip, one mask, one saliency map, and what scores a clip."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Array, Float, Int

AnyArray = jax.Array | np.ndarray

Clip = Float[AnyArray, "T H W C"]
"""One clip, values in [0, 1], channels last."""

Mask = Float[Array, "Tm H W"] | Float[Array, "T H W C"]
"""1 keeps, 0 replaces. Tm divides T: a mask frame stands for T / Tm frames."""

SaliencyMap = Float[AnyArray, "Tm H W"]
"""Credit per voxel, raw units; Tm divides the clip's T."""

Logits = Float[Array, " K"]

ScoreFn = Callable[..., Any]
"""Maps one clip (T, H, W, C) to class scores (K,): a plain function, or any callable pytree."""

Target = int | Int[AnyArray, ""] | Literal["all"] | None
"""The class to explain; None is the predicted class, "all" gives one result per class."""
