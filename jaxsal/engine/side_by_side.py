"""Several clips through one program: what takes one pass of each clip, laid over the devices of this process."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from jaxsal.core.callables import call_each, split_callable
from jaxsal.core.devices import clip_mesh, on_every_device, split_axis
from jaxsal.core.types import AnyArray, ScoreFn


def each_clip(
    program: Callable[..., Any],
    score_fn: ScoreFn,
    clips: Sequence[Float[AnyArray, "T H W C"]],
    *per_clip: Sequence[Any],
    static: tuple[Any, ...] = (),
) -> Any:
    """Runs program(arrays, clips, *per_clip, static, ...) with an axis of clips; gives its result as NumPy arrays.

    Args:
      program: Compiled; gives trees of arrays with one row per clip.
      score_fn: What `arrays` and the first static argument are of, see `split_callable`.
      clips: B clips of one shape.
      *per_clip: Sequences of up to B numbers; the last one is also that of the clips beyond.
      static: Further static arguments.
    """
    arrays, fixed = split_callable(score_fn)
    mesh = clip_mesh(len(clips))
    padded = range(len(clips) + -len(clips) % mesh.size)
    data = [
        np.stack([np.asarray(values[min(number, len(values) - 1)]) for number in padded])
        for values in (clips, *per_clip)
    ]
    found = program(on_every_device(arrays, mesh), *split_axis(data, mesh), fixed, *static)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[: len(clips)], found)


def logits_of_clips(score_fn: ScoreFn, clips: Sequence[Float[AnyArray, "T H W C"]]) -> Float[np.ndarray, "B K"]:
    """Logits of untouched clips, float32."""
    return np.asarray(each_clip(call_each, score_fn, clips), np.float32)
