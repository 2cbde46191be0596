"""Random crops, mirroring and reversal of training clips, on the device: one draw for all frames of a clip."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, UInt8

from jaxsal.core.resize import linear_weights
from jaxsal.training.options import TrainOptions

SCALES = (1.0, 0.875, 0.75, 0.66)
MAX_DISTORT = 1  # steps in `SCALES` between the height and the width of a crop
# Corners of a crop, in quarters of the room left beside it: corners, centre, middles of the sides, and between.
POSITIONS = ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2), (2, 0), (2, 4), (4, 2), (0, 2), (1, 1), (1, 3), (3, 1), (3, 3))


def augment(key: PRNGKeyArray, clip: PyTree, crop: int, options: TrainOptions) -> PyTree:
    """A random crop as `options.cropping` says, mirrored with the chance `options.flip_prob`; in [0, 1].

    Both spectra of a scene get the same crop and the same mirroring, so that they stay one scene.
    """
    crop_key, flip_key = jax.random.split(key)

    def augment_part(part: UInt8[Array, "T S S C"]) -> Float[Array, "T crop crop C"]:
        part = CROPS[options.cropping](crop_key, part, crop)
        return jnp.where(jax.random.bernoulli(flip_key, options.flip_prob), part[:, :, ::-1], part)

    return jax.tree.map(augment_part, clip)


def with_dropped_spectra(
    key: PRNGKeyArray, scenes: Mapping[str, Float[Array, "B T H W _"]], drop_prob: float
) -> dict[str, Float[Array, "B T H W _"]]:
    """Normalised scenes, of some of which one spectrum is 0, its mean colour: a network must not need both.

    Args:
      key: Random key.
      scenes: The scenes of a batch, by spectrum.
      drop_prob: Chance of a scene to lose a spectrum; each is as likely.
    """
    names = sorted(scenes)
    draws = jax.random.uniform(key, (len(scenes[names[0]]),)) * len(names)  # [n, n + drop_prob) loses spectrum n
    lost = {name: (draws >= number) & (draws < number + drop_prob) for number, name in enumerate(names)}
    return {name: jnp.where(lost[name][:, None, None, None, None], 0, scenes[name]) for name in names}


def random_crop(key: PRNGKeyArray, clip: UInt8[Array, "T S S C"], crop: int) -> Float[Array, "T crop crop C"]:
    """A square of the wanted size from anywhere."""
    row, column = jax.random.randint(key, (2,), 0, clip.shape[1] - crop + 1)
    clip = jax.lax.dynamic_slice(clip, (0, row, column, 0), (clip.shape[0], crop, crop, clip.shape[3]))
    return clip.astype(jnp.float32) / 255


def multi_scale_crop(key: PRNGKeyArray, clip: UInt8[Array, "T S S C"], crop: int) -> Float[Array, "T crop crop C"]:
    """One of several sizes from one of 13 positions, resized to the wanted size with antialiasing.

    Height and width are two of S times `SCALES`, at most one step apart; a side within 2 pixels of `crop` is `crop`.

    References:
      Wang et al., "Temporal Segment Networks: Towards Good Practices for Deep Action Recognition", 2016,
      https://arxiv.org/abs/1608.00859
    """
    size_key, position_key = jax.random.split(key)
    size = clip.shape[1]
    sides = jax.random.choice(size_key, jnp.asarray(crop_sizes(size, crop)))
    quarters = jax.random.choice(position_key, jnp.asarray(POSITIONS))
    corner = quarters * ((size - sides) // 4)
    rows, columns = (_resize_part(size, crop, corner[axis], sides[axis]) for axis in (0, 1))
    return jnp.einsum("ih,thwc,jw->tijc", rows, clip.astype(jnp.float32) / 255, columns)


def crop_sizes(size: int, crop: int) -> Int[np.ndarray, "pairs 2"]:
    """Heights and widths that `multi_scale_crop` draws from, all as likely."""
    sides = [int(size * scale) for scale in SCALES]
    sides = [crop if abs(side - crop) < 3 else side for side in sides]
    steps = range(len(sides))
    return np.array([(sides[i], sides[j]) for i in steps for j in steps if abs(i - j) <= MAX_DISTORT], np.int32)


def _resize_part(
    size: int, new_size: int, start: Int[Array, ""], length: Int[Array, ""]
) -> Float[Array, "new_size size"]:
    """The antialiasing matrix that resizes a part of an axis, from `start` on, and looks at nothing outside of it."""
    first, part = start.astype(jnp.float32), length.astype(jnp.float32)
    scale = part / new_size
    centres = first + (jnp.arange(new_size, dtype=jnp.float32) + 0.5) * scale - 0.5
    return linear_weights(centres, size, support=jnp.maximum(scale, 1), start=first, length=part)


CROPS: dict[str, Callable[..., Float[Array, "T crop crop C"]]] = {
    "random": random_crop,
    "multiscale": multi_scale_crop,
}


def with_reversals(
    clips: PyTree,
    labels: Int[Array, " B"],
    classes: Sequence[str],
    reversals: Sequence[tuple[str, str]],
) -> tuple[PyTree, Int[Array, " N"]]:
    """The clips, and each of them again: backwards, as the other class of its pair; as it is where it has no pair.

    Whatever tells a clip from others but not from its reversal is then the same in two classes of every batch.

    Args:
      clips: The clips of a batch, (B, T, H, W, C); of scenes by spectrum.
      labels: Their classes.
      classes: Names of all classes.
      reversals: Pairs of names; without any, the clips are returned as they are.

    Raises:
      ValueError: If a pair names a class that there is not.

    References:
      Price, Damen, "Retro-Actions: Learning 'Close' by Time-Reversing 'Open' Videos", 2019,
      https://arxiv.org/abs/1909.09422
    """
    if not reversals:
        return clips, labels
    partner = np.arange(len(classes))
    for pair in reversals:
        if not set(pair) <= set(classes):
            raise ValueError(f"`reversals` must pair classes out of {tuple(classes)}; got {pair}.")
        first, second = map(classes.index, pair)
        partner[[first, second]] = second, first
    partners = jnp.asarray(partner, labels.dtype)[labels]
    has_partner = (partners != labels)[:, None, None, None, None]

    def with_again(part: Float[Array, "B T H W C"]) -> Float[Array, "N T H W C"]:
        return jnp.concatenate([part, jnp.where(has_partner, part[:, ::-1], part)])

    return jax.tree.map(with_again, clips), jnp.concatenate([labels, partners])
