"""Score-CAM: the last activations, each weighted by the score of the clip where that channel is active."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.types import AnyArray, Target
from jaxsal.engine.batch import REPLACED, Batch
from jaxsal.engine.masks import Families
from jaxsal.engine.requests import Request, Scores
from jaxsal.engine.resample import resample
from jaxsal.engine.spectra import from_rows, in_all_channels
from jaxsal.recipes import METHODS, Alignment
from jaxsal.recipes.further import ScoreCamOptions
from jaxsal.saliency.method import Method, of_layer
from jaxsal.saliency.readout import explained_scores


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ChannelMasks:
    """M_k = minmax(up(A_k)), one for each channel of the activations; 0 everywhere where A_k is constant.

    Of a scene the activations are a tuple, one for each spectrum; minus infinity in channels that do not see it.
    """

    activations: Float[AnyArray, "t h w d"] | tuple[Float[AnyArray, "t h w d"], ...]
    shape: tuple[int, ...] = field(metadata=dict(static=True))
    alignment: Alignment = field(metadata=dict(static=True))

    @property
    def num_masks(self) -> int:
        """D."""
        return jax.tree.leaves(self.activations)[0].shape[-1]

    @property
    def visible(self) -> list[Float[Array, "t h w d"]]:
        """The activations of every spectrum, 0 in channels that do not see it."""
        return [jnp.where(jnp.isfinite(one), one, 0) for one in map(jnp.asarray, jax.tree.leaves(self.activations))]

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "*S Tm H W"]:
        """The mask of channel `mask_id`."""
        masks = []
        for activations in self.visible:
            channel = resample(activations[..., mask_id], self.shape, self.alignment)
            low, high = channel.min(), channel.max()
            masks.append(jnp.where(high > low, (channel - low) / jnp.where(high > low, high - low, 1), 0))
        return jnp.stack(masks) if isinstance(self.activations, tuple) else masks[0]


def masks(batch: Batch, options: ScoreCamOptions, shape: tuple[int, ...], seed: int) -> tuple[Families, list[Request]]:
    """The masks of the channels of every clip, a family each; channels without any form are known to keep nothing."""
    activations = in_all_channels(batch.activations(layer=options.layer), batch.spectra)
    leaves = jax.tree.leaves(activations)
    like = ChannelMasks(jax.tree.map(lambda one: one[0], activations), shape[-3:], options.alignment)
    flat = np.all([np.asarray((one == one[:, :1, :1, :1]).all(axis=(1, 2, 3))) for one in leaves], axis=0)
    ids, numbers = np.arange(like.num_masks, dtype=np.int32), range(len(batch.originals))
    requests = [
        Request(number, number, ids, np.where(row, REPLACED, 0)) for number, row in zip(numbers, flat, strict=False)
    ]
    return Families.like(like, leaves), requests


def stored(family: ChannelMasks) -> dict[str, np.ndarray]:
    """The activations, a row for each channel, of which `restored` makes the masks."""
    leaves = [np.asarray(one) for one in jax.tree.leaves(family.activations)]
    rows = np.concatenate([one.reshape(-1, one.shape[-1]).T for one in leaves], axis=1)
    return {"masks": rows, "positions": np.array([one.shape[:3] for one in leaves], np.int32)}


def restored(
    arrays: Mapping[str, np.ndarray], options: ScoreCamOptions, shape: tuple[int, ...], seed: int
) -> ChannelMasks:
    """The masks from what `stored` gave."""
    activations = from_rows(arrays["masks"], arrays["positions"], of_scene=len(shape) == 4)
    return ChannelMasks(activations, shape[-3:], options.alignment)


def scorecam_map(scores: Scores, target: Target, options: ScoreCamOptions) -> Float[Array, "*K_S Tm H W"]:
    """S_c = up(ReLU(sum_k alpha_kc A_k)), alpha_kc = softmax_k(w_c(M_k * clip + (1 - M_k) * baseline)).

    M_k is `ChannelMasks`' mask of channel k and w_c the score of class c; what the paper subtracts from w_c, the score
    of the replaced clip, is the same for all channels and drops out of the softmax.

    References:
      Wang et al., "Score-CAM", 2020, https://arxiv.org/abs/1910.01279
    """
    _, masked = explained_scores(scores, target, options.scores)
    family = scores.family
    assert isinstance(family, ChannelMasks)
    alphas = jax.nn.softmax(jnp.asarray(masked), axis=0)
    of_each = [jax.nn.relu(jnp.tensordot(one, alphas, axes=1, precision="highest")) for one in family.visible]
    maps = [jnp.moveaxis(resample(one, family.shape, family.alignment), -1, 0) for one in of_each]
    joined = jnp.stack(maps, axis=1) if isinstance(family.activations, tuple) else maps[0]
    return joined if isinstance(target, str) else joined[0]


METHOD = Method(
    "scorecam",
    METHODS["scorecam"],
    masks=masks,
    num_masks=lambda options, shape, channels: channels,
    read_out=scorecam_map,
    stored=stored,
    restored=restored,
    read_options=("scores",),
    activations=of_layer,
    needs_parts=True,
    seeded=False,
)
