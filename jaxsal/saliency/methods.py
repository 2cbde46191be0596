"""The registry of methods, which the runner, the commands, the tables and the docs read.

A method either gives maps of a batch of clips at once (`maps`: gradients), or names masks that it wants scored
(`masks`) and reads maps out of the scores (`read_out`), of any class, at no further pass. A control (`control`) is
measured beside them for comparison, see `jaxsal.saliency.controls`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxsal import recipes
from jaxsal.core.checks import Options
from jaxsal.core.controls import control_title, other_name
from jaxsal.core.types import AnyArray
from jaxsal.engine.batch import Batch
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.requests import Request, Scores
from jaxsal.saliency import controls, rise, sidu
from jaxsal.saliency.controls import Maps, Shape, Subjects
from jaxsal.saliency.gradcam import gradcam_maps


@dataclass(frozen=True)
class Method:
    """A saliency method.

    Attributes:
      name: In options and configs.
      title: In tables and pictures.
      maps: (batch, class of each clip, options) to the maps of all clips.
      control: (subjects) to maps that say nothing of a method.
      of: The method whose map of another clip the control is; empty for all others.
      masks: (batch, options, (T', H, W), seed) to the families of masks it wants scored, one for all clips or one
        each, and a request for each clip.
      num_masks: (options, (T', H, W), channels of the activations) to the masks of a clip; channels are 0 unless
        `needs_parts`.
      read_out: (scores, class, options) to the map of one clip.
      stored: Arrays that the family of a clip's scores is made of; None where options and seed determine it.
      restored: (those arrays, options, (T', H, W), seed) to the family.
      read_options: Options that change what is read out, not the scores.
      extra_passes: (options) to forward passes of a clip beside those of its masks.
      needs_parts: Whether the classifier must have features and a head.
      seeded: Whether maps depend on the seed.
    """

    name: str
    title: str
    maps: Callable[[Batch, Sequence[int], Any], Maps] | None = None
    control: Callable[[Subjects], Maps] | None = None
    of: str = ""
    masks: Callable[[Batch, Any, Shape, int], tuple[Any, list[Request]]] | None = None
    num_masks: Callable[[Any, Shape, int], int] = lambda options, shape, channels: 0
    read_out: Callable[[Scores, Any, Any], Float[AnyArray, "..."]] | None = None
    stored: Callable[[Any], dict[str, np.ndarray]] | None = None
    restored: Callable[[Mapping[str, np.ndarray], Any, Shape, int], MaskFamily] | None = None
    read_options: tuple[str, ...] = ()
    extra_passes: Callable[[Any], int] = lambda options: 0
    needs_parts: bool = False
    seeded: bool = True


def _gradcam(batch: Batch, classes: Sequence[int], options: recipes.GradCamOptions) -> Maps:
    return gradcam_maps(batch, list(classes), options)


def _other(method: Method) -> Method:
    """The control that is a method's map of another clip."""
    return Method(other_name(method.name), control_title("other", method.title), control=controls.other, of=method.name)


_RISE = Method(
    "rise",
    "RISE",
    masks=rise.masks,
    num_masks=lambda options, shape, channels: options.num_masks,
    read_out=rise.read_out,
    restored=rise.restored,
    read_options=rise.READ_OUT,
)
_SIDU = Method(
    "sidu",
    "SIDU",
    masks=sidu.masks,
    num_masks=lambda options, shape, channels: channels,
    read_out=sidu.sidu_map,
    stored=sidu.stored,
    restored=sidu.restored,
    read_options=sidu.READ_OUT,
    extra_passes=lambda options: int(options.feature_normalization == "minmax"),
    needs_parts=True,
    seeded=False,
)
_GRADCAM = Method("gradcam", "Grad-CAM", maps=_gradcam, needs_parts=True, seeded=False)
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        _GRADCAM,
        _RISE,
        _SIDU,
        Method("random", "random", control=controls.random),
        Method("smooth", "smooth", control=controls.smooth),
        *(_other(method) for method in (_GRADCAM, _RISE, _SIDU)),
        Method("centre", "centre", control=controls.centre, seeded=False),
        Method("motion", "motion", control=controls.motion, seeded=False),
        Method("constant", "constant", control=controls.constant, seeded=False),
    )
}
"""By name, controls too; `recipes.METHODS` are those that explain."""


def add_method(method: Method, options: Options) -> None:
    """Makes a further method known everywhere; `options` is a frozen dataclass with its defaults."""
    METHODS[method.name] = method
    METHODS[other_name(method.name)] = _other(method)
    recipes.METHODS[method.name] = method.title
    recipes.add_options(method.name, options)
