"""PAN: a ResNet-50 over segments of a clip that sees how appearance persists between frames."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxsal.core.checks import check_choice
from jaxsal.core.types import ScoreFn
from jaxsal.models.initialise import normal
from jaxsal.models.persistence import PersistenceOfAppearance
from jaxsal.models.resnet import Backbone

SHIFT_DIVISOR = 8  # one in 8 channels comes from the next segment, one in 8 from the previous one

Variant = Literal["lite", "rgb", "pa"]

_small = normal(0.001)


class PAN(nn.Module):
    """PAN: segments to images, shared ResNet-50 with temporal shifts, pooling over timescales, linear.

    A clip is `num_segments` times `frames_per_mask` frames. Each segment becomes one image: the first frame's
    RGB and the persistence of appearance (PA) between its frames, m - 1 maps ("lite"), or one of the two ("rgb",
    "pa"). PAN-Full averages the scores of RGB and PA, PAN-En those of all three: see `ScoreAverage`.

    Attributes:
      num_classes: K.
      width: Channels of the first convolution; 64 is the published network (Lite with 8 classes: 23,535,408
        parameters).
      num_segments: S, a power of two.
      frames_per_mask: m, the frames of a segment, which share one mask and one saliency map.
      variant: What a segment's image is made of.
      dropout: Share of the pooled features dropped in training, with the random stream "dropout".

    References:
      Zhang et al., "PAN: Towards Fast Action Recognition via Learning Persistence of Appearance", 2020,
      https://arxiv.org/abs/2008.03462
    """

    num_classes: int = 8
    width: int = 64
    num_segments: int = 8
    frames_per_mask: int = 4
    variant: Variant = "lite"
    dropout: float = 0.5

    def __post_init__(self):
        check_choice("variant", self.variant, get_args(Variant))
        if self.num_segments < 2 or self.num_segments.bit_count() != 1:
            raise ValueError(f"`num_segments` must be a power of two, at least 2; got {self.num_segments}.")
        fewest = 1 if self.variant == "rgb" else 2
        if self.frames_per_mask < fewest:
            raise ValueError(f"`frames_per_mask` must be at least {fewest}; got {self.frames_per_mask}.")
        super().__post_init__()

    def setup(self):  # noqa: D102
        if self.variant != "rgb":
            self.pa = PersistenceOfAppearance()
        self.backbone = Backbone(self.width, partial(temporal_shift, num_segments=self.num_segments))
        self.vap = TimescalePooling()
        self.drop = nn.Dropout(self.dropout)
        self.fc = nn.Dense(self.num_classes, kernel_init=_small)

    def __call__(self, clips: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B K"]:
        """Class logits of normalised clips; `train` needs the random stream "dropout"."""
        return self.head(self.features(clips, train), train)

    def features(self, clips: Float[Array, "B T H W C"], train: bool = False) -> Float[Array, "B S h w d"]:
        """Activations of the last layer, which enter the global mean.

        Args:
          clips: B normalised clips of S m frames, those of a segment one after the other.
          train: Normalise by the batch and update the running statistics (collection "batch_stats").

        Returns:
          Activations per segment with d = 32 `width` channels, a 32nd of height and width, rounded up.

        Raises:
          ValueError: If the clips have another number of frames.
        """
        num_frames = self.num_segments * self.frames_per_mask
        if clips.shape[1] != num_frames:
            raise ValueError(f"`clips` must have {num_frames} frames; got {clips.shape[1]}.")
        activations = self.backbone(self.segment_images(clips), train)
        return activations.reshape(-1, self.num_segments, *activations.shape[1:])

    def segment_images(self, clips: Float[Array, "B T H W C"]) -> Float[Array, "N H W D"]:
        """The N = B S images that the backbone sees: RGB of each segment's first frame, PA maps, or both."""
        segments = clips.reshape(-1, self.frames_per_mask, *clips.shape[2:])
        if self.variant == "rgb":
            return segments[:, 0]
        if self.variant == "pa":
            return self.pa(segments)
        return jnp.concatenate([segments[:, 0], self.pa(segments)], axis=-1)

    def head(self, activations: Float[Array, "B S h w d"], train: bool = False) -> Float[Array, "B K"]:
        """Class logits of the last layer's activations: mean over space, pooled over timescales, linear."""
        pooled = self.vap(activations.mean(axis=(2, 3)))
        return self.fc(self.drop(pooled, deterministic=not train))


class TimescalePooling(nn.Module):
    """Various-timescale aggregation pooling (VAP): a weighted sum of the maxima over segments 1, 2, 4, .. apart."""

    @nn.compact
    def __call__(self, segments: Float[Array, "B S d"]) -> Float[Array, "B d"]:
        """Pools the segments; the softmax weights come from the mean of each of the S - 1 vectors."""
        vectors = timescale_vectors(segments)
        num_vectors = vectors.shape[1]
        hidden = nn.relu(nn.Dense(4 * num_vectors, use_bias=False, kernel_init=_small, name="tes1")(vectors.mean(-1)))
        weights = nn.softmax(nn.Dense(num_vectors, use_bias=False, kernel_init=_small, name="tes2")(hidden))
        return (weights[:, :, None] * vectors).sum(axis=1)


def timescale_vectors(segments: Float[Array, "B S d"]) -> Float[Array, "B V d"]:
    """The V = S - 1 vectors v(q, j) = max of segments j, j + q, j + 2q, .. for q = 1, 2, 4, .., S / 2 and j < q."""
    num_segments = segments.shape[1]
    scales = [2**level for level in range(int(math.log2(num_segments)))]
    parts = [segments.reshape(len(segments), num_segments // q, q, -1).max(axis=1) for q in scales]
    return jnp.concatenate(parts, axis=1)


def temporal_shift(activations: Float[Array, "N h w C"], num_segments: int) -> Float[Array, "N h w C"]:
    """Takes an eighth of the channels from the next segment and an eighth from the previous one (TSM).

    Args:
      activations: Of the segments of one clip after the other.
      num_segments: S, the segments of a clip; beyond its ends are zeros.

    Returns:
      y(s) = x(s + 1) in the first C // 8 channels, x(s - 1) in the next C // 8, x(s) in the others.

    References:
      Lin et al., "TSM: Temporal Shift Module for Efficient Video Understanding", 2018,
      https://arxiv.org/abs/1811.08383
    """
    clips = activations.reshape(-1, num_segments, *activations.shape[1:])
    fold = clips.shape[-1] // SHIFT_DIVISOR
    following, previous, others = jnp.split(clips, (fold, 2 * fold), axis=-1)
    zeros = jnp.zeros_like(following[:, :1])
    following = jnp.concatenate([following[:, 1:], zeros], axis=1)
    previous = jnp.concatenate([zeros, previous[:, :-1]], axis=1)
    return jnp.concatenate([following, previous, others], axis=-1).reshape(activations.shape)


def pan_from_resnet50(
    variables: Mapping[str, Any],
    num_classes: int,
    *,
    variant: Variant = "lite",
    num_segments: int = 8,
    key: PRNGKeyArray | None = None,
) -> dict:
    """Variables of a PAN that starts from a trained ResNet-50, as its authors start from ImageNet's weights.

    Lite's first kernel, which takes six channels, is the mean over the three of ResNet-50's, once for each.

    Args:
      variables: Of a `ResNet50`; its `fc` is not used.
      num_classes: K of the PAN.
      variant: As in `PAN`.
      num_segments: As in `PAN`.
      key: Random key for the new parts, the PA module and the head; that of seed 0 if None.

    Returns:
      {"params": ..., "batch_stats": ...} of PAN(num_classes, width, num_segments, variant=variant).

    Raises:
      ValueError: If the variables are not those of a `ResNet50`, or the variant is unknown.
    """
    params = variables["params"]
    if set(params) != {"backbone", "fc"}:
        raise ValueError(f"`variables` must be those of a ResNet50; got parameters of {', '.join(sorted(params))}.")
    key = jax.random.key(0) if key is None else key
    backbone = dict(params["backbone"])
    kernel = backbone["conv1"]["kernel"]
    model = PAN(num_classes, kernel.shape[-1], num_segments, variant=variant)
    clips = jnp.zeros((1, model.num_segments * model.frames_per_mask, 1, 1, 3))
    images, pa = model.init_with_output(key, clips, method="segment_images")
    head = model.init(key, jnp.zeros((1, model.num_segments, 1, 1, 32 * model.width)), method="head")
    if variant == "lite":
        backbone["conv1"] = {"kernel": jnp.repeat(kernel.mean(axis=2, keepdims=True), images.shape[-1], axis=2)}
    params = {**pa.get("params", {}), **head["params"], "backbone": backbone}
    return {"params": params, "batch_stats": variables["batch_stats"]}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ScoreAverage:
    """Maps a clip to the mean of several classifiers' scores: PAN-Full of RGB and PA, PAN-En of all three.

    Attributes:
      score_fns: Each maps one clip (T, H, W, C) to scores (K,); classifiers, or any callable pytrees. At least one.

    Raises:
      ValueError: If there is none.
    """

    score_fns: tuple[ScoreFn, ...]

    def __post_init__(self):
        if self.score_fns == ():
            raise ValueError("`score_fns` must have at least one score function; got ().")

    @property
    def mean(self) -> Float[np.ndarray, " C"] | None:
        """The colour that stands for the "mean" baseline, of all of them; None where none has one.

        Raises:
          ValueError: If it is not the same for all.
        """
        means = [getattr(score_fn, "mean", None) for score_fn in self.score_fns]
        colours = {None if mean is None else tuple(np.asarray(mean).tolist()) for mean in means}
        if len(colours) > 1:
            raise ValueError(f"`score_fns` must have the same mean for this baseline; got {colours}.")
        return None if means[0] is None else np.asarray(means[0])

    @property
    def frames_per_mask(self) -> int:
        """Frames that share one mask frame, in all of them."""
        return math.lcm(*(getattr(score_fn, "frames_per_mask", 1) for score_fn in self.score_fns))

    def __call__(self, clip: Float[Array, "T H W C"]) -> Float[Array, " K"]:
        """Mean scores of a clip in [0, 1]."""
        return jnp.stack([score_fn(clip) for score_fn in self.score_fns]).mean(axis=0)
