"""How the score changes where the clip is dimmed by its own map: average drop, average gain, increase in confidence.

All three compare Y, the score of the class for the clip, with O, its score for the clip times the normalised map; they
share one forward pass a map. Each is of one map; its mean over clips is what the sources report, in percent.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxsal.core.types import AnyArray, OneTarget
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.class_scores import target_scores
from jaxsal.engine.masks import DenseMasks, Families
from jaxsal.engine.requests import Request, score_requests
from jaxsal.metrics.measure import Measure, Measured
from jaxsal.recipes import measure_sign
from jaxsal.recipes.measuring import DropOptions as DropOptions


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


def _scores(
    batch: Batch,
    owners: Sequence[int],
    maps: Float[AnyArray, "F *S Tm H W"],
    classes: Sequence[OneTarget],
    options: DropOptions,
    chunk_size: int,
) -> list[tuple[float, float]]:
    """Y and O of each map, which all three measures read."""
    families = Families.of([DenseMasks(jnp.asarray(mask[None])) for mask in normalised(maps)])
    requests = [Request(clip, number, np.zeros(1, np.int32)) for number, clip in enumerate(owners)]
    baseline = Baseline.of(options.baseline)
    scores = score_requests(batch, families, requests, baseline=baseline, chunk_size=chunk_size)
    logits = [np.stack([np.asarray(own.clip_logits), np.asarray(own.logits)[0]]) for own in scores]
    pairs = zip(logits, classes, strict=True)
    both = [np.asarray(target_scores(own, label, options.scores), np.float64).tolist() for own, label in pairs]
    return [(whole, dimmed) for whole, dimmed in both]


def _of(name: str, change: Callable[[float, float], float]) -> Measure:
    def read(pair: tuple[float, float]) -> Measured:
        return Measured(change(*pair))

    return Measure(name, measure_sign(name), _scores, lambda shape, slices, options: 1, read=read)


DROP = _of("average_drop", average_drop)
GAIN = _of("average_gain", average_gain)
INCREASE = _of("increase", increase_in_confidence)
