"""The one road: what does the classifier say about these clips when these voxels are replaced?

One compiled loop over chunks of masks, of any clips side by side. Inside a chunk masks are made, blended with the
baseline and scored under `vmap`, split over all devices of all processes; only scores leave it. The weights, the
clips and the masks' own data are arguments, so another checkpoint, clip, key or number of masks compiles nothing, and
memory does not depend on how many masks there are.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, PyTree

from jaxsal.core.callables import Static, join_callable
from jaxsal.core.devices import device_mesh, on_every_device, on_one_device, split_axis
from jaxsal.core.types import AnyArray, Progress
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch
from jaxsal.engine.ends import unknown_rows, with_ends
from jaxsal.engine.masks import Families, MaskFamily, expand_mask
from jaxsal.engine.spectra import mask_of_each
from jaxsal.recipes import FrameSlices

CHUNKS_PER_PROGRAM = 8
IN_FLIGHT = 2
"""Calls of the compiled loop that are waiting for a device, so that it never waits for the host."""


class Program(NamedTuple):
    """What the compiled loop is made for, beside shapes.

    Attributes:
      static: The part of the callable that is no array.
      frame_slices: Which slice of a mask a frame gets, see `jaxsal.engine.masks.expand_mask`.
      batch_size: Masked clips that are normalised together; None scores each by itself.
    """

    static: Static
    frame_slices: FrameSlices = "aligned"
    batch_size: int | None = None


def score(
    batch: Batch,
    families: Sequence[MaskFamily] | Families,
    pairs: Int[np.ndarray, "N 2"],
    ids: Int[np.ndarray, " N"],
    *,
    baseline: Baseline,
    ends: Int[np.ndarray, " N"] | None = None,
    frame_slices: FrameSlices = "aligned",
    batch_size: int | None = None,
    chunk_size: int = 16,
    progress: Progress | None = None,
) -> Float[AnyArray, "N K"]:
    """Scores clips under masks: row n is the logits of clip pairs[n, 0] under mask ids[n] of family pairs[n, 1].

    Args:
      batch: The clips and the classifier.
      families: The masks, of one kind.
      pairs: Per row, the clip and the family.
      ids: Per row, the mask's number.
      baseline: What stands in for removed voxels.
      ends: Per row, `UNTOUCHED` or `REPLACED` where the mask is known to keep or to replace everything, else 0. The
        logits of such a clip are scored at most once in a batch. Not used with `batch_size`, which makes them
        depend on others.
      frame_slices: Which slice of a mask a frame gets.
      batch_size: Masked clips of one clip that `score_fn.score_batch` gets at once, where their scores depend on each
        other; takes the place of `chunk_size`. None scores each clip by itself.
      chunk_size: Rows in memory at once, rounded up to a multiple of the devices; changes speed, not the result.
      progress: Called with (rows done, rows in all) now and then.

    Returns:
      The logits in float32, on the host; traced ones under a caller's `jax.jit`.
    """
    families = families if isinstance(families, Families) else Families.of(families)
    ends = ends if batch_size is None else None
    todo = np.arange(len(ids)) if ends is None else unknown_rows(batch, pairs, ends, baseline)
    rows = todo if batch_size is None else _in_whole_batches(pairs[:, 0], batch_size)
    logits: AnyArray = np.zeros((0, batch.num_classes), np.float32)
    if len(rows):
        program = Program(batch.split.static, frame_slices, batch_size)
        size = chunk_size if batch_size is None else batch_size
        logits = _in_portions(batch, families, pairs[rows], ids[rows], baseline, program, size, progress)
        batch.count(len(todo))
    if batch_size is not None:
        _, first = np.unique(rows, return_index=True)  # a batch was filled up by its last row
        logits = logits[first]
    return logits if ends is None else with_ends(batch, logits, todo, pairs, ends, baseline)


def even_chunk(count: int, chunk_size: int) -> int:
    """At most `chunk_size`, such that few masks make chunks of equal length, of which little is padded."""
    if not 0 < count <= CHUNKS_PER_PROGRAM * chunk_size:
        return chunk_size
    return -(-count // -(-count // chunk_size))


def _in_whole_batches(clips: Int[np.ndarray, " N"], batch_size: int) -> Int[np.ndarray, " n"]:
    """Rows by clip, the rest of each filled up to a whole batch by its last row, which leaves the range as it is."""
    by_clip = [np.flatnonzero(clips == clip) for clip in np.unique(clips)]
    return np.concatenate([np.pad(rows, (0, -len(rows) % batch_size), mode="edge") for rows in by_clip])


def _in_portions(
    batch: Batch,
    families: Families,
    pairs: Int[np.ndarray, "N 2"],
    ids: Int[np.ndarray, " N"],
    baseline: Baseline,
    program: Program,
    chunk_size: int,
    progress: Progress | None,
) -> Float[AnyArray, "N K"]:
    """Calls the compiled loop with a few chunks at a time."""
    mesh = device_mesh(program.batch_size)
    arguments = _arguments(batch, families, baseline, mesh)
    chunk_size = _of_all_devices(chunk_size, mesh)
    per_program = CHUNKS_PER_PROGRAM * chunk_size
    scores: list[Array] = []
    for start in range(0, len(ids), per_program):
        if len(scores) >= IN_FLIGHT:
            jax.block_until_ready(scores[-IN_FLIGHT])
        stop = min(start + per_program, len(ids))
        num_chunks = on_every_device(np.int32(-(-(stop - start) // chunk_size)), mesh)
        rows = np.minimum(np.arange(start, start + per_program), stop - 1).reshape(-1, chunk_size)
        chunks = split_axis((pairs[rows].astype(np.int32), ids[rows].astype(np.int32)), mesh, axis=1)
        scores.append(score_chunks(*arguments, *chunks, num_chunks, program))
        if progress is not None:
            jax.block_until_ready(scores[-1])
            progress(stop, len(ids))
    return _join(scores, len(ids))


def _arguments(batch: Batch, families: Families, baseline: Baseline, mesh: Mesh) -> tuple[PyTree, ...]:
    """The leading arguments of the compiled loop, on every device."""
    weights, clips = batch.placed(mesh)
    return weights, clips, batch.stand_ins(baseline, mesh), on_every_device(families, mesh)


def _of_all_devices(chunk_size: int, mesh: Mesh) -> int:
    """Rounded up to a multiple of the devices."""
    return -(-chunk_size // mesh.size) * mesh.size


def _join(scores: list[Array], count: int) -> Float[AnyArray, "N K"]:
    """The first rows of all parts; joined on the host, where nothing is compiled for their number."""
    parts = [on_one_device(part) for part in scores]
    concatenate = jnp.concatenate if isinstance(parts[0], jax.core.Tracer) else np.concatenate
    return concatenate(parts).reshape(-1, parts[0].shape[-1])[:count].astype(np.float32)


def lowered_loop(
    batch: Batch, family: MaskFamily, baseline: Baseline, *, chunk_size: int
) -> tuple[jax.stages.Lowered, tuple[PyTree, ...]]:
    """The compiled loop for a chunk size, not compiled yet, and arguments that score all chunks of a call."""
    mesh = device_mesh()
    shape = CHUNKS_PER_PROGRAM, _of_all_devices(chunk_size, mesh)
    ids = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    rows = split_axis((np.zeros((*shape, 2), np.int32), ids), mesh, axis=1)
    count = on_every_device(np.int32(CHUNKS_PER_PROGRAM), mesh)
    arguments = (*_arguments(batch, Families.of([family]), baseline, mesh), *rows, count)
    return score_chunks.lower(*arguments, Program(batch.split.static)), arguments


def program_bytes(batch: Batch, family: MaskFamily, baseline: Baseline, *, chunk_size: int) -> int:
    """The memory that the compiled loop takes on each device, in bytes, as its compiler says."""
    lowered, _ = lowered_loop(batch, family, baseline, chunk_size=chunk_size)
    memory = lowered.compile().memory_analysis()
    assert memory is not None
    return memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes


@partial(jax.jit, static_argnums=(7,))
def score_chunks(
    weights: list[AnyArray],
    clips: PyTree,
    stand_ins: PyTree,
    families: Families,
    pairs: Int[AnyArray, "chunks chunk 2"],
    ids: Int[AnyArray, "chunks chunk"],
    num_chunks: int | Int[AnyArray, ""],
    program: Program,
) -> Float[Array, "chunks chunk K"]:
    """Logits for the masks of the first `num_chunks` rows of `ids`, each in its mask's place; others are not scored.

    No device waits for another.

    Args:
      weights: The arrays of the callable.
      clips: With a leading axis B; one array, or one per spectrum.
      stand_ins: The fully replaced clips, shaped alike.
      families: The masks.
      pairs: The clip and the family of each mask.
      ids: The masks' numbers.
      num_chunks: How many rows to score.
      program: What the loop is made for.
    """
    score_fn = join_callable(weights, program.static)
    score_clips = jax.vmap(score_fn) if program.batch_size is None else score_fn.score_batch
    single = jax.tree.leaves(clips)[0].shape[0] == 1

    def masked_clip(pair, mask_id):
        place = 0 if single else pair[0]  # known while compiling, so that no clip is copied
        masks = mask_of_each(families[pair[1]](mask_id), clips)

        def blend(mask, clip, stand_in):
            kept = expand_mask(mask, clip.shape[1], program.frame_slices)
            return kept * clip[place] + (1 - kept) * stand_in[place]

        return jax.tree.map(blend, masks, clips, stand_ins)

    def score_chunk(chunk, scores):
        mask_ids, owners = jnp.asarray(ids)[chunk], jnp.asarray(pairs)[chunk]
        return scores.at[chunk].set(score_clips(jax.vmap(masked_clip)(owners, mask_ids)))

    result = jax.eval_shape(score_fn, jax.tree.map(lambda leaf: leaf[0], clips))
    scores = jnp.zeros((*ids.shape, *result.shape), result.dtype)
    return jax.lax.fori_loop(0, num_chunks, score_chunk, scores)
