"""Scores of one clip under masks of any kind, after checking every argument."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.checks import check_choice, check_chunk_size
from jaxsal.core.kinds import check_kinds
from jaxsal.core.progress import as_progress
from jaxsal.core.types import AnyArray, ClipTree, Progress, ScoreFn
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch, prepare
from jaxsal.engine.chunks import in_chunks
from jaxsal.engine.classifiers import check_batches
from jaxsal.engine.inputs import check_frames, check_ids, check_masks
from jaxsal.engine.masks import DenseMasks, MaskFamily
from jaxsal.engine.scoring import even_chunk, score
from jaxsal.engine.spectra import beside, spectra_of
from jaxsal.recipes import ChunkSize, FrameSlices


@check_kinds
def score_masks(
    score_fn: ScoreFn,
    clip: ClipTree,
    masks: MaskFamily | AnyArray | Mapping[str, AnyArray],
    *,
    ids: Sequence[int] | Int[np.ndarray, " N"] | None = None,
    baseline: str | AnyArray | Mapping[str, AnyArray] = "zero",
    frame_slices: FrameSlices = "aligned",
    batch_size: int | None = None,
    chunk_size: ChunkSize = "auto",
    progress: Progress | bool | None = None,
) -> Float[Array, "N K"]:
    """Scores a clip under masks: scores[n] = score_fn(M_n * clip + (1 - M_n) * baseline).

    Args:
      score_fn: Maps one clip (T, H, W, C) to logits (K,): any callable pytree, or a plain function.
      clip: The clip, values in [0, 1]; or a scene, one clip for each spectrum by name.
      masks: A family of `jaxsal.engine.masks`, or an array (N, T', H, W) in [0, 1]; T' divides T. Of a scene an array
        that all spectra share, or one for each by name.
      ids: The numbers of the masks to score; all if None.
      baseline: What stands in for removed voxels, a name of `jaxsal.engine.baselines` or an array; of a scene also an
        array for each spectrum.
      frame_slices: Which slice of a mask a frame gets, see `jaxsal.engine.masks.expand_mask`.
      batch_size: Masked clips that `score_fn.score_batch` gets at once, counted from the first of `ids`, where
        their scores depend on each other; takes the place of `chunk_size`. None scores each clip by itself.
      chunk_size: Masks in memory at once; changes speed, not the result. "auto" is 16 on a CPU, on an accelerator as
        many as fit, at most 64 a device.
      progress: Called with (masks done, masks in all) now and then; True shows a bar, or lines in a log.

    Returns:
      What `score_fn` returns, one row per mask.

    Raises:
      TypeError: If `score_fn` cannot be called, or not in batches where they are wanted, the clip holds no floats,
        the masks are neither a family nor numbers, or the ids are no integers.
      ValueError: If a shape, a value or a name does not fit; the message names the argument.

    Example:
      >>> import jax.numpy as jnp, jaxsal
      >>> keep = jnp.stack([jnp.ones((2, 4, 4)), jnp.zeros((2, 4, 4))])  # everything, nothing
      >>> jaxsal.score_masks(lambda clip: clip.mean()[None], jnp.ones((2, 4, 4, 3)), keep).tolist()
      [[1.0], [0.0]]
    """
    check_chunk_size(chunk_size)
    check_choice("frame_slices", frame_slices, get_args(FrameSlices))
    check_batches(score_fn, batch_size)
    batch = prepare(score_fn, [clip])
    family = _as_family(masks, batch)
    ids = check_ids(ids, family.num_masks, endless=getattr(family, "endless", False))
    run = partial(
        score,
        batch,
        [family],
        np.zeros((len(ids), 2), np.int32),
        ids,
        baseline=Baseline.of(baseline),
        frame_slices=frame_slices,
        batch_size=batch_size,
        progress=as_progress(progress, "score", "masks"),
    )
    logits = in_chunks(
        chunk_size,
        "masks",
        batch,
        lambda chunk_size: run(chunk_size=even_chunk(len(ids), chunk_size)),
        passes=len(ids),
    )
    return logits if isinstance(logits, jax.core.Tracer) else jax.device_put(logits)


def _as_family(masks: MaskFamily | AnyArray | Mapping[str, AnyArray], batch: Batch) -> MaskFamily:
    """The masks as a family, after checking their values, and their shape against the clip."""
    num_frames, height, width, _ = batch.clip_shape
    if isinstance(masks, Mapping):
        masks = _of_each_spectrum(masks, batch)
    elif isinstance(masks, jax.Array | np.ndarray):
        masks = _dense(masks, batch)
    check_masks(masks)
    if masks.num_masks < 1:
        raise ValueError(f"`masks` must hold at least one mask; got {masks.num_masks}.")
    mask = _mask.eval_shape(masks, jax.ShapeDtypeStruct((), jnp.int32))
    of_scene = mask.ndim == 4 and bool(batch.spectra)
    if mask.ndim == 3 or of_scene:
        check_frames(num_frames, mask.shape[-3], "masks")
    if (mask.shape[2:] if of_scene else mask.shape[1:3]) != (height, width):
        raise ValueError(f"`masks` must fit a clip of {batch.clip_shape}; got masks of {mask.shape}.")
    if of_scene and len(mask) != len(batch.spectra):
        raise ValueError(f"`masks` must be of the spectra {batch.spectra}; got masks of {mask.shape}.")
    return masks


def _of_each_spectrum(masks: Mapping[str, AnyArray], batch: Batch) -> DenseMasks:
    if not masks or spectra_of(masks) != batch.spectra:
        raise ValueError(f"`masks` must be of the spectra {batch.spectra}; got masks of {tuple(masks)}.")
    dense = {name: _dense(own, batch).masks for name, own in masks.items()}
    shapes = {name: own.shape for name, own in dense.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"`masks` must be of one shape for all spectra; got {shapes}.")
    return DenseMasks(beside(dense))


def _dense(masks: AnyArray, batch: Batch) -> DenseMasks:
    check_masks(masks)
    height, width = batch.clip_shape[1:3]
    if masks.ndim != 4 or masks.shape[2:] != (height, width):
        raise ValueError(f"`masks` must have shape (N, T', {height}, {width}); got {tuple(masks.shape)}.")
    return DenseMasks(jnp.asarray(masks, jnp.float32))


@jax.jit
def _mask(family: MaskFamily, mask_id: Int[Array, ""]) -> Float[Array, "..."]:
    """One mask; `_mask.eval_shape` is traced once for masks of one kind and shape."""
    return family(mask_id)
