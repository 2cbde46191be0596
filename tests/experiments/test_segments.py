import jax.numpy as jnp
import numpy as np
from segments import repeated_share, stem_share

from jaxsal.engine.masks import DenseMasks, RankMasks
from jaxsal.training.networks import NetworkSpec


def test_segments_that_a_mask_keeps_or_removes_whole():
    """Of two masks of three segments each: one kept, one removed, one cut; one kept, two cut."""
    masks = np.full((2, 3, 4, 4), 0.5, np.float32)
    masks[0, 0], masks[0, 1], masks[1, 2] = 1, 0, 1
    assert repeated_share(DenseMasks(jnp.asarray(masks)), 2, frames_per_mask=4) == 3 / 6


def test_segments_that_an_earlier_mask_cut_alike():
    """Of three masks of two segments: the first is new, the second as it in one segment, the third in both."""
    masks = np.full((3, 2, 4, 4), 0.5, np.float32)
    masks[1, 1] = 0.25
    assert repeated_share(DenseMasks(jnp.asarray(masks)), 3, frames_per_mask=4) == 3 / 6


def test_segments_of_masks_of_every_scalar():
    """Two segments of two frames; of nothing, of half of the clip and of everything."""
    ranks = jnp.arange(4 * 2 * 2 * 3, dtype=jnp.int32).reshape(4, 2, 2, 3)
    masks = RankMasks(ranks, jnp.asarray(np.int32([0, 24, 47, 48])), True)
    assert repeated_share(masks, 4, frames_per_mask=2) == 7 / 8


def test_a_tenth_of_pan_comes_before_segments_meet():
    assert 0.08 < stem_share(NetworkSpec(("a", "b"), arch="pan", num_frames=32, size=224)) < 0.11
