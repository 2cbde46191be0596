"""A method of one's own in one file: occlusion by blocks, whose masks replace one block of the clip each."""

import math
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.engine.requests import Request
from jaxsal.saliency.methods import Method, add_method


@dataclass(frozen=True)
class OcclusionOptions:
    """Blocks in time, height and width, and what stands in for a block."""

    blocks: tuple[int, int, int] = (2, 3, 3)
    baseline: str = "mean"


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BlockMasks:
    """Mask n keeps all but block n."""

    blocks: tuple[int, int, int] = field(metadata=dict(static=True))
    shape: tuple[int, int, int] = field(metadata=dict(static=True))

    @property
    def num_masks(self) -> int:
        return math.prod(self.blocks)

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "Tm H W"]:
        return (block_numbers(self) != mask_id).astype(jnp.float32)


def block_numbers(masks):
    """The block of every voxel."""
    axes = [np.arange(size) * count // size for size, count in zip(masks.shape, masks.blocks, strict=True)]
    return np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), masks.blocks)


def masks(batch, options, shape, seed):
    """One family for all clips, and all of its masks for each."""
    family = restored({}, options, shape, seed)
    ids = np.arange(family.num_masks, dtype=np.int32)
    return [family], [Request(clip, 0, ids) for clip in range(len(batch.originals))]


def restored(arrays, options, shape, seed):
    return BlockMasks(options.blocks, shape)


def read_out(scores, target, options):
    """S_c(v) = p_c(clip) - p_c(clip without the block of v)."""
    lost = jax.nn.softmax(scores.clip_logits)[target] - jax.nn.softmax(jnp.asarray(scores.logits))[:, target]
    return lost[block_numbers(scores.family)]


METHOD = Method(
    "patches",
    "Patches",
    masks=masks,
    num_masks=lambda options, shape, channels: math.prod(options.blocks),
    read_out=read_out,
    restored=restored,
    seeded=False,
)


def register():
    add_method(METHOD, OcclusionOptions())
