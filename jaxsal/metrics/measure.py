"""What a measure is: what it says of maps, at how many forward passes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.core.checks import Options
from jaxsal.core.types import AnyArray, OneTarget
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.metrics.curve import Curve


class Measured(NamedTuple):
    """What a measure says of one map.

    Attributes:
      value: One number.
      curve: The curve behind it, if there is one.
      logits: Along the curve, of all classes, so that the curve of another class needs no pass.
    """

    value: float
    curve: Curve | None = None
    logits: Float[np.ndarray, "n K"] | None = None


@dataclass(frozen=True)
class Measure:
    """A measure of saliency maps.

    Attributes:
      name: In options, configs and tables.
      good: -1 if a low value is good, 1 if a high one is.
      measure: (batch, clip of each map, maps (F, T', H, W), class of each map, options, chunk size) to what it says
        of each map, or with `read` to what is read of each; maps of scenes are (F, S, T', H, W).
      num_passes: (shape of the clip, T' of the map, options) to forward passes of a map, at most, beside the
        untouched and the fully replaced clip; of scenes the slices of all spectra are counted.
      baseline: (options, whether T' < T) to what replaces removed voxels, where a fully replaced clip is scored.
      read: What `measure` found of one map, to what this measure says of it. Measures with the same `measure` and
        equal options share what it finds, and its passes.
    """

    name: str
    good: int
    measure: Callable[
        [Batch, Sequence[int], Float[AnyArray, "F *S Tm H W"], Sequence[OneTarget], Any, int], Sequence[Any]
    ]
    num_passes: Callable[[tuple[int, ...], int, Any], int] = lambda clip_shape, num_slices, options: 0
    baseline: Callable[[Any, bool], Baseline] | None = None
    read: Callable[[Any], Measured] = lambda found: found

    def shares(self, options: Options) -> tuple[Callable[..., Any], str]:
        """What measures that share their passes have in common."""
        return self.measure, repr(options)
