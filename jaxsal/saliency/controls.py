"""Controls: maps that say nothing of the method, measured beside it on the same clips, so that its own must beat them.

Each is a function of `Subjects`. A map depends on the seed and on its own clip alone, so that it is the same however
clips are batched or shared out.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxsal.core.types import AnyArray, ClipTree
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.spectra import beside
from jaxsal.recipes import RiseOptions

Shape = tuple[int, ...]
Maps = Float[AnyArray, "B *S Tm H W"]

_NUM_DRAWS = 4
_CENTRE_WIDTH = 0.25


class Subjects(NamedTuple):
    """What a control may know of some clips.

    Attributes:
      names: Of the clips; random maps are drawn from them.
      clips: The clips, (T, H, W, C) each; or scenes, of each spectrum.
      shape: (T', H, W) of the maps; of scenes (S, T', H, W).
      seed: Of everything random.
      others: For `other`, the method's map of another clip for each of the clips; else empty.
    """

    names: Sequence[str]
    clips: Sequence[ClipTree]
    shape: Shape
    seed: int
    others: Sequence[Float[AnyArray, "*S Tm H W"]] = ()


def random(subjects: Subjects) -> Maps:
    """A uniform number for each voxel, without any form: every method has some, so this is the weakest control."""
    return np.stack([rng.random(subjects.shape, np.float32) for rng in _generators(subjects)])


def smooth(subjects: Subjects) -> Maps:
    """Uniform numbers on RISE's grid, stretched and cut out as RISE's masks are; the mean of four draws.

    As smooth as a saliency map, so that a method is better for what it shows, not for its form.
    """
    grid = RiseOptions().grid_shape
    *spectra, _, _, _ = subjects.shape
    shape = subjects.shape[-3:]
    family = RiseMasks.draw(jax.random.key(0), _NUM_DRAWS, 1.0, (shape[0], shape[1], shape[2]), grid)

    def draw(rng: np.random.Generator) -> Float[np.ndarray, "Tm H W"]:
        nodes, offsets = rng.random(grid, np.float32), rng.integers(0, family.cell)
        windows = zip(family.matrices, offsets, shape, strict=True)
        time, height, width = (matrix[start : start + size] for matrix, start, size in windows)
        return np.einsum("ta,hb,wc,abc->thw", time, height, width, nodes, optimize=True)

    def mean(rng: np.random.Generator) -> Float[np.ndarray, "Tm H W"]:
        return np.mean([draw(rng) for _ in range(_NUM_DRAWS)], axis=0)

    maps = [[mean(rng) for _ in range(spectra[0])] if spectra else mean(rng) for rng in _generators(subjects)]
    return np.array(maps)


def other(subjects: Subjects) -> Maps:
    """The method's map of another clip of another class: what a map says of any clip, as where people mostly stand."""
    return np.stack([np.asarray(saliency, np.float32) for saliency in subjects.others])


def centre(subjects: Subjects) -> Maps:
    """A Gaussian at the centre of every frame, of a standard deviation of a quarter of height and width."""
    height, width = (((np.arange(n) + 0.5) / n - 0.5) / _CENTRE_WIDTH for n in subjects.shape[-2:])
    blob = np.exp(-(height[:, None] ** 2 + width**2) / 2).astype(np.float32)
    return np.broadcast_to(blob, (len(subjects.names), *subjects.shape))


def motion(subjects: Subjects) -> Maps:
    """The energy of frame differences: the mean over channels of the squared change to the frames before and after.

    Frames that share a frame of the map are averaged.
    """
    num_slices, height, width = subjects.shape[-3:]

    def energy(clip: Float[AnyArray, "T H W C"]) -> Float[np.ndarray, "Tm H W"]:
        change = np.square(np.diff(np.asarray(clip, np.float32), axis=0)).mean(axis=-1)
        both = np.pad(change, [(0, 1), (0, 0), (0, 0)]) + np.pad(change, [(1, 0), (0, 0), (0, 0)])
        return both.reshape(num_slices, -1, height, width).mean(axis=1)

    maps = [jax.tree.map(energy, clip) for clip in subjects.clips]
    return np.stack([beside(of_clip) if isinstance(of_clip, Mapping) else of_clip for of_clip in maps])


def constant(subjects: Subjects) -> Maps:
    """The same everywhere: curves change voxels in a fixed random order."""
    return np.zeros((len(subjects.names), *subjects.shape), np.float32)


def _generators(subjects: Subjects) -> list[np.random.Generator]:
    """Random numbers that the seed and the name of each clip determine."""
    return [np.random.default_rng([subjects.seed, zlib.crc32(name.encode())]) for name in subjects.names]
