"""Occlusion: what the score loses where one block of the clip after another is replaced."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.types import AnyArray, Target
from jaxsal.engine.batch import Batch
from jaxsal.engine.grids import block_axis
from jaxsal.engine.requests import Request, Scores
from jaxsal.recipes import METHODS
from jaxsal.recipes.further import OcclusionOptions
from jaxsal.saliency.method import Method
from jaxsal.saliency.readout import explained_scores


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BlockMasks:
    """Mask n replaces block n and keeps the rest; of a scene block n of one spectrum after the other.

    Attributes:
      blocks: Per axis, which voxels each of the blocks along it covers, 1 or 0.
      num_spectra: S of a scene, 0 of a clip.
    """

    blocks: tuple[Float[AnyArray, "_ _"], ...]
    num_spectra: int = field(metadata=dict(static=True))

    @property
    def num_masks(self) -> int:
        """The blocks of all axes, times those of the spectra."""
        return math.prod(len(axis) for axis in self.blocks) * max(self.num_spectra, 1)

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "*S Tm H W"]:
        """The mask of block `mask_id`."""
        counts = max(self.num_spectra, 1), *(len(axis) for axis in self.blocks)
        spectrum, *place = jnp.unravel_index(mask_id, counts)
        time, row, column = (jnp.asarray(axis)[here] for axis, here in zip(self.blocks, place, strict=True))
        block = time[:, None, None] * row[:, None] * column
        if not self.num_spectra:
            return 1 - block
        return 1 - jax.nn.one_hot(spectrum, self.num_spectra)[:, None, None, None] * block


def restored(
    arrays: Mapping[str, np.ndarray], options: OcclusionOptions, shape: tuple[int, ...], seed: int
) -> BlockMasks:
    """The masks, which options and shape determine.

    Raises:
      ValueError: If `stride` is longer than a block, so that voxels would be left out.
    """
    strides = options.stride or (None, None, None)
    lengths = [math.ceil(size / count) for size, count in zip(shape[-3:], options.grid_shape, strict=True)]
    if any(stride is not None and stride > length for stride, length in zip(strides, lengths, strict=True)):
        raise ValueError(f"`stride` must be at most the block {tuple(lengths)}; got {options.stride}.")
    axes = zip(shape[-3:], options.grid_shape, strides, strict=True)
    return BlockMasks(tuple(block_axis(*axis) for axis in axes), shape[0] if len(shape) == 4 else 0)


def masks(
    batch: Batch, options: OcclusionOptions, shape: tuple[int, ...], seed: int
) -> tuple[list[BlockMasks], list[Request]]:
    """The masks of all clips, the same for each."""
    family = restored({}, options, shape, seed)
    ids = np.arange(family.num_masks, dtype=np.int32)
    return [family], [Request(number, 0, ids) for number in range(len(batch.originals))]


def occlusion_map(scores: Scores, target: Target, options: OcclusionOptions) -> Float[np.ndarray, "*K_S Tm H W"]:
    """S_c(v) = mean over the blocks b that cover voxel v of w_c(clip) - w_c(clip without b), w_c the score of c.

    Positive where the class loses without the voxel. With `stride=None` each voxel is in one block. A block that lies
    within what the network reads additively gets the sum of its parts.

    References:
      Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, https://arxiv.org/abs/1311.2901
    """
    clip, masked = explained_scores(scores, target, options.scores)
    family = scores.family
    assert isinstance(family, BlockMasks)
    time, row, column = (np.asarray(axis) for axis in family.blocks)
    lost = np.moveaxis(clip - masked, -1, 0).reshape(-1, max(family.num_spectra, 1), len(time), len(row), len(column))
    covered = np.einsum("at,bh,cw->thw", time, row, column, optimize=True)
    maps = np.einsum("ksabc,at,bh,cw->ksthw", lost, time, row, column, optimize=True) / covered
    maps = maps if family.num_spectra else maps[:, 0]
    return maps if isinstance(target, str) else maps[0]


METHOD = Method(
    "occlusion",
    METHODS["occlusion"],
    masks=masks,
    num_masks=lambda options, shape, channels: restored({}, options, shape, 0).num_masks,
    read_out=occlusion_map,
    restored=restored,
    read_options=("scores",),
    seeded=False,
)
