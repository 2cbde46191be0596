"""How the score changes where the clip is dimmed by its own map: average drop, average gain, increase in confidence.

All three compare Y, the score of the class for the clip, with O, its score for the clip times the normalised map; one
forward pass a map. Each is of one map; its mean over clips is what the sources report, in percent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxsal.core.kinds import check_fields
from jaxsal.core.types import AnyArray, Contrast
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.class_scores import target_scores
from jaxsal.engine.masks import DenseMasks, Families
from jaxsal.engine.requests import Request, score_requests
from jaxsal.metrics.measures import Measure, Measured
from jaxsal.recipes import BaselineName, ScoreKind


@check_fields
@dataclass(frozen=True)
class DropOptions:
    """Options of average drop, average gain and increase in confidence.

    Attributes:
      baseline: What the clip is blended with where the map is low; "zero" is the product of clip and map, as in the
        sources.
      scores: Whose drop is measured, as for `jaxsal.rise`; probabilities in the sources.
    """

    baseline: BaselineName = "zero"
    scores: ScoreKind = "probabilities"


def average_drop(whole: float, dimmed: float) -> float:
    """The share of the score that is lost, max(0, Y - O) / Y; low is good.

    Args:
      whole: Y, the score for the clip, above 0.
      dimmed: O, the score for the clip times the normalised map.

    References:
      Chattopadhay et al., "Grad-CAM++", 2018, https://arxiv.org/abs/1710.11063
    """
    return max(0.0, whole - dimmed) / whole if whole > 0 else np.nan


def average_gain(whole: float, dimmed: float) -> float:
    """The share of the score still missing that is gained, max(0, O - Y) / (1 - Y); high is good.

    Args:
      whole: Y, the score for the clip, below 1.
      dimmed: O, the score for the clip times the normalised map.

    References:
      Zhang et al., "Opti-CAM: Optimizing saliency maps for interpretability", 2023, https://arxiv.org/abs/2301.07002
    """
    return max(0.0, dimmed - whole) / (1 - whole) if whole < 1 else np.nan


def increase_in_confidence(whole: float, dimmed: float) -> float:
    """1 if the score rises, O > Y, else 0; high is good.

    Args:
      whole: Y, the score for the clip.
      dimmed: O, the score for the clip times the normalised map.

    References:
      Chattopadhay et al., "Grad-CAM++", 2018, https://arxiv.org/abs/1710.11063
    """
    return float(dimmed > whole)


def normalised(maps: Float[AnyArray, "F *S Tm H W"]) -> Float[np.ndarray, "F *S Tm H W"]:
    """Each map from 0 to 1, (S - min S) / (max S - min S), over all spectra of a scene; a constant map is 0."""
    maps = np.asarray(maps, np.float32)
    axes = tuple(range(1, maps.ndim))
    least, most = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    return (maps - least) / np.where(most > least, most - least, 1)


def _measure(
    batch: Batch,
    owners: Sequence[int],
    maps: Float[AnyArray, "F *S Tm H W"],
    classes: Sequence[int | Contrast],
    options: DropOptions,
    chunk_size: int,
    *,
    change: Callable[[float, float], float],
) -> list[Measured]:
    families = Families.of([DenseMasks(jnp.asarray(mask[None])) for mask in normalised(maps)])
    requests = [Request(clip, number, np.zeros(1, np.int32)) for number, clip in enumerate(owners)]
    baseline = Baseline.of(options.baseline)
    measured = []
    for own, label in zip(
        score_requests(batch, families, requests, baseline=baseline, chunk_size=chunk_size), classes, strict=True
    ):
        logits = np.stack([np.asarray(own.clip_logits), np.asarray(own.logits)[0]])
        whole, dimmed = np.asarray(target_scores(logits, label, options.scores), np.float64).tolist()
        measured.append(Measured(change(whole, dimmed)))
    return measured


def _of(name: str, good: int, change: Callable[[float, float], float]) -> Measure:
    return Measure(name, good, partial(_measure, change=change), num_passes=lambda clip_shape, num_slices, options: 1)


DROP = _of("average_drop", -1, average_drop)
GAIN = _of("average_gain", 1, average_gain)
INCREASE = _of("increase", 1, increase_in_confidence)
