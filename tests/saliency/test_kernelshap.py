"""KernelSHAP: exact for sums over cells, the Shapley values for products, coalitions as the kernel weighs."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal import saliency_map
from jaxsal.engine.coalitions import cells_of, draw_coalitions, every_coalition
from jaxsal.recipes.further import KernelShapOptions
from jaxsal.saliency.kernelshap import constrained_values
from jaxsal.saliency.shapley_values import exact_values

RNG = np.random.default_rng(0)
CLIP = RNG.random((4, 4, 6, 3), np.float32)
WEIGHTS = RNG.normal(size=CLIP.shape).astype(np.float32)
CELLS = cells_of(CLIP.shape[:3], (2, 1, 3))


def test_a_sum_over_cells_is_taken_apart_exactly():
    def score_fn(clip):
        return jnp.stack([(WEIGHTS * clip).sum(), clip.mean()])

    options = KernelShapOptions(num_masks=24, grid_shape=(2, 1, 3), scores="logits", baseline="zero")
    maps = saliency_map(score_fn, CLIP, "all", method=options)
    expected = np.bincount(CELLS.ravel(), (WEIGHTS * CLIP).sum(axis=-1).ravel())
    np.testing.assert_allclose(maps[0], expected[CELLS], rtol=1e-4, atol=1e-4)
    scene = {"IR": CLIP[..., :1], "TV": CLIP}
    maps = saliency_map(lambda s: s["IR"].sum()[None] - s["TV"][:2].sum()[None], scene, 1, method=options)
    np.testing.assert_allclose(maps["IR"], np.bincount(CELLS.ravel(), CLIP[..., 0].ravel())[CELLS], rtol=1e-4)
    np.testing.assert_allclose(maps["TV"][2:], 0, atol=1e-3)


def test_every_coalition_as_often_as_the_kernel_weighs_it_gives_the_shapley_values():
    """The regression's solution over all coalitions is the Shapley value; weights as numbers of copies, P = 4."""
    gains = np.array([0.5, -0.6, 2.0, 0.1])
    worth = lambda members: np.prod(1 + members * gains, axis=1)[:, None]  # noqa: E731
    members = every_coalition(4)[1:-1]
    sizes = members.sum(axis=1)
    copies = np.array([3 * 24 // (math.comb(4, s) * s * (4 - s)) for s in sizes])  # 3 / (C(4, s) s (4 - s)) in 24ths
    assert copies.tolist() == [72 // (math.comb(4, s) * s * (4 - s)) for s in sizes]
    repeated = members.repeat(copies, axis=0)
    found = constrained_values(repeated, worth(repeated) - 1, np.prod(1 + gains, keepdims=True) - 1)[:, 0]
    np.testing.assert_allclose(found, exact_values(worth(every_coalition(4))[:, 0]).values, atol=1e-6)


def test_coalitions_are_drawn_in_pairs_by_the_kernel_and_each_by_its_number():
    drawn = draw_coalitions(7, 4000, 5)
    np.testing.assert_array_equal(drawn[::2], ~drawn[1::2])
    np.testing.assert_array_equal(draw_coalitions(7, 31, 5), drawn[:31])
    chances = np.array([1 / (s * (5 - s)) for s in range(1, 5)])
    counts = np.bincount(drawn.sum(axis=1), minlength=6)[1:5] / len(drawn)
    np.testing.assert_allclose(counts, chances / chances.sum(), atol=4 * np.sqrt(0.25 / 2000))
    np.testing.assert_allclose(drawn.mean(axis=0), 0.5, atol=1e-12)
    np.testing.assert_allclose(np.bincount(drawn[::2].argmax(axis=1))[1] / 2000, 0.25, atol=0.05)


def test_messages():
    with pytest.raises(ValueError, match=r"`grid_shape` must have 2 to 2,048 cells; got \(1, 1, 1\)"):
        KernelShapOptions(grid_shape=(1, 1, 1))
    with pytest.raises(ValueError, match="`num_players` must be at least 2 for coalitions; got 1"):
        draw_coalitions(0, 4, 1)
