"""Occlusion of networks whose answer is a sum over voxels is that sum over each block."""

import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import saliency_map
from jaxsal.recipes.further import OcclusionOptions
from jaxsal.saliency.occlusion import block_axis, restored

RNG = np.random.default_rng(0)
CLIP = RNG.random((4, 6, 5, 3), np.float32)
WEIGHTS = RNG.normal(size=CLIP.shape).astype(np.float32)
LOGIT = toys.linear_logit(WEIGHTS)
EVIDENCE = (WEIGHTS * CLIP).sum(axis=-1)


def options(**values):
    return OcclusionOptions(**dict(grid_shape=(2, 3, 2), scores="logits", baseline="zero") | values)


def test_of_a_linear_network_a_block_loses_its_own_evidence():
    """Five columns in blocks of three: the last block begins at column 2, which both cover."""
    saliency = saliency_map(LOGIT, CLIP, 0, method=options())
    left, right = EVIDENCE[..., :3], EVIDENCE[..., 2:]
    lost = [part.reshape(2, 2, 3, 2, 3).sum(axis=(1, 3, 4)) for part in (left, right)]
    expected = np.stack([lost[0], lost[0], (lost[0] + lost[1]) / 2, lost[1], lost[1]], axis=-1)
    np.testing.assert_allclose(saliency, expected.repeat(2, axis=0).repeat(2, axis=1), rtol=1e-4, atol=1e-5)
    every = saliency_map(LOGIT, CLIP, "all", method=options(scores="softmax"))
    np.testing.assert_allclose(every[0], -every[1], atol=1e-6)
    difference = saliency_map(LOGIT, CLIP, lambda z: z[0] - z[1], method=options())
    np.testing.assert_allclose(difference, saliency, rtol=1e-5)


def test_overlapping_blocks_are_averaged_over_those_that_cover_a_voxel():
    chosen = options(grid_shape=(1, 2, 1), stride=(1, 1, 1), baseline=np.full(3, 0.25, np.float32))
    saliency = np.asarray(saliency_map(LOGIT, CLIP, 0, method=chosen))
    rows = (WEIGHTS * (CLIP - 0.25)).sum(axis=(0, 2, 3))
    lost = np.array([rows[n : n + 3].sum() for n in range(4)])
    of_row = [lost[max(row - 2, 0) : row + 1].mean() for row in range(6)]
    np.testing.assert_allclose(saliency, np.broadcast_to(np.array(of_row)[:, None], CLIP.shape[:3]), rtol=1e-4)


def test_a_block_of_one_spectrum_leaves_the_others():
    scene = {"IR": CLIP[..., :1], "TV": CLIP}

    def both(scene):
        return jnp.stack([(scene["IR"]).sum() + (WEIGHTS * scene["TV"]).sum(), jnp.zeros(())])

    maps = saliency_map(both, scene, 0, method=options(grid_shape=(4, 6, 5)))
    np.testing.assert_allclose(maps["IR"], scene["IR"][..., 0], atol=1e-5)
    np.testing.assert_allclose(maps["TV"], EVIDENCE, atol=1e-5)


def test_blocks_cover_every_voxel_and_masks_are_their_complements():
    for size, count, stride in ((7, 3, None), (7, 3, 2), (5, 8, None), (16, 2, 8), (6, 1, None)):
        blocks = block_axis(size, count, stride)
        assert (blocks.sum(axis=0) >= 1).all()
        assert (blocks.sum(axis=1) == -(-size // count)).all()
    family = restored({}, options(), (4, 6, 5), 0)
    masks = toys.every_mask(family)
    assert family.num_masks == len(masks) == 12
    np.testing.assert_array_equal((1 - masks).sum(axis=(1, 2, 3)), 2 * 2 * 3)


def test_messages():
    with pytest.raises(ValueError, match=r"`stride` must be at most the block \(2, 2, 3\); got \(3, 1, 1\)"):
        saliency_map(LOGIT, CLIP, method=options(stride=(3, 1, 1)))
    with pytest.raises(ValueError, match="`method` must be one of .*; got 'oclusion'. Did you mean 'occlusion'"):
        saliency_map(LOGIT, CLIP, method="oclusion")
    with pytest.raises(TypeError, match="`method` must be .*; got 3"):
        saliency_map(LOGIT, CLIP, method=3)
