"""The engine: what does a classifier say about a clip when these voxels are replaced?

One compiled loop over chunks of mask numbers. Inside a chunk masks are made, blended with the baseline and scored
under `vmap`, split over all devices of all processes; only scores leave it. The weights, the clip and the masks' own
data are arguments, so another checkpoint, clip, key or number of masks compiles nothing, and memory does not depend
on how many masks there are. Of several clips with few masks each, a chunk holds masks of many.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from jaxsal.core.callables import join_callable, split_callable
from jaxsal.core.devices import device_mesh, on_every_device, on_one_device, split_axis
from jaxsal.core.types import AnyArray, Progress, ScoreFn
from jaxsal.engine.families import Families
from jaxsal.engine.masks import FrameSlices, MaskFamily, expand_mask

CHUNKS_PER_PROGRAM = 8
IN_FLIGHT = 2
"""Calls of the compiled loop that are waiting for a device, so that it never waits for the host."""


def score_ids(
    score_fn: ScoreFn,
    clip: Float[Array, "T H W C"],
    family: MaskFamily,
    ids: Int[np.ndarray, " N"],
    baseline: Float[Array, "..."],
    *,
    frame_slices: FrameSlices = "aligned",
    batch_size: int | None = None,
    chunk_size: int,
    progress: Progress | None = None,
) -> Float[Array, "N K"]:
    """`score_masks` without its checks, and by the same program whatever the number of ids; arguments as there.

    `baseline` is an array, and `chunk_size` is rounded up to a multiple of the devices.
    """
    mesh = device_mesh(batch_size)
    arguments, static = _on_every_device(score_fn, clip, baseline, family, mesh)
    options = (static, frame_slices, batch_size)
    return _in_portions(arguments, ids, None, options, mesh, chunk_size, progress)


def score_pairs(
    score_fn: ScoreFn,
    clips: Sequence[Float[AnyArray, "T H W C"]],
    families: Families,
    baselines: Sequence[Float[AnyArray, "..."]],
    pairs: Int[np.ndarray, "N 2"],
    ids: Int[np.ndarray, " N"],
    *,
    chunk_size: int,
) -> Float[Array, "N K"]:
    """Scores several clips under masks of several families, side by side in each chunk.

    Args:
      score_fn: As for `score_masks`.
      clips: B clips of one shape.
      families: F families.
      baselines: What stands in for removed voxels, by clip; each broadcasts to it.
      pairs: Per score, the clip and the family.
      ids: Per score, the mask of that family.
      chunk_size: Scores at once, rounded up to a multiple of the devices; where there are fewer, the last is made as
        often as it takes, so that nothing is compiled for their number.
    """
    mesh = device_mesh()
    stand_ins = np.stack([np.broadcast_to(baseline, clips[0].shape) for baseline in baselines])
    arguments, static = _on_every_device(score_fn, np.stack(clips), stand_ins, families, mesh)
    return _in_portions(arguments, ids, pairs, (static, "aligned", None), mesh, chunk_size, None)


def _in_portions(
    arguments: tuple[Any, ...],
    ids: Int[np.ndarray, " N"],
    pairs: Int[np.ndarray, "N 2"] | None,
    options: tuple[Any, FrameSlices, int | None],
    mesh: Mesh,
    chunk_size: int,
    progress: Progress | None,
) -> Float[Array, "N K"]:
    """Calls the compiled loop with a few chunks at a time."""
    chunk_size = _of_all_devices(chunk_size, mesh)
    per_program = CHUNKS_PER_PROGRAM * chunk_size
    scores: list[Array] = []
    for start in range(0, len(ids), per_program):
        if len(scores) >= IN_FLIGHT:
            jax.block_until_ready(scores[-IN_FLIGHT])
        stop = min(start + per_program, len(ids))
        num_chunks = on_every_device(np.int32(-(-(stop - start) // chunk_size)), mesh)
        numbers = np.minimum(np.arange(start, start + per_program), stop - 1).reshape(-1, chunk_size)
        chunks = split_axis((ids[numbers], None if pairs is None else pairs[numbers]), mesh, axis=1)
        scores.append(_score_chunks(*arguments, chunks[0], num_chunks, *options, chunks[1]))
        if progress is not None:
            jax.block_until_ready(scores[-1])
            progress(stop, len(ids))
    return _join(scores, len(ids))


def _of_all_devices(chunk_size: int, mesh: Mesh) -> int:
    """Rounded up to a multiple of the devices."""
    return -(-chunk_size // mesh.size) * mesh.size


def _join(scores: list[Array], count: int) -> Array:
    """The first rows of all parts on one device; joined on the host, where nothing is compiled for their number."""
    parts = [on_one_device(part) for part in scores]
    traced = isinstance(parts[0], jax.core.Tracer)
    joined = (jnp if traced else np).concatenate(parts).reshape(-1, parts[0].shape[-1])[:count]
    return joined if traced else jax.device_put(joined, jax.local_devices()[0])


def program_bytes(
    score_fn: ScoreFn,
    clip: Float[Array, "T H W C"],
    family: MaskFamily,
    baseline: Float[Array, "..."],
    *,
    chunk_size: int,
) -> int:
    """The memory that the program of `score_ids` takes on each device, in bytes, as its compiler says."""
    mesh = device_mesh()
    arguments, static = _on_every_device(score_fn, clip, baseline, family, mesh)
    chunk_size = _of_all_devices(chunk_size, mesh)
    chunks = split_axis(np.zeros((CHUNKS_PER_PROGRAM, chunk_size), np.int32), mesh, axis=1)
    count = on_every_device(np.int32(1), mesh)
    compiled = _score_chunks.lower(*arguments, chunks, count, static, "aligned", None, None).compile()
    memory: Any = compiled.memory_analysis()
    return memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes


def _on_every_device(
    score_fn: ScoreFn, clip: AnyArray, baseline: AnyArray, family: MaskFamily | Families, mesh: Mesh
) -> tuple[tuple[Any, ...], Any]:
    """The leading arguments of the compiled loop, and its static part."""
    arrays, static = split_callable(score_fn)
    return on_every_device((arrays, clip, baseline, family), mesh), static


@partial(jax.jit, static_argnums=(6, 7, 8))
def _score_chunks(
    arrays: list[Any],
    clip: Float[Array, "*B T H W C"],
    baseline: Float[Array, "..."],
    family: Any,
    ids: Int[np.ndarray, "chunks chunk"] | Int[Array, "chunks chunk"],
    num_chunks: int | Int[Array, ""],
    static: Any,
    frame_slices: FrameSlices,
    batch_size: int | None,
    pairs: Int[Array, "chunks chunk 2"] | None,
) -> Float[Array, "chunks chunk K"]:
    """Logits for the masks of the first `num_chunks` rows of `ids`, each in its mask's place; others are not scored.

    No device waits for another. With `pairs`, the clip and the family of each mask, there is an axis of clips and of
    baselines, and one of families.
    """
    score_fn: Any = join_callable(arrays, static)
    score_clips = jax.vmap(score_fn) if batch_size is None else score_fn.score_batch
    one_clip = clip if pairs is None else clip[0]

    def masked_clip(mask_id, pair):
        original, stand_in, masks = clip, baseline, family
        if pair is not None:
            original, stand_in, masks = clip[pair[0]], baseline[pair[0]], family[pair[1]]
        mask = expand_mask(masks(mask_id), original.shape[0], frame_slices)
        return mask * original + (1 - mask) * stand_in

    def score_chunk(chunk, scores):
        numbers, of = jax.tree.map(lambda leaf: jnp.asarray(leaf)[chunk], (ids, pairs))
        return scores.at[chunk].set(score_clips(jax.vmap(masked_clip)(numbers, of)))

    result = jax.eval_shape(score_fn, one_clip)
    scores = jnp.zeros((*ids.shape, *result.shape), result.dtype)
    return jax.lax.fori_loop(0, num_chunks, score_chunk, scores)
