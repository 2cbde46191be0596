"""What a method is: the maps that it gives, or the masks that it wants scored and what it reads out of the scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from jaxsal.core.checks import Options
from jaxsal.core.types import AnyArray
from jaxsal.engine.batch import Batch
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.requests import Request, Scores
from jaxsal.recipes import Alignment
from jaxsal.saliency.controls import Maps, Shape, Subjects
from jaxsal.saliency.order import Settled
from jaxsal.saliency.targets import Targets

OWN = None, None
"""The activations that enter the head, under the classifier's own normalisation."""


@runtime_checkable
class LayerOptions(Options, Protocol):
    """Options of a method that looks at the activations of one layer."""

    @property
    def layer(self) -> str | None:
        """The layer; the one that enters the head if None."""

    @property
    def alignment(self) -> Alignment:
        """How the map is stretched to the clip."""


def of_layer(options: LayerOptions) -> tuple[None, str | None]:
    """The activations of the layer that the options name."""
    return None, options.layer


@dataclass(frozen=True)
class Method:
    """A saliency method.

    Attributes:
      name: In options and configs.
      title: In tables and pictures.
      maps: (batch, targets, options, seed) to the maps of all clips, see `jaxsal.saliency.targets`.
      control: (subjects) to maps that say nothing of a method.
      of: The method whose map of another clip the control is; empty for all others.
      masks: (batch, options, (T', H, W), seed) to the families of masks it wants scored, one for all clips or one
        each, and a request for each clip.
      num_masks: (options, (T', H, W), channels of the activations) to the masks of a clip; channels are 0 unless
        `needs_parts`.
      read_out: (scores, target, options) to the map of one clip.
      settled: (scores, target, options) to how far the scored masks settle the map, where options leave their number
        open; None where they give it.
      stored: Arrays that the family of a clip's scores is made of; None where options and seed determine it.
      restored: (those arrays, options, (T', H, W), seed) to the family.
      scores_of: The method whose scores it reads, if not its own.
      read_options: Options that change what is read out, not the scores.
      activations: (options) to the normalisation and the layer of the activations that it reads, as of
        `Batch.activations`. Those of the clip's own pass are (None, None); others take a pass, which methods share.
      extra_passes: (options) to forward passes of a clip beside its own and those of its masks and activations.
      needs_parts: Whether the classifier must have features and a head.
      seeded: Whether maps depend on the seed.
    """

    name: str
    title: str
    maps: Callable[[Batch, Targets, Any, int], Maps] | None = None
    control: Callable[[Subjects], Maps] | None = None
    of: str = ""
    masks: Callable[[Batch, Any, Shape, int], tuple[Any, list[Request]]] | None = None
    num_masks: Callable[[Any, Shape, int], int] = lambda options, shape, channels: 0
    read_out: Callable[[Scores, Any, Any], Float[AnyArray, "..."]] | None = None
    settled: Callable[[Scores, Any, Any], Settled | None] = lambda scores, target, options: None
    stored: Callable[[Any], dict[str, np.ndarray]] | None = None
    restored: Callable[[Mapping[str, np.ndarray], Any, Shape, int], MaskFamily] | None = None
    scores_of: str = ""
    read_options: tuple[str, ...] = ()
    activations: Callable[[Any], tuple[str | None, str | None]] = lambda options: OWN
    extra_passes: Callable[[Any], int] = lambda options: 0
    needs_parts: bool = False
    seeded: bool = True
