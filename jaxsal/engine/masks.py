"""Mask families: pure functions from a mask's number to the mask, which 1 keeps and 0 replaces.

Mask n of a family depends on n and on the family's own data alone, never on a batch, a device or the mask
before it. A family is a pytree, so it enters compiled programs as an argument; it is asked for a mask where
that is scored, so that no array of all masks ever exists.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, get_args, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, PyTreeDef

from jaxsal.core.checks import check_choice, check_shape
from jaxsal.core.types import AnyArray
from jaxsal.engine.resample import resample
from jaxsal.recipes import Alignment, FrameSlices


@runtime_checkable
class MaskFamily(Protocol):
    """Masks by number: `num_masks` of them, each (Tm, H, W) or (T, H, W, C); of a scene in S spectra (S, Tm, H, W)."""

    @property
    def num_masks(self) -> int | Int[AnyArray, ""]:
        """How many masks there are, an integer."""

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "..."]:
        """The mask of that number."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DenseMasks:
    """Masks that exist already, (N, Tm, H, W), or (N, S, Tm, H, W) of a scene in S spectra."""

    masks: Float[Array, "N *S Tm H W"]

    @property
    def num_masks(self) -> int:
        """N."""
        return self.masks.shape[0]

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "*S Tm H W"]:
        """Mask `mask_id` of the array."""
        return self.masks[mask_id]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ActivationMasks:
    """SIDU's masks: one per channel of the last features, thresholded, then stretched to the clip.

    M_k = up(1[A_k > threshold]); edges stay soft, since the stretch comes after the threshold. Of a scene, the
    activations are a tuple, one for each spectrum, and M_k is of all spectra side by side.
    """

    activations: Float[AnyArray, "t h w d"] | tuple[Float[AnyArray, "t h w d"], ...]
    threshold: float | Float[AnyArray, ""]
    shape: tuple[int, ...] = field(metadata=dict(static=True))
    alignment: Alignment = field(metadata=dict(static=True))

    def __post_init__(self):
        check_shape("shape", self.shape)
        check_choice("alignment", self.alignment, get_args(Alignment))

    @property
    def num_masks(self) -> int:
        """One mask per channel."""
        return jax.tree.leaves(self.activations)[0].shape[-1]

    def binary(self) -> PyTree:
        """1 where a channel is above the threshold, shaped like the activations."""
        return jax.tree.map(lambda one: (jnp.asarray(one) > self.threshold).astype(jnp.float32), self.activations)

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "*S Tm H W"]:
        """The mask of channel `mask_id`."""

        def mask(activations: AnyArray) -> Array:
            channel = jnp.asarray(activations)[..., mask_id] > self.threshold
            return resample(channel.astype(jnp.float32), self.shape, self.alignment)

        return _beside(jax.tree.map(mask, self.activations), axis=0)

    def weighted_sum(self, weights: Float[Array, "d K"]) -> Float[Array, "K *S Tm H W"]:
        """sum_k weights[k] M_k, summed over the small binary maps and stretched once."""

        def weighted(binary: Array) -> Array:
            sums = jnp.tensordot(binary, weights, axes=1, precision=jax.lax.Precision.HIGHEST)
            return jnp.moveaxis(resample(sums, self.shape, self.alignment), -1, 0)

        return _beside(jax.tree.map(weighted, self.binary()), axis=1)


def _beside(masks: Array | tuple[Array, ...], axis: int) -> Array:
    return jnp.stack(masks, axis=axis) if isinstance(masks, tuple) else masks


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RankMasks:
    """Masks of deletion and insertion: mask s concerns the `counts[s]` elements of lowest rank.

    Attributes:
      ranks: 0 for the most salient element, (Tm, H, W) or (T, H, W, C); of a scene (S, Tm, H, W).
      counts: How many elements each step concerns, (S,).
      keep: True keeps those elements and replaces the rest (insertion), False replaces them (deletion).
    """

    ranks: Int[AnyArray, "..."]
    counts: Int[AnyArray, " S"]
    keep: bool | Bool[AnyArray, ""]

    @property
    def num_masks(self) -> int:
        """One mask per step."""
        return self.counts.shape[0]

    def __call__(self, mask_id: Int[Array, ""]) -> Float[Array, "..."]:
        """The mask of step `mask_id`."""
        concerned = self.ranks < self.counts[mask_id]
        return (concerned == self.keep).astype(jnp.float32)


def expand_mask(
    mask: Float[Array, "..."], num_frames: int, frame_slices: FrameSlices = "aligned"
) -> Float[Array, "..."]:
    """A mask at the clip's frames and channels: (Tm, H, W) to (T, H, W, 1); (T, H, W, C) stays.

    Args:
      mask: The mask; Tm divides T.
      num_frames: T.
      frame_slices: "aligned" gives frame f the slice f // (T / Tm); "modulo" gives it f mod Tm, as the study's
        code does for PAN's RISE masks.
    """
    if mask.ndim == 4:
        return mask
    repeats = num_frames // mask.shape[0]
    if frame_slices == "modulo":
        return jnp.tile(mask, (repeats, 1, 1))[..., None]
    return jnp.repeat(mask, repeats, axis=0)[..., None]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Families:
    """F families of one kind as one: `families[f]` is one of them, where f may be traced.

    Attributes:
      leaves: The arrays of a family in the order of its pytree, each with a leading axis F; without one where F = 1.
      structure: The pytree of one family.
      count: F.
    """

    leaves: list[Any]
    structure: PyTreeDef = field(metadata=dict(static=True))
    count: int = field(metadata=dict(static=True))

    @classmethod
    def of(cls, families: Sequence[MaskFamily]) -> "Families":
        """Several families that differ in their arrays alone."""
        leaves, structures = zip(*map(jax.tree.flatten, families), strict=True)
        if len(families) == 1:
            return cls(list(leaves[0]), structures[0], 1)
        if len(set(structures)) > 1:
            raise ValueError(f"`families` must be of one kind and size; got {structures}.")
        stacked = [stack_leaves(same) for same in zip(*leaves, strict=True)]
        return cls(stacked, structures[0], len(families))

    @classmethod
    def like(cls, family: MaskFamily, leaves: Sequence[Any]) -> "Families":
        """Families of the kind of `family`, made of arrays that have a leading axis F."""
        count = len(leaves[0])
        return cls([leaf if count > 1 else leaf[0, ...] for leaf in leaves], jax.tree.structure(family), count)

    def __getitem__(self, number: int | Int[Array, ""]) -> MaskFamily:
        """The family of that number."""
        leaves = self.leaves if self.count == 1 else [leaf[number, ...] for leaf in self.leaves]
        return jax.tree.unflatten(self.structure, leaves)


def stack_leaves(leaves: Sequence[AnyArray | float]) -> AnyArray:
    """Arrays of one shape with a leading axis; those of the host stay there."""
    on_device = any(isinstance(leaf, jax.Array) for leaf in leaves)
    if len(leaves) == 1 and isinstance(leaves[0], jax.Array | np.ndarray):
        return leaves[0].reshape(1, *leaves[0].shape)  # the quickest way for an array of JAX
    return jnp.stack(leaves) if on_device else np.stack(leaves)
