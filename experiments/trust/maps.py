"""The maps that are ranked: three methods with a few settings each, maps of another clip, and maps without evidence."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

import jaxsal
from jaxsal.classifier import Classifier
from jaxsal.core.types import Clip
from jaxsal.engine.batch import prepare
from jaxsal.saliency import controls

Map = Float[np.ndarray, "Tm H W"]

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "Grad-CAM": ("gradcam", {}),
    "Grad-CAM, ReLU by channel": ("gradcam", dict(relu="channels")),
    "RISE": ("rise", dict(baseline="mean", keep_prob=0.1)),
    "RISE, blur": ("rise", dict(baseline="blur", keep_prob=0.5)),
    "RISE, time_mean": ("rise", dict(baseline="time_mean", keep_prob=0.5)),
    "RISE, reverse": ("rise", dict(baseline="reverse", keep_prob=0.5)),
    "SIDU": ("sidu", dict(baseline="mean")),
    "SIDU, time_mean": ("sidu", dict(baseline="time_mean")),
}
"""Method and options by name; what is left out is the default recipe's."""
OF_ANOTHER = ("Grad-CAM",)
"""Maps that are also taken from a clip of another class."""
BLIND = ("random", "smooth", "centre", "motion", "constant")
"""Controls that need no map of a method."""


class Effort(NamedTuple):
    """How maps are made.

    Attributes:
      num_masks: N, of RISE.
      active_share: Of SIDU: the share of activations of the clip that lie above the threshold.
      seed: Of RISE's masks and of the controls.
      chunk_size: Masks in memory at once; changes speed, not the result.
    """

    num_masks: int
    active_share: float
    seed: int
    chunk_size: int


def method_map(classifier: Classifier, clip: Clip, target: int, setting: str, effort: Effort) -> Map:
    """The map of one of the `SETTINGS`."""
    method, options = SETTINGS[setting]
    if method == "gradcam":
        return np.asarray(jaxsal.gradcam(classifier, clip, target, **options))
    options = options | dict(chunk_size=effort.chunk_size)
    if method == "sidu":
        activations = np.asarray(prepare(classifier, [clip]).activations())
        threshold = float(np.quantile(activations, 1 - effort.active_share))
        return np.asarray(jaxsal.sidu(classifier, clip, target, threshold=threshold, **options))
    options |= dict(num_masks=effort.num_masks, estimator="centered")
    return np.asarray(jaxsal.rise(jax.random.key(effort.seed), classifier, clip, target, **options))


def maps_of(
    classifier: Classifier, name: str, clip: Clip, target: int, other: Clip, other_target: int, effort: Effort
) -> dict[str, Map]:
    """All maps of one clip by name.

    Args:
      classifier: What is explained.
      name: Of the clip; random maps are drawn from it.
      clip: The clip.
      target: The class that is explained.
      other: A clip of another class.
      other_target: The class that is explained there.
      effort: How maps are made.
    """
    maps = {setting: method_map(classifier, clip, target, setting, effort) for setting in SETTINGS}
    for setting in OF_ANOTHER:
        maps[f"{setting} of another clip"] = method_map(classifier, other, other_target, setting, effort)
    subjects = controls.Subjects([name], [np.asarray(clip)], maps["Grad-CAM"].shape, effort.seed)
    return maps | {control: np.asarray(getattr(controls, control)(subjects))[0] for control in BLIND}
